"""Documents as bags of words: their weights, and their vectors in the space of an SVD.

tf, tf-idf (Salton & Buckley 1988) and log-entropy (Dumais 1991). All sums are float64, in a fixed order.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.counts.sparse_sums import add_to, drain, new_sums
from w2vspark.kernels.logarithm import log

_LN2 = 6.93147180559945286227e-01
LEAST_WEIGHT = 1e-12


class Bags(NamedTuple):
    """Rows of counts. Row i has the words from ends[i - 1] (or 0) to ends[i]."""

    ends: np.ndarray  # int64 (rows,)
    words: np.ndarray  # int32, rising in a row
    counts: np.ndarray  # float32, whole numbers


class Statistics(NamedTuple):
    """Statistics of each word over many documents."""

    documents: np.ndarray  # int64 (V,), how many documents have the word
    tokens: np.ndarray  # int64 (V,)
    information: np.ndarray  # float64 (V,), the sum of tf * log(tf) over the documents


@compiled
def _sum_rows(rows, begins, ends, ids, counts, sums, row_ends, words, values):
    at = 0
    for i in range(rows.size):
        for j in range(begins[i], ends[i]):
            if ids[j] >= 0:
                add_to(sums, ids[j], counts[j])
        if i + 1 == rows.size or rows[i + 1] != rows[i]:
            at = drain(sums, at, words, values)
            row_ends[rows[i]] = at
    return at


def sum_rows(
    rows: np.ndarray, begins: np.ndarray, ends: np.ndarray, ids: np.ndarray, counts: np.ndarray, size: int
) -> Bags:
    """Add up lists of words to bags. List i is ids[begins[i] : ends[i]], and goes to row rows[i].

    rows: int64 (lists,), begins at 0 and rises in steps of 0 or 1. begins, ends: int64 (lists,). ids: int32, below
    `size`; -1 is no word. counts: int32 or float32, one for each id. Raises ValueError for invalid input.
    """
    steps = np.diff(rows, prepend=0)
    if (rows.size and rows[0] != 0) or not ((steps == 0) | (steps == 1)).all():
        raise ValueError("rows must begin at 0 and rise in steps of 0 or 1")
    if rows.size and (begins.min() < 0 or ends.max() > min(ids.size, counts.size)):
        raise ValueError(f"lists reach from {begins.min()} to {ends.max()}, but there are {ids.size} ids")
    if ids.size and ids.max() >= size:
        raise ValueError(f"the words' ids must be below {size}, not {ids.max()}")
    room = int((ends - begins).sum())
    row_ends = np.zeros(rows[-1] + 1 if rows.size else 0, np.int64)
    words, values = np.empty(room, np.int32), np.empty(room, np.float32)
    found = _sum_rows(rows, begins, ends, ids, counts, new_sums(size, np.dtype(np.int64)), row_ends, words, values)
    return Bags(row_ends, words[:found], values[:found])


@compiled
def _add_statistics(words, counts, documents, tokens, information):
    for i in range(words.size):
        count = np.float64(counts[i])  # float() would leave it a float32
        documents[words[i]] += 1
        tokens[words[i]] += int(counts[i])
        information[words[i]] += count * log(count)


def new_statistics(size: int) -> Statistics:
    """Statistics of `size` words, before any document."""
    return Statistics(np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size))


def add_statistics(bags: Bags, statistics: Statistics) -> None:
    """Add rows of counts to the statistics, in order. Raises ValueError for a word that the statistics do not have."""
    if bags.words.size and bags.words.max() >= statistics.documents.size:
        raise ValueError(f"word {bags.words.max()} is not among {statistics.documents.size}")
    _add_statistics(bags.words, bags.counts, *statistics)


@compiled
def _fill_idf(documents, total, weights):
    for i in range(weights.size):
        weights[i] = log(total / documents[i]) / _LN2 if documents[i] > 0 else 0.0


@compiled
def _fill_entropy(tokens, information, total, weights):
    scale = log(float(total))
    for i in range(weights.size):
        if tokens[i] > 0:
            entropy = information[i] / tokens[i] - log(float(tokens[i]))
            weights[i] = 1.0 + entropy / scale
        # An evenly spread word has weight 0. Its rounding error must not become a document's only weight.
        if tokens[i] == 0 or weights[i] < LEAST_WEIGHT:
            weights[i] = 0.0


def global_weights(weighting: str, statistics: Statistics, documents: int) -> np.ndarray:
    """The global weight of each word, float64 (V,).

    documents: how many there are, N. tf: 1 for every word. tf-idf: log2(N / df). log-entropy: 1 + sum p log p / log N,
    with p = tf / gf. In the last two, a word that is in no document has weight 0. Raises ValueError for other
    weightings, and for fewer than two documents.
    """
    weights = np.ones(statistics.documents.size)
    if documents < 2:
        raise ValueError(f"weights need two documents or more, not {documents}")
    if weighting == "tf-idf":
        _fill_idf(statistics.documents, float(documents), weights)
    elif weighting == "log-entropy":
        _fill_entropy(statistics.tokens, statistics.information, documents, weights)
    elif weighting != "tf":
        raise ValueError(f"weighting must be tf, tf-idf or log-entropy, not {weighting!r}")
    return weights


@compiled
def _fill_weighted(ends, words, counts, weights, logarithmic, values):
    begin = 0
    for row in range(ends.size):
        squares = 0.0
        for i in range(begin, ends[row]):
            local = log(counts[i] + 1.0) / _LN2 if logarithmic else np.float64(counts[i])
            value = local * weights[words[i]]
            squares += value * value
            values[i] = value
        if squares > 0.0:
            length = np.sqrt(squares)
            for i in range(begin, ends[row]):
                values[i] /= length
        begin = ends[row]


def weighted(bags: Bags, weighting: str, weights: np.ndarray) -> np.ndarray:
    """The weighted values of documents' rows, float32 (entries,): local times global weight, each row of length 1.

    The local weight is log2(tf + 1) for log-entropy, else tf. weights: from global_weights. A row stays 0 if all its
    words have weight 0. Raises ValueError for a word that is not in weights.
    """
    if bags.words.size and bags.words.max() >= weights.size:
        raise ValueError(f"word {bags.words.max()} is not among the {weights.size} that have a weight")
    values = np.empty(bags.words.size, np.float64)
    _fill_weighted(bags.ends, bags.words, bags.counts, weights, weighting == "log-entropy", values)
    return values.astype(np.float32)


@compiled
def _project(ends, words, values, first, block, sums):
    begin = 0
    for row in range(ends.size):
        for i in range(begin, ends[row]):
            word = words[i] - first
            if 0 <= word < block.shape[0]:
                value = np.float64(values[i])  # float() would leave it a float32
                for d in range(sums.shape[1]):
                    sums[row, d] += value * block[word, d]
        begin = ends[row]


def project(bags: Bags, values: np.ndarray, first: int, block: np.ndarray, sums: np.ndarray) -> None:
    """Add the product of documents' rows and a block of the word matrix to `sums`, float64 (rows, dimensions).

    block: float32 (words, dimensions), for the words from `first` on. All blocks, in order, give the same sums as the
    whole matrix. Raises ValueError if the shapes do not fit.
    """
    if block.ndim != 2 or sums.shape != (bags.ends.size, block.shape[1]) or values.size != bags.words.size:
        raise ValueError(f"sums {sums.shape} do not fit {bags.ends.size} rows and a block {block.shape}")
    _project(bags.ends, bags.words, values, first, block, sums)


def fold(
    starts: np.ndarray,
    ids: np.ndarray,
    weighting: str,
    weights: np.ndarray,
    inverse: np.ndarray,
    blocks: Iterable[tuple[int, np.ndarray]],
) -> np.ndarray:
    """The vectors of documents in the space of an SVD A = U S V', float32 (documents, dimensions).

    A document with the weighted row a has the vector (a V S ** p) / S. For a row of A, this is its own row of U S ** p.
    With p = 0 it is q' = S**-1 V' a' of Deerwester et al. 1990. starts: int64 (documents + 1,), where each document's
    words begin in ids (int32). weights: from global_weights. inverse: float64 (dimensions,), 1 / S. blocks: blocks of
    V S ** p, as for project.
    """
    count = np.ones(ids.size, np.int32)
    bags = sum_rows(np.arange(starts.size - 1), starts[:-1], starts[1:], ids, count, weights.size)
    values = weighted(bags, weighting, weights)
    sums = np.zeros((starts.size - 1, inverse.size))
    for first, block in blocks:
        project(bags, values, first, block, sums)
    return np.asarray(sums * inverse, np.float32)
