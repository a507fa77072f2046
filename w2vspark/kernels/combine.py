"""Combines the changes that replicas (shards or lanes) made to the same rows.

Both rules work row by row in float64, over the replicas that updated the row, in the replicas' order. `mean` weights
each change by its number of updates. `adasum` (Maleki et al. 2021, "Scaling distributed training with adaptive
summation") combines pairs in a tree: changes in the same direction are averaged, orthogonal changes are added. The
changes of an optimiser's state (AdaGrad's sum of squares) are added up over all replicas.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH

RULES = {"mean": 0, "adasum": 1}


@compiled
def _adasum_pair(a, b, columns, changes):
    """changes[a] = adasum(changes[a], changes[b]): (1 - a.b / 2|a|^2) a + (1 - a.b / 2|b|^2) b."""
    dot = 0.0
    a_square = 0.0
    b_square = 0.0
    for d in range(columns):
        x = changes[a, d]
        y = changes[b, d]
        dot += x * y
        a_square += x * x
        b_square += y * y
    a_share = 1.0
    b_share = 1.0
    if a_square > 0.0 and b_square > 0.0:
        a_share = 1.0 - dot / (2.0 * a_square)
        b_share = 1.0 - dot / (2.0 * b_square)
    for d in range(columns):
        changes[a, d] = a_share * changes[a, d] + b_share * changes[b, d]


@compiled
def _combine_row(rule, touched, columns, weights, changes):
    """Put the combined change of changes[:touched] into changes[0, :columns]. Overwrites the other rows."""
    if touched <= 1:
        return
    if rule == 0:
        total = 0.0
        for r in range(touched):
            total += weights[r]
        for d in range(columns):
            mixed = 0.0
            for r in range(touched):
                mixed += weights[r] * changes[r, d]
            changes[0, d] = mixed / total
        return
    stride = 1
    while stride < touched:
        for r in range(0, touched - stride, 2 * stride):
            _adasum_pair(r, r + stride, columns, changes)
        stride *= 2


@compiled
def _combine_changes(rule, starts, touched, updates, values, columns, state, rows):
    replicas = starts.size - 1
    at = starts[:-1].copy()
    mine = np.empty(replicas, np.int64)  # entries of the replicas that touched the row
    scratch = np.empty((replicas, columns), np.float64)
    weights = np.empty(replicas, np.float64)
    for i in range(rows.shape[0]):
        count = 0
        for r in range(replicas):
            entry = at[r]
            if entry < starts[r + 1] and touched[entry] == i:
                at[r] += 1
                mine[count] = entry
                weights[count] = updates[entry]
                for d in range(columns):
                    scratch[count, d] = values[entry, d]
                count += 1
        if count > 0:
            _combine_row(rule, count, columns, weights, scratch)
            for d in range(columns):
                rows[i, d] = np.float32(rows[i, d] + scratch[0, d])
            for d in range(columns, columns + state):
                total = np.float64(rows[i, d])
                for r in range(count):
                    total += values[mine[r], d]
                rows[i, d] = np.float32(total)


@compiled
def _merge_lanes(rule, first, last, columns, state, base, lanes, lane_updates, updates):
    replicas = lanes.shape[0]
    stride = base.shape[1]
    state_at = (columns + SIMD_WIDTH - 1) // SIMD_WIDTH * SIMD_WIDTH
    scratch = np.empty((replicas, columns), np.float64)
    weights = np.empty(replicas, np.float64)
    kept = np.empty(state, np.float64)
    for i in range(first, last):
        touched = 0
        for d in range(state_at, state_at + state):
            total = np.float64(base[i, d])
            for r in range(replicas):
                if lane_updates[r, i] > 0:
                    total += np.float64(lanes[r, i, d]) - np.float64(base[i, d])
            kept[d - state_at] = total
        for r in range(replicas):
            count = lane_updates[r, i]
            if count > 0:
                weights[touched] = count
                updates[i] += count
                lane_updates[r, i] = 0
                for d in range(columns):
                    scratch[touched, d] = np.float64(lanes[r, i, d]) - np.float64(base[i, d])
                touched += 1
        if touched > 0:
            _combine_row(rule, touched, columns, weights, scratch)
            for d in range(columns):
                base[i, d] = np.float32(base[i, d] + scratch[0, d])
            for d in range(state):
                base[i, state_at + d] = np.float32(kept[d])
            for r in range(replicas):
                for d in range(stride):
                    lanes[r, i, d] = base[i, d]


@compiled
def first_row_not_finite(rows: np.ndarray) -> int:
    """The index of the first row with a value that is not finite, or -1. rows: float32 (n, columns)."""
    for i in range(rows.shape[0]):
        for d in range(rows.shape[1]):
            if not np.isfinite(rows[i, d]):
                return i
    return -1


class Changes(NamedTuple):
    """The changes that one replica made to some rows."""

    touched: np.ndarray  # int32 (n,), the numbers of the rows, rising
    updates: np.ndarray  # int32 (n,), how often each row was updated, at least once
    values: np.ndarray  # float32 (n, columns), new - old


def combine_changes(rule: str, replicas: Sequence[Changes], rows: np.ndarray, state: int = 0) -> None:
    """Add the combined change of all replicas to `rows`, in place.

    replicas: one or more, in their order. rows: float32 (n, stride >= columns), the old rows. The last `state` columns
    are the optimiser's; their changes are added up. Raises KeyError for an unknown rule, ValueError for invalid arrays.
    """
    sizes = [replica.touched.size for replica in replicas]
    touched, updates, values = (np.concatenate(part) for part in zip(*replicas, strict=True))
    kinds = [array.dtype for array in (touched, updates, values, rows)]
    if kinds != [np.int32, np.int32, np.float32, np.float32]:
        raise ValueError(f"expected int32 touched and updates, float32 values and rows, got {kinds}")
    if values.ndim != 2 or rows.ndim != 2 or rows.shape[1] < values.shape[1]:
        raise ValueError(f"shapes do not fit: values {values.shape}, rows {rows.shape}")
    if any([len(part) for part in replica] != [size] * 3 for replica, size in zip(replicas, sizes, strict=True)):
        raise ValueError("a replica's rows, updates and values must have the same length")
    if (updates < 1).any():
        raise ValueError("a replica must have updated each of its rows once or more")
    for rising, *_ in replicas:
        if rising.size and (rising[0] < 0 or rising[-1] >= len(rows) or (np.diff(rising) < 1).any()):
            raise ValueError(f"the rows that a replica touched must rise within 0..{len(rows) - 1}")
    starts = np.concatenate([[0], np.cumsum(sizes)])
    _combine_changes(RULES[rule], starts, touched, updates, values, values.shape[1] - state, state, rows)


def merge_lanes(
    rule: str,
    first: int,
    last: int,
    columns: int,
    base: np.ndarray,
    lanes: np.ndarray,
    lane_updates: np.ndarray,
    updates: np.ndarray,
    state: int = 0,
) -> None:
    """Merge rows first … last - 1 of all lanes into `base`, and copy the result back to the lanes.

    base: float32 (n, stride), the rows from which the lanes last started. The `state` floats of an optimiser follow the
    last chunk of the columns; their changes are added up. lanes: float32 (lanes, n, stride).
    lane_updates: int32 (lanes, n), is added to updates, int32 (n,), and set to 0. Rows without updates do not change.
    Raises KeyError for an unknown rule, ValueError for invalid arrays.
    """
    kinds = [array.dtype for array in (base, lanes, lane_updates, updates)]
    if kinds != [np.float32, np.float32, np.int32, np.int32]:
        raise ValueError(f"expected float32 base and lanes, int32 lane_updates and updates, got {kinds}")
    if (
        base.ndim != 2
        or lanes.shape[1:] != base.shape
        or lane_updates.shape != lanes.shape[:2]
        or updates.shape != base.shape[:1]
    ):
        raise ValueError(
            f"shapes do not fit: base {base.shape}, lanes {lanes.shape}, lane_updates {lane_updates.shape}, "
            f"updates {updates.shape}"
        )
    if not 0 <= first <= last <= base.shape[0] or columns > base.shape[1]:
        raise ValueError(f"rows {first}..{last} or {columns} columns are not in base {base.shape}")
    if state and (columns + SIMD_WIDTH - 1) // SIMD_WIDTH * SIMD_WIDTH + state > base.shape[1]:
        raise ValueError(f"base {base.shape} has no room for {state} floats of state after {columns} columns")
    _merge_lanes(RULES[rule], first, last, columns, state, base, lanes, lane_updates, updates)
