"""Co-occurrence counts: how often words stand near each other, weighted by their distance.

The kernels count row by row, not event by event. An index of the text gives the positions of a word. Its neighbours are
added up in one dense row, and the columns that were met are listed in order. Nothing is sorted, no event is stored.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.counts.sparse_sums import Sums, add_to, drain
from w2vspark.kernels.noise import keep_thresholds
from w2vspark.kernels.simd import prefetch_row
from w2vspark.kernels.word2vec.windows import keep_sentence

# Up to this window, harmonic weights are whole multiples of 1 / lcm(1 … window), and their sums are int64. At a window
# of 20, int64 is large enough for a word with five thousand million tokens. Wider windows and more tokens have float64
# sums, added in the order of the text.
EXACT_WINDOW = 20
AHEAD = 8  # prefetch the neighbours of the position that comes 8 later: the text is far larger than the caches


class Rows(NamedTuple):
    """Neighbouring rows of a sparse matrix. Row i has the entries from ends[i - 1] (or 0) to ends[i]."""

    ends: np.ndarray  # int64 (rows,)
    columns: np.ndarray  # int32, rising in a row
    values: np.ndarray  # int64 or float64, greater than 0


class Index(NamedTuple):
    """The positions of words in a text: word first + i is at positions[starts[i] : starts[i + 1]]."""

    text: np.ndarray  # int32, from `separated`
    largest: int  # the largest word id in the text
    first: int
    starts: np.ndarray  # int64 (words + 1,)
    positions: np.ndarray  # int32, rising for each word


def distance_weights(weighting: str, window: int, most: int = 0) -> tuple[np.ndarray, int]:
    """The weight of a neighbour at each distance d: weights (window + 1,) in units of 1 / unit, and unit.

    weights[0] is unused. uniform: 1; harmonic: 1 / d (GloVe); linear: (window - d + 1) / window (the expectation of
    word2vec's drawn window). most: tokens of the most frequent word. Weights are int64; harmonic weights are float64 if
    the window is above EXACT_WINDOW, or a row's sum might not fit into int64. Raises KeyError for another weighting.
    """
    unit = {"uniform": 1, "linear": window, "harmonic": math.lcm(*range(1, min(window, EXACT_WINDOW) + 1))}[weighting]
    distances = range(1, window + 1)
    if weighting == "harmonic":
        weights = [unit // d for d in distances]
        if window > EXACT_WINDOW or 2 * most * sum(weights) >= 1 << 63:
            return np.array([0.0, *(1 / d for d in distances)]), 1
    else:
        weights = [window - d + 1 if weighting == "linear" else 1 for d in distances]
    return np.array([0, *weights], np.int64), unit


def separated(ids: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """All pieces as one text, int32, with -1 before, between and after them.

    ids: int32, where -1 ends a sentence; starts: int64 (pieces + 1,), where each piece begins.
    """
    pieces = starts.size - 1
    text = np.empty(ids.size + pieces + 1, np.int32)
    _separate(ids, starts, text)
    return text


def subsampled(
    ids: np.ndarray, starts: np.ndarray, streams: np.ndarray, counts: np.ndarray, share: float
) -> tuple[np.ndarray, np.ndarray]:
    """The pieces with only the words that subsampling keeps: (ids, starts). The draws are those of word2vec's training.

    ids, starts: as for `separated`. streams: uint64 (pieces,), where each piece's random numbers start. counts: int64
    (V,). share: subsample of keep_thresholds.
    """
    kept, ends = np.empty_like(ids), np.zeros_like(starts)
    _subsample(ids, starts, streams, keep_thresholds(counts, share, int(counts.sum())), kept, ends)
    return kept[: ends[-1]], ends


def index_words(text: np.ndarray, first: int, last: int) -> Index:
    """The index of the words first … last - 1. text: from `separated`. Raises ValueError for an invalid text."""
    if text.dtype != np.int32 or text[0] != -1 or text[-1] != -1 or text.size >= 1 << 31:
        raise ValueError("the text must be int32, begin and end with -1, and be less than 2**31 long")
    starts = np.zeros(last - first + 1, np.int64)
    _count_positions(text, first, last, starts)
    positions = np.empty(starts[-1], np.int32)
    _find_positions(text, first, last, starts, positions)
    return Index(text, int(text.max()), first, starts, positions)


def count_rows(index: Index, first: int, last: int, weights: np.ndarray, left: bool, right: bool, sums: Sums) -> Rows:
    """Rows first … last - 1 of the counts.

    index: has all these rows; the ids in its text are below the number of columns of sums. weights: from
    distance_weights. left, right: which neighbours count. sums: of the same type as weights. Raises ValueError for
    invalid input.
    """
    begin, end = first - index.first, last - index.first
    if not 0 <= begin <= end < index.starts.size:
        raise ValueError(f"rows {first}..{last} are not in the index of {index.starts.size - 1} from {index.first}")
    if index.largest >= sums.values.size:
        raise ValueError(f"word {index.largest} is not among the {sums.values.size} columns")
    if weights.dtype != sums.values.dtype:
        raise ValueError(f"weights are {weights.dtype}, sums {sums.values.dtype}")
    events = np.diff(index.starts[begin : end + 1]) * ((weights.size - 1) * (left + right))
    room = int(np.minimum(events, sums.values.size).sum())
    ends, columns, values = np.empty(end - begin, np.int64), np.empty(room, np.int32), np.empty(room, weights.dtype)
    positions = index.text, index.starts, index.positions
    found = _count_rows(*positions, begin, weights, left, right, sums, ends, columns, values)
    return Rows(ends, columns[:found], values[:found])


def merge_rows(counts: Sequence[Rows], sums: Sums) -> Rows:
    """The sum of counts of the same rows, added up in their order. Raises ValueError for invalid counts."""
    rows = {of_slice.ends.size for of_slice in counts}
    kinds = {of_slice.values.dtype for of_slice in counts} | {sums.values.dtype}
    if len(rows) != 1 or len(kinds) != 1:
        raise ValueError(f"expected counts of the same rows and type, got {rows} rows and {kinds}")
    ends = np.stack([of_slice.ends for of_slice in counts])
    columns, values = (np.concatenate([of_slice[i] for of_slice in counts]) for i in (1, 2))
    sizes = ends[:, -1] if ends.shape[1] else np.zeros(len(counts), np.int64)
    starts = np.cumsum(sizes) - sizes
    if columns.size and not 0 <= columns.min() <= columns.max() < sums.values.size:
        raise ValueError(f"columns {columns.min()}..{columns.max()} are not among {sums.values.size}")
    merged = Rows(np.empty(ends.shape[1], np.int64), np.empty(columns.size, np.int32), np.empty_like(values))
    found = _merge_rows(ends, starts, columns, values, sums, *merged)
    return Rows(merged.ends, merged.columns[:found], merged.values[:found])


def row_sums(rows: Rows) -> np.ndarray:
    """The sum of each row's values (rows,), added in the order of the columns. It has the type of the values."""
    sums = np.zeros(rows.ends.size, rows.values.dtype)
    _sum_rows(rows.ends, rows.values, sums)
    return sums


def in_units(weights: np.ndarray, unit: int) -> np.ndarray:
    """Written weights as whole numbers of 1 / unit, int64. weights: float64, each below 2**52 / unit."""
    values = np.empty(weights.size, np.int64)
    _fill_units(weights, np.float64(unit), values)
    return values


@compiled
def _fill_units(weights, unit, values):
    for i in range(weights.size):
        values[i] = np.int64(weights[i] * unit + 0.5)


@compiled
def _separate(ids, starts, text):
    for piece in range(starts.size - 1):
        text[starts[piece] + piece] = -1
        for i in range(starts[piece], starts[piece + 1]):
            text[i + piece + 1] = ids[i]
    text[text.size - 1] = -1


@compiled
def _subsample(ids, starts, streams, keep, kept, ends):
    at = 0
    for p in range(streams.size):
        draw = np.uint64(0)
        position = starts[p]
        while position < starts[p + 1]:
            count, position, draw = keep_sentence(ids, position, starts[p + 1], streams[p], draw, keep, kept[at:])
            at += count
            if position < starts[p + 1]:
                kept[at] = -1
                at += 1
        ends[p + 1] = at


@compiled
def _count_positions(text, first, last, starts):
    for p in range(text.size):
        if first <= text[p] < last:
            starts[text[p] - first + 1] += 1
    for i in range(last - first):
        starts[i + 1] += starts[i]


@compiled
def _find_positions(text, first, last, starts, positions):
    for p in range(text.size):
        if first <= text[p] < last:
            i = text[p] - first
            positions[starts[i]] = p
            starts[i] += 1
    for i in range(last - first, 0, -1):  # each start has moved to the end of its word's positions
        starts[i] = starts[i - 1]
    starts[0] = 0


@compiled
def _count_rows(text, starts, positions, begin, weights, left, right, sums, ends, columns, values):
    entries = 0
    reach = weights.size - 1
    for i in range(ends.size):
        for at in range(starts[begin + i], starts[begin + i + 1]):
            ahead = np.int64(positions[min(at + AHEAD, positions.size - 1)])
            prefetch_row(text, ahead - reach, 1)
            prefetch_row(text, ahead + reach, 1)
            p = uint64(positions[at])  # an unsigned index needs no test for negative values
            if left:
                for d in range(1, weights.size):
                    word = text[p - uint64(d)]
                    if word < 0:
                        break
                    add_to(sums, word, weights[d])
            if right:
                for d in range(1, weights.size):
                    word = text[p + uint64(d)]
                    if word < 0:
                        break
                    add_to(sums, word, weights[d])
        entries = drain(sums, entries, columns, values)
        ends[i] = entries
    return entries


@compiled
def _sum_rows(ends, values, sums):
    begin = 0
    for i in range(ends.size):
        for at in range(begin, ends[i]):
            sums[i] += values[at]
        begin = ends[i]


@compiled
def _merge_rows(ends, starts, columns, values, sums, merged_ends, merged_columns, merged_values):
    entries = 0
    for i in range(merged_ends.size):
        for number in range(starts.size):
            begin = starts[number] + (ends[number, i - 1] if i > 0 else 0)
            for at in range(begin, starts[number] + ends[number, i]):
                add_to(sums, columns[at], values[at])
        entries = drain(sums, entries, merged_columns, merged_values)
        merged_ends[i] = entries
    return entries
