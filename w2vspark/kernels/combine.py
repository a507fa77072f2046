"""How the changes of replicas (shards or lanes) that trained the same row side by side become one change.

Both rules work row by row, in float64, in the replicas' order, over the replicas that touched the row:
`mean`, weighted by updates; and `adasum` (Maleki et al. 2021, "Scaling distributed training with adaptive
summation"), as a pairwise tree: parallel changes are averaged, orthogonal ones added. What an optimiser keeps with a
row, AdaGrad's sum of squares, is a sum over all replicas.
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
    """changes[0, :columns] = the combined change of changes[:touched]; the other rows are overwritten."""
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
    mine = np.empty(replicas, np.int64)  # the entries of those that touched the row
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
    """Index of the first row of a float32 (n, columns) matrix with a value that is not finite; -1 if none."""
    for i in range(rows.shape[0]):
        for d in range(rows.shape[1]):
            if not np.isfinite(rows[i, d]):
                return i
    return -1


class Changes(NamedTuple):
    """What one replica changed in some rows."""

    touched: np.ndarray  # int32 (n,), rising: the rows
    updates: np.ndarray  # int32 (n,), how often it updated each, at least once
    values: np.ndarray  # float32 (n, columns), new - old


def combine_changes(rule: str, replicas: Sequence[Changes], rows: np.ndarray, state: int = 0) -> None:
    """Add the combined change of all replicas, one or more in their order, to `rows`, in place.

    The last `state` columns are the optimiser's, and added up. rows: float32 (n, stride >= columns), the old rows.
    Raises KeyError or ValueError on other input.
    """
    sizes = [replica.touched.size for replica in replicas]
    touched, updates, values = (np.concatenate(part) for part in zip(*replicas, strict=True))
    kinds = [array.dtype for array in (touched, updates, values, rows)]
    if kinds != [np.int32, np.int32, np.float32, np.float32]:
        raise ValueError(f"expected int32 touched and updates, float32 values and rows, got {kinds}")
    if values.ndim != 2 or rows.ndim != 2 or rows.shape[1] < values.shape[1]:
        raise ValueError(f"shapes do not fit: values {values.shape}, rows {rows.shape}")
    if any([len(part) for part in replica] != [size] * 3 for replica, size in zip(replicas, sizes, strict=True)):
        raise ValueError("a replica's rows, updates and values must be as many as each other")
    if (updates < 1).any():
        raise ValueError("a replica's rows must be those that it updated, once or more")
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
    """Merge rows first..last of all lanes into `base`, hand the result back to the lanes, count the updates.

    base: float32 (n, stride), what the lanes last started from; with `state` floats of an optimiser behind the columns'
    last chunk, which are added up. lanes: float32 (lanes, n, stride).
    lane_updates: int32 (lanes, n), set to 0. updates: int32 (n,), added to. Only rows with updates are touched.
    Raises KeyError or ValueError on other input.
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
        raise ValueError(f"base {base.shape} has no room for {state} floats of state behind {columns} columns")
    _merge_lanes(RULES[rule], first, last, columns, state, base, lanes, lane_updates, updates)
