"""Drift between two versions: which of the frequent words' nearest neighbours are still the same."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from w2vspark.vectors.nearest import nearest_rows


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
