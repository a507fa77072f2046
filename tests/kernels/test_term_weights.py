"""Bags, weights and projections against plain Python."""

import math
from collections import Counter

import numpy as np
import pytest

from w2vspark.kernels.counts.term_weights import (
    Bags,
    Statistics,
    add_statistics,
    fold,
    global_weights,
    new_statistics,
    project,
    sum_rows,
    weighted,
)

WORDS = 300
RANDOM = np.random.default_rng(2)


def lists(count: int) -> list[list[int]]:
    return [(RANDOM.zipf(1.4, RANDOM.integers(0, 80)) % (WORDS + 1) - 1).tolist() for _ in range(count)]


def flat(found: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.cumsum([0, *map(len, found)])
    return starts, np.array([word for words in found for word in words], np.int32)


def test_lists_of_a_row_are_added_up_in_any_order_of_lists():
    found = lists(50)
    starts, ids = flat(found)
    order = RANDOM.permutation(50)
    rows = np.sort(RANDOM.integers(0, 12, 50))
    rows = np.unique(rows, return_inverse=True)[1]
    bags = sum_rows(rows, starts[order], starts[order + 1], ids, np.full(ids.size, 3, np.int32), WORDS)
    for row, (begin, end) in enumerate(zip([0, *bags.ends[:-1]], bags.ends, strict=True)):
        expected: Counter[int] = Counter()
        for at in order[rows == row]:
            expected.update(word for word in found[at] if word >= 0)
        assert bags.words[begin:end].tolist() == sorted(expected)
        assert bags.counts[begin:end].tolist() == [3 * expected[word] for word in sorted(expected)]


def test_a_projection_is_added_up_in_float64_and_blocks_change_no_bit():
    starts, ids = flat([[5, 3, 5], [], [200, 1], [9]])
    bags = sum_rows(np.arange(4), starts[:-1], starts[1:], ids, np.ones(ids.size, np.int32), WORDS)
    values = RANDOM.normal(size=bags.words.size).astype(np.float32)
    matrix = RANDOM.normal(size=(WORDS, 7)).astype(np.float32)
    expected = [[0.0] * 7 for _ in range(4)]
    for row, (begin, end) in enumerate(zip([0, *bags.ends[:-1]], bags.ends, strict=True)):
        for at in range(begin, end):
            for d in range(7):
                expected[row][d] += float(values[at]) * float(matrix[bags.words[at], d])
    for size in (WORDS, 4, 199):
        sums = np.zeros((4, 7))
        for first in range(0, WORDS, size):
            project(bags, values, first, matrix[first : first + size], sums)
        assert sums.tolist() == expected


def test_a_fold_is_the_product_by_its_formula():
    starts, ids = flat([[1, 1, 2], [2]])
    weights = np.array([9.0, 2.0, 0.5])
    matrix = np.array([[0, 0], [3, 1], [-1, 4]], np.float32)
    found = fold(starts, ids, "tf", weights, np.array([0.5, 0.0]), [(0, matrix)])
    row = np.array([2 * 2.0, 0.5]) / math.hypot(4.0, 0.5)
    assert found == pytest.approx(np.array([[(row @ [3, -1]) * 0.5, 0], [-0.5, 0]]), rel=1e-6)


def test_words_that_stand_nowhere_or_everywhere_alike_weigh_nothing():
    statistics = new_statistics(3)
    add_statistics(Bags(np.array([1, 3]), np.array([0, 0, 2], np.int32), np.array([4, 4, 1], np.float32)), statistics)
    assert [column.tolist()[:2] for column in statistics[:2]] == [[2, 0], [8, 0]]
    for weighting in ("tf-idf", "log-entropy"):
        weights = global_weights(weighting, statistics, 2)
        assert weights[:2].tolist() == [0, 0] and weights[2] == pytest.approx(1)
    bags = Bags(np.array([1]), np.array([0], np.int32), np.array([4], np.float32))
    assert weighted(bags, "tf-idf", np.zeros(3)).tolist() == [0]


def test_other_input_is_refused():
    one = np.ones(1, np.int32)
    with pytest.raises(ValueError, match="rows must begin at 0"):
        sum_rows(np.array([0, 2]), np.zeros(2, int), np.zeros(2, int), one, one, WORDS)
    with pytest.raises(ValueError, match="lists reach from 0 to 2"):
        sum_rows(np.array([0]), np.array([0]), np.array([2]), one, one, WORDS)
    with pytest.raises(ValueError, match="must be below 1, not 1"):
        sum_rows(np.array([0]), np.array([0]), np.array([1]), one, one, 1)
    bags = Bags(np.array([1]), np.array([7], np.int32), np.ones(1, np.float32))
    for call in (lambda: add_statistics(bags, new_statistics(7)), lambda: weighted(bags, "tf", np.ones(7))):
        with pytest.raises(ValueError, match="word 7 is not among"):
            call()
    with pytest.raises(ValueError, match="two documents or more, not 1"):
        global_weights("tf", new_statistics(1), 1)
    with pytest.raises(ValueError, match="not 'bm25'"):
        global_weights("bm25", Statistics(np.ones(1, int), np.ones(1, int), np.zeros(1)), 2)
    with pytest.raises(ValueError, match="do not fit 1 rows"):
        project(bags, np.ones(1, np.float32), 0, np.ones((8, 2), np.float32), np.zeros((2, 2)))
