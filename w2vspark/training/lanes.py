"""Inside a shard: lanes train side by side on their own copies of the rows, and merge the copies at intervals.

The number of threads that run the lanes never changes the result: a lane's work depends on its pieces alone, and rows
are merged in the lanes' order.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from w2vspark.kernels.combine import merge_lanes
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.rows import aligned_rows, stride_of
from w2vspark.training.plan import MatrixShape


@dataclass(slots=True)
class Slice:
    """One slice of a shard: the pieces of text that it reads at a time."""

    ids: np.ndarray  # int32, -1 ends a sentence
    starts: np.ndarray  # int64 (pieces + 1,), where each piece begins
    tokens: np.ndarray  # int64 (pieces,), how many ids are not -1
    buckets: np.ndarray  # int32 (pieces,)
    numbers: np.ndarray  # int32 (pieces,), each piece's position in its bucket


@dataclass(slots=True)
class Matrix:
    """One parameter matrix of a shard, with a copy for each lane. kernels.rows has the layout of a row."""

    shape: MatrixShape
    base: np.ndarray  # float32 (rows, stride), with the void row last, if there is one
    updates: np.ndarray  # int32 (rows,)
    lanes: np.ndarray  # float32 (lanes, rows, stride); with one lane a view of base
    lane_updates: np.ndarray  # int32 (lanes, rows)

    def read(self, rows: slice | np.ndarray) -> np.ndarray:
        """Some rows of the base as in the parameters table, float32 (rows, shape.width)."""
        chosen = self.base[rows]
        columns, end = self.shape.columns, chosen.shape[1]
        if not self.shape.state:
            return np.ascontiguousarray(chosen[:, :columns])
        return np.hstack([chosen[:, :columns], chosen[:, end - SIMD_WIDTH : end - SIMD_WIDTH + self.shape.state]])

    def write(self, first: int, block: np.ndarray) -> None:
        """Copy a block of the parameters table into the base, from row `first` on."""
        rows, columns = self.base[first : first + len(block)], self.shape.columns
        rows[:, :columns] = block[:, :columns]
        if self.shape.state:
            end = rows.shape[1] - SIMD_WIDTH
            rows[:, end : end + self.shape.state] = block[:, columns:]


TrainLane = Callable[[int, int, int, np.ndarray], tuple[float, int, int]]


def make_matrix(shape: MatrixShape, lanes: int) -> Matrix:
    """A matrix of zeros, with a copy for each lane. A single lane trains on the base itself."""
    rows, stride = shape.rows + shape.void, stride_of(shape.columns, shape.state > 0)
    base = aligned_rows(rows, stride)
    updates = np.zeros(rows, np.int32)
    if lanes == 1:
        return Matrix(shape, base, updates, base[None], updates[None])
    copies = aligned_rows(lanes * rows, stride).reshape(lanes, rows, stride)
    return Matrix(shape, base, updates, copies, np.zeros((lanes, rows), np.int32))


def lane_pieces(tokens: np.ndarray, lanes: int, merge_tokens: int) -> list[list[tuple[int, int]]]:
    """Divide the pieces into steps, and each step into ranges of about equal tokens, one per lane."""
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
    train(lane, first piece, one past the last piece, rates) runs the kernel. Returns the sums of train's results.
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
                    matrix.shape.columns,
                    matrix.base,
                    matrix.lanes,
                    matrix.lane_updates,
                    matrix.updates,
                    matrix.shape.state,
                )
            )
    for future in work:
        future.result()
