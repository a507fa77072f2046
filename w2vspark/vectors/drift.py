"""Drift between two versions: which nearest neighbours are the same, and how far words moved."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vspark.vectors.nearest import nearest_rows

DRIFT_WORDS, NEIGHBOURS = 1000, 10  # frequent words whose neighbours are compared, and how many of each
FREQUENT_WORDS = 30_000  # of each version, among which the neighbours are


def neighbour_overlap(
    words_a: Sequence[str],
    unit_a: NDArray[np.float32],
    words_b: Sequence[str],
    unit_b: NDArray[np.float32],
    asked: int,
    top: int,
) -> tuple[list[str], NDArray[np.float64]]:
    """The share of the nearest neighbours that two versions have in common, for each of some frequent words.

    words_a, words_b: the words of the rows, the most frequent first. unit_a: float32 (A, D), unit_b: float32 (B, E),
    rows of length 1 or 0, as WordVectors.unit. D and E may differ. Only words that both have are compared, and only
    they are neighbours, so a word that is new in b changes nothing.

    Returns the first `asked` words of b that a has too, and for each of them, float64: the number of its `top` nearest
    neighbours in b that are among its `top` nearest in a, divided by `top`. With no more than `top` common words,
    all others are neighbours, and their number is the divisor. With fewer than two common words, there are no
    neighbours, and both results are empty.
    """
    row_a = {word: row for row, word in enumerate(words_a)}
    rows_b = np.array([row for row, word in enumerate(words_b) if word in row_a], np.int64)
    common = [words_b[row] for row in rows_b]
    top = min(top, len(common) - 1)
    if top < 1:
        return [], np.empty(0)
    rows_a = np.array([row_a[word] for word in common], np.int64)
    compared = np.arange(min(asked, len(common)))
    of_a, of_b = (nearest_rows(unit[rows], compared, top)[0] for unit, rows in ((unit_a, rows_a), (unit_b, rows_b)))
    both = np.sort(np.concatenate([of_a, of_b], axis=1), axis=1)  # a neighbour of both stands there twice
    return common[: len(compared)], np.count_nonzero(both[:, 1:] == both[:, :-1], axis=1) / top


def procrustes(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation R with the smallest |old R - new| (orthogonal Procrustes, Schönemann 1966).

    products: float64 (D, E), old^T new. R: float64 (D, E); if D and E differ, its rows or columns are orthogonal.
    """
    left, _, right = np.linalg.svd(products, full_matrices=False)
    matrix: NDArray[np.float64] = left @ right
    return matrix


def row_cosines(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosines of rows of the same number, float64 (rows,); 0 if a row is zero."""
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found: NDArray[np.float64] = np.einsum("ij,ij->i", left, right) / np.where(norms > 0, norms, 1.0)
    return found


class Moved(NamedTuple):
    """A word of two versions: how far it moved, and how many of its neighbours stayed."""

    word: str
    cosine: float  # between its rotated old vector and its new one
    shared_neighbours: float  # a share


def moved(
    words_a: Sequence[str],
    unit_a: NDArray[np.float32],
    words_b: Sequence[str],
    unit_b: NDArray[np.float32],
    asked: int,
    top: int,
) -> list[Moved]:
    """How far some frequent words moved from version a to version b, the farthest first.

    The arguments are those of neighbour_overlap. The rotation brings all common words as close as possible, each with a
    vector of length 1.
    """
    words, shares = neighbour_overlap(words_a, unit_a, words_b, unit_b, asked, top)
    row_a, row_b = ({word: row for row, word in enumerate(every)} for every in (words_a, words_b))
    common = [word for word in words_b if word in row_a]
    old = unit_a[[row_a[word] for word in common]].astype(np.float64)
    new = unit_b[[row_b[word] for word in common]].astype(np.float64)
    cosines = row_cosines(old @ procrustes(old.T @ new), new)  # the words asked about come first
    found = map(Moved, words, cosines.tolist(), shares.tolist())
    return sorted(found, key=lambda one: one.cosine)
