"""Inside a shard: lanes train side by side on their own copies of the rows and merge every so many tokens.

Lanes are logical. How many threads run them never changes the result: each lane's work is a function of its
pieces alone, and merging goes row by row in the lanes' order.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from w2vspark.kernels.combine import merge_lanes


@dataclass(slots=True)
class Slice:
    """The pieces of text that one shard trains on between two combinations."""

    ids: np.ndarray  # int32, -1 ends a sentence
    starts: np.ndarray  # int64 (pieces + 1,), where each piece begins
    tokens: np.ndarray  # int64 (pieces,), ids that are not -1
    buckets: np.ndarray  # int32 (pieces,)
    numbers: np.ndarray  # int32 (pieces,), each piece's place in its bucket


@dataclass(slots=True)
class Matrix:
    """One parameter matrix of a shard, with a copy for each lane."""

    name: str
    columns: int  # dimensions; rows are padded with zeros to a multiple of eight
    base: np.ndarray  # float32 (rows, stride)
    updates: np.ndarray  # int32 (rows,)
    lanes: np.ndarray  # float32 (lanes, rows, stride); with one lane a view of base
    lane_updates: np.ndarray  # int32 (lanes, rows)


TrainLane = Callable[[int, int, int, np.ndarray], tuple[float, int, int]]


def aligned_rows(rows: int, columns: int) -> np.ndarray:
    """float32 zeros (rows, columns padded to a multiple of eight), on a cache line's boundary."""
    stride = (columns + 7) // 8 * 8
    memory = np.zeros(rows * stride + 16, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    return memory[skip : skip + rows * stride].reshape(rows, stride)


def make_matrix(name: str, rows: int, columns: int, lanes: int) -> Matrix:
    """A matrix of zeros with room for its lanes. One lane trains on the base itself."""
    base = aligned_rows(rows, columns)
    updates = np.zeros(rows, np.int32)
    if lanes == 1:
        return Matrix(name, columns, base, updates, base[None], updates[None])
    copies = aligned_rows(lanes * rows, columns).reshape(lanes, rows, base.shape[1])
    return Matrix(name, columns, base, updates, copies, np.zeros((lanes, rows), np.int32))


def lane_pieces(tokens: np.ndarray, lanes: int, merge_tokens: int) -> list[list[tuple[int, int]]]:
    """Cut pieces into steps of one run of pieces per lane, with equal sums of tokens as near as pieces allow."""
    total = int(tokens.sum())
    steps = max(1, round(total / (lanes * merge_tokens)))
    ends = np.concatenate([[0], np.cumsum(tokens)])
    cuts = [int(np.searchsorted(ends, total * i // (steps * lanes))) for i in range(steps * lanes)] + [tokens.size]
    runs = list(pairwise(cuts))
    return [runs[i * lanes : (i + 1) * lanes] for i in range(steps)]


def train_lanes(
    matrices: list[Matrix],
    tokens: np.ndarray,
    merge_tokens: int,
    rule: str,
    threads: int,
    rate_at: Callable[[np.ndarray], np.ndarray],
    train: TrainLane,
) -> tuple[float, int, int]:
    """Train one slice on all lanes, in place in every matrix's base.

    tokens: int64 (pieces,). rate_at: share of the slice that is done, float64 (n,) in [0, 1) -> learning rates.
    train(lane, first piece, piece behind the last, rates) runs the kernel. Returns the sums of what it returns.
    """
    lanes = matrices[0].lanes.shape[0]
    if lanes > 1:
        for matrix in matrices:
            matrix.lanes[:] = matrix.base
    steps = lane_pieces(tokens, lanes, merge_tokens)
    totals = [0.0, 0, 0]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        for number, runs in enumerate(steps):

            def run_lane(lane: int, number: int = number, runs: list[tuple[int, int]] = runs) -> tuple[float, int, int]:
                first, last = runs[lane]
                before = np.cumsum(tokens[first:last]) - tokens[first:last]
                share = (number + before / max(1, int(tokens[first:last].sum()))) / len(steps)
                return train(lane, first, last, rate_at(share))

            for result in pool.map(run_lane, range(lanes)):
                totals = [a + b for a, b in zip(totals, result, strict=True)]
            if lanes > 1:
                _merge(pool, matrices, rule, threads)
    return totals[0], int(totals[1]), int(totals[2])


def _merge(pool: ThreadPoolExecutor, matrices: list[Matrix], rule: str, threads: int) -> None:
    work = []
    for matrix in matrices:
        rows = matrix.base.shape[0]
        cuts = [rows * i // threads for i in range(threads + 1)]
        for first, last in pairwise(cuts):
            work.append(
                pool.submit(
                    merge_lanes,
                    rule,
                    first,
                    last,
                    matrix.columns,
                    matrix.base,
                    matrix.lanes,
                    matrix.lane_updates,
                    matrix.updates,
                )
            )
    for future in work:
        future.result()
