"""GloVe's steps (Pennington, Socher & Manning 2014, equation 8), by AdaGrad with one rate for every number.

A row holds a word's vector, its bias and a constant 1, padded with zeros to whole chunks. The sums of squared steps
follow, one for each of these numbers. In contexts, the positions of bias and 1 are swapped, so that one dot product is
w . c + b + b'.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.glove.simd import adagrad_step, dot_of_rows, weigh_counts
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.random import GOLDEN, fill_uniform_rows, hash_of, mix
from w2vspark.kernels.rows import aligned_rows
from w2vspark.kernels.simd import prefetch_row

RUN = 32  # records of one word that are trained one after another, in the order of their columns
AHEAD = 2  # prefetch the context of the record that comes 2 later
WORDS, CONTEXTS = 0, 1  # the two sides, which differ in the positions of bias and 1
FIRST_SQUARES = 1.0  # the initial value of the sums of squared steps, as in the authors' program


class Objective(NamedTuple):
    """The objective of a record: min(1, (count / x_max) ** alpha) * (w . c + b + b' - log count) ** 2."""

    x_max: float
    alpha: float
    rate: float
    dimensions: int


class Records(NamedTuple):
    """The counts of neighbouring rows, cut into runs. The records of a run are trained one after another.

    Run n belongs to row rows[n], and has the columns and counts from starts[n] to ends[n].
    """

    rows: np.ndarray  # int32 (runs,), counted from the first row
    starts: np.ndarray  # int64 (runs,)
    ends: np.ndarray  # int64 (runs,)
    columns: np.ndarray  # int32 (records,)
    counts: np.ndarray  # float32 (records + SIMD_WIDTH,), greater than 0


def make_records(blocks: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Records:
    """Cut neighbouring blocks of rows into runs. A block: ends, int64 (rows,); columns, int32; counts, float32."""
    sizes = np.concatenate([np.empty(0, np.int64), *(np.diff(ends, prepend=0) for ends, _, _ in blocks)])
    runs = -(-sizes // RUN)
    rows = np.repeat(np.arange(sizes.size, dtype=np.int32), runs)
    row_ends = np.cumsum(sizes)
    number = np.arange(rows.size) - np.repeat(np.cumsum(runs) - runs, runs)  # the run's number in its row
    starts = np.repeat(row_ends - sizes, runs) + RUN * number
    columns = np.concatenate([np.empty(0, np.int32), *(columns for _, columns, _ in blocks)])
    counts = np.concatenate([*(counts for _, _, counts in blocks), np.ones(SIMD_WIDTH, np.float32)])
    return Records(rows, starts, np.minimum(starts + RUN, row_ends[rows]), columns, counts)


def row_width(dimensions: int) -> int:
    """Floats of a row in a table: the vector, the bias, and a sum of squares for each of these numbers."""
    return 2 * (dimensions + 1)


def make_rows(rows: int, dimensions: int) -> np.ndarray:
    """Memory for rows, float32 (rows, stride), filled with 0."""
    return aligned_rows(rows, 2 * SIMD_WIDTH * _chunks(dimensions))


def fill_initial(seed: int, side: int, first: int, dimensions: int, block: np.ndarray) -> None:
    """Fill a block with the initial rows first, first + 1, …: uniform in +-0.5 / D, as in the authors' program."""
    fill_uniform_rows(seed, side, first, 1.0 / dimensions, dimensions + 1, block)
    block[:, dimensions + 1 :] = FIRST_SQUARES


def put_rows(block: np.ndarray, side: int, dimensions: int, rows: np.ndarray) -> None:
    """Copy rows of a table, float32 (n, row_width), to rows in memory, float32 (n, stride)."""
    half = SIMD_WIDTH * _chunks(dimensions)
    bias = _bias_position(dimensions, side)
    rows[:] = 0.0
    rows[:, :dimensions], rows[:, bias] = block[:, :dimensions], block[:, dimensions]
    rows[:, _bias_position(dimensions, 1 - side)] = 1.0
    rows[:, half:] = FIRST_SQUARES  # also where nothing is trained, so that nothing is divided by 0
    rows[:, half : half + dimensions], rows[:, half + bias] = block[:, dimensions + 1 : -1], block[:, -1]


def take_rows(rows: np.ndarray, side: int, dimensions: int) -> np.ndarray:
    """The rows of a table, float32 (n, row_width), from rows in memory."""
    half = SIMD_WIDTH * _chunks(dimensions)
    bias = _bias_position(dimensions, side)
    parts = [rows[:, :dimensions], rows[:, bias, None], rows[:, half : half + dimensions], rows[:, half + bias, None]]
    return np.hstack(parts)


def train_records(
    words: np.ndarray, contexts: np.ndarray, records: Records, objective: Objective, stream: int
) -> float:
    """Train every record once, in place, with the runs in random order; returns the sum of the records' losses.

    words, contexts: float32 (n, stride), from make_rows. stream: where the random numbers start. Raises ValueError for
    invalid input.
    """
    stride = 2 * SIMD_WIDTH * _chunks(objective.dimensions)
    for rows in (words, contexts):
        if rows.dtype != np.float32 or rows.ndim != 2 or rows.shape[1] != stride or not rows.flags.c_contiguous:
            raise ValueError(f"expected float32 rows of {stride} floats, got {rows.dtype} {rows.shape}")
    kinds = [array.dtype for array in records]
    if kinds != [np.int32, np.int64, np.int64, np.int32, np.float32]:
        raise ValueError(f"expected records of int32, int64, int64, int32 and float32, got {kinds}")
    if records.counts.size != records.columns.size + SIMD_WIDTH or not records.counts.min() > 0:
        raise ValueError(
            f"expected {records.columns.size} counts above 0 and {SIMD_WIDTH} of padding, got {records.counts.size}"
        )
    if not records.rows.size:
        return 0.0
    if records.rows.max() >= len(words) or records.columns.min() < 0 or records.columns.max() >= len(contexts):
        raise ValueError(f"a record is not one of {len(words)} words and {len(contexts)} contexts")
    if records.starts.min() < 0 or records.ends.max() > records.columns.size:
        raise ValueError(f"a run is not within the {records.columns.size} records")
    if (records.ends - records.starts).max() > RUN:
        raise ValueError(f"a run has more than {RUN} records")
    masks = np.ones((2, SIMD_WIDTH), np.float32)
    for side in (WORDS, CONTEXTS):
        masks[side, _bias_position(objective.dimensions, 1 - side) % SIMD_WIDTH] = 0.0  # the constant 1
    return float(
        _train(
            words.reshape(-1), contexts.reshape(-1), _chunks(objective.dimensions), *records, *masks,
            np.float32(objective.x_max), np.float32(objective.alpha), np.float32(objective.rate), np.uint64(stream),
        )
    )  # fmt: skip


def stream_of(seed: int, epoch: int, row_range: int, column_class: int) -> int:
    """Where the random numbers of a stratum start in an epoch."""
    return int(hash_of(seed, epoch, row_range, column_class))


def _bias_position(dimensions: int, side: int) -> int:
    """The position of the bias in a row of a word or of a context. Both positions are in the last chunk."""
    together = dimensions % SIMD_WIDTH < SIMD_WIDTH - 1
    return (dimensions if together else (dimensions + SIMD_WIDTH - 1) // SIMD_WIDTH * SIMD_WIDTH) + side


def _chunks(dimensions: int) -> int:
    """Chunks of a row's numbers. Its squares take the same number of chunks."""
    return _bias_position(dimensions, CONTEXTS) // SIMD_WIDTH + 1


@compiled
def _shuffle(order, stream):
    """Fill order with 0 … n - 1 in random order (Fisher & Yates)."""
    for i in range(order.size):
        order[i] = i
    for i in range(order.size - 1, 0, -1):
        bits = mix(stream + uint64(i) * uint64(GOLDEN)) >> uint64(32)
        j = np.int64((bits * uint64(i + 1)) >> uint64(32))
        order[i], order[j] = order[j], order[i]


@compiled
def _train(
    words, contexts, chunks, rows, starts, ends, columns, counts, word_mask, context_mask, x_max, alpha, rate, stream
):  # fmt: skip
    stride = 2 * SIMD_WIDTH * chunks
    order = np.empty(rows.size, np.int32)
    _shuffle(order, stream)
    logs, weights = np.empty(RUN, np.float32), np.empty(RUN, np.float32)
    bound = np.full(SIMD_WIDTH, x_max, np.float32)
    weigh_counts(bound, 0, logs, weights, 0, np.float32(0.0), np.float32(0.0))
    log_max = logs[0]
    loss = 0.0
    for n in range(order.size):
        at = order[n]
        if n + 1 < order.size:
            prefetch_row(words, np.int64(rows[order[n + 1]]) * stride, 2 * chunks)
        start, size = starts[at], ends[at] - starts[at]
        for i in range(0, size, SIMD_WIDTH):
            weigh_counts(counts, start + i, logs, weights, i, log_max, alpha)
        for i in range(min(AHEAD, size)):
            prefetch_row(contexts, np.int64(columns[start + i]) * stride, 2 * chunks)
        row = np.int64(rows[at]) * stride
        for i in range(size):
            if i + AHEAD < size:
                prefetch_row(contexts, np.int64(columns[start + i + AHEAD]) * stride, 2 * chunks)
            column = np.int64(columns[start + i]) * stride
            error = dot_of_rows(words, row, contexts, column, chunks) - logs[i]
            step = weights[i] * error
            loss += np.float64(step) * np.float64(error)
            adagrad_step(words, row, word_mask, contexts, column, context_mask, chunks, step * rate)
    return loss
