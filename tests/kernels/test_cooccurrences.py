from collections import defaultdict
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from w2vspark.kernels.counts.cooccurrences import (
    EXACT_WINDOW,
    Rows,
    count_rows,
    distance_weights,
    index_words,
    merge_rows,
    row_sums,
    separated,
    subsampled,
)
from w2vspark.kernels.counts.sparse_sums import add_to, drain, new_sums
from w2vspark.kernels.random import fill_streams

WEIGHTS = {
    "uniform": lambda d, window: Fraction(1),
    "harmonic": lambda d, window: Fraction(1, d),
    "linear": lambda d, window: Fraction(window - d + 1, window),
}
SIDES = {"symmetric": (True, True), "left": (True, False), "right": (False, True)}


def counted_by_hand(pieces: list[list[int]], window: int, weighting: str, sides: tuple[bool, bool]):
    """{row: {column: weight}}, a window at a time; -1 ends a sentence."""
    counts: dict[int, dict[int, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for piece in pieces:
        sentences = [[]]
        for word in piece:
            sentences[-1].append(word) if word >= 0 else sentences.append([])
        for sentence in sentences:
            for i, centre in enumerate(sentence):
                for j, context in enumerate(sentence):
                    wanted = sides[0] if j < i else sides[1]
                    if i != j and abs(i - j) <= window and wanted:
                        counts[centre][context] += WEIGHTS[weighting](abs(i - j), window)
    return counts


def flat(pieces: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.concatenate([[0], np.cumsum([len(piece) for piece in pieces])]).astype(np.int64)
    return np.array([word for piece in pieces for word in piece], np.int32), starts


def entries(rows: Rows, first: int, unit: int):
    found = defaultdict(dict)
    begin = 0
    for i, end in enumerate(rows.ends.tolist()):
        columns = rows.columns[begin:end].tolist()
        assert columns == sorted(set(columns)), "the columns of a row rise"
        for column, value in zip(columns, rows.values[begin:end].tolist(), strict=True):
            found[first + i][column] = Fraction(value) / unit if isinstance(value, int) else value
        begin = end
    return {row: columns for row, columns in found.items()}


def random_pieces(seed: int, vocabulary: int, pieces: int) -> list[list[int]]:
    random = np.random.default_rng(seed)
    return [
        (random.zipf(1.3, random.integers(0, 60)) % (vocabulary + 1) - 1).tolist() for _ in range(pieces)
    ]  # -1 ends a sentence, also at the ends of a piece and twice in a row


@pytest.mark.parametrize("direction", SIDES)
@pytest.mark.parametrize("weighting", WEIGHTS)
@pytest.mark.parametrize("window", [1, 3, 10])
def test_counts_are_those_of_plain_python(weighting, window, direction):
    pieces = random_pieces(window, 90, 30)
    text = separated(*flat(pieces))
    weights, unit = distance_weights(weighting, window)
    expected = counted_by_hand(pieces, window, weighting, SIDES[direction])
    sums = new_sums(90, weights.dtype)
    found = {}
    for first, last in ((0, 1), (1, 40), (40, 40), (40, 90)):
        index = index_words(text, first, last)
        found |= entries(count_rows(index, first, last, weights, *SIDES[direction], sums), first, unit)
    assert found == expected  # as fractions: every sum is exact


def test_a_wide_harmonic_window_is_counted_in_float64():
    window = EXACT_WINDOW + 5
    pieces = random_pieces(5, 30, 20)
    text = separated(*flat(pieces))
    weights, unit = distance_weights("harmonic", window)
    assert weights.dtype == np.float64 and unit == 1
    expected = counted_by_hand(pieces, window, "harmonic", (True, True))
    sums = new_sums(30, weights.dtype)
    found = entries(count_rows(index_words(text, 0, 30), 0, 30, weights, True, True, sums), 0, unit)
    assert found.keys() == expected.keys()
    for row, columns in expected.items():
        assert found[row] == pytest.approx({column: float(value) for column, value in columns.items()}, rel=1e-12)


@pytest.mark.parametrize("window", [*range(1, EXACT_WINDOW + 1)])
@pytest.mark.parametrize("weighting", WEIGHTS)
def test_weights_are_whole_numbers_of_their_unit(weighting, window):
    weights, unit = distance_weights(weighting, window)
    assert weights.dtype == np.int64
    assert [Fraction(w, unit) for w in weights[1:].tolist()] == [
        WEIGHTS[weighting](d, window) for d in range(1, window + 1)
    ]


def test_an_unknown_weighting_is_refused():
    with pytest.raises(KeyError, match="quadratic"):
        distance_weights("quadratic", 3)


def test_merged_parts_are_the_counts_of_the_whole_text():
    pieces = random_pieces(3, 5000, 60)
    weights, _ = distance_weights("harmonic", 5)
    sums = new_sums(5000, weights.dtype)

    def count(some):
        text = separated(*flat(some))
        return count_rows(index_words(text, 10, 5000), 10, 5000, weights, True, True, sums)

    whole = count(pieces)
    for cuts in ([0, 60], [0, 7, 60], [0, 1, 1, 30, 59, 60]):
        parts = [count(pieces[a:b]) for a, b in pairwise(cuts)]
        for got, expected in zip(merge_rows(parts, sums), whole, strict=True):
            assert got.dtype == expected.dtype and np.array_equal(got, expected)


def test_a_word_without_neighbours_has_an_empty_row():
    text = separated(*flat([[0], [1, -1, 2], [3, 4]]))
    weights, _ = distance_weights("uniform", 2)
    rows = count_rows(index_words(text, 0, 6), 0, 6, weights, True, True, new_sums(6, weights.dtype))
    assert rows.ends.tolist() == [0, 0, 0, 1, 2, 2] and rows.columns.tolist() == [4, 3]


def test_a_very_long_document_is_counted_from_end_to_end():
    random = np.random.default_rng(6)
    ids = random.integers(0, 50, 300_000).astype(np.int32)
    expected = np.zeros((50, 50), np.int64)
    for d in range(1, 6):
        np.add.at(expected, (ids[d:], ids[:-d]), 1)
        np.add.at(expected, (ids[:-d], ids[d:]), 1)
    text = separated(ids, np.array([0, ids.size]))
    weights, _ = distance_weights("uniform", 5)
    rows = count_rows(index_words(text, 0, 50), 0, 50, weights, True, True, new_sums(50, weights.dtype))
    found = np.zeros((50, 50), np.int64)
    found[np.repeat(np.arange(50), np.diff(rows.ends, prepend=0)), rows.columns] = rows.values
    assert np.array_equal(found, expected)
    assert row_sums(rows).tolist() == expected.sum(axis=1).tolist()


def test_an_empty_text_has_no_counts():
    text = separated(np.empty(0, np.int32), np.zeros(1, np.int64))
    weights, _ = distance_weights("uniform", 2)
    rows = count_rows(index_words(text, 0, 3), 0, 3, weights, True, True, new_sums(3, weights.dtype))
    assert rows.ends.tolist() == [0, 0, 0] and rows.columns.size == 0


def test_sums_list_their_columns_in_order_and_are_empty_again():
    random = np.random.default_rng(1)
    for size in (1, 63, 64, 65, 4096, 4097, 300_000):
        sums = new_sums(size, np.dtype(np.int64))
        for _ in range(2):
            met = np.unique(random.integers(0, size, 50))
            for column in random.permutation(np.concatenate([met, met])):
                add_to(sums, column, column + 1)
            columns, values = np.full(met.size + 1, -1, np.int32), np.full(met.size + 1, -1, np.int64)
            assert drain(sums, 0, columns, values) == met.size
            assert np.array_equal(columns[:-1], met) and np.array_equal(values[:-1], 2 * (met + 1))
            assert columns[-1] == values[-1] == -1 and not any(part.any() for part in sums)


def test_subsampling_keeps_what_training_would_keep_and_the_ends_of_sentences():
    pieces = random_pieces(8, 6, 40)
    ids, starts = flat(pieces)
    counts = np.bincount(ids[ids >= 0], minlength=6)
    streams = np.empty(40, np.uint64)
    fill_streams(1, 0, np.arange(40), np.zeros(40, np.int64), streams)
    same, same_starts = subsampled(ids, starts, streams, counts, 0.0)
    assert np.array_equal(same_starts[[0, -1]], [0, same.size])
    assert np.array_equal(same[same >= 0], ids[ids >= 0])
    kept, kept_starts = subsampled(ids, starts, streams, counts, 0.01)
    assert kept_starts.size == starts.size and 0 < kept.size < same.size
    shares = np.bincount(kept[kept >= 0], minlength=6) / counts
    assert shares[0] < 0.5 and shares[0] < shares[counts > 0].max()
    again, _ = subsampled(ids, starts, streams, counts, 0.01)
    assert np.array_equal(kept, again)
    for p in range(40):  # a piece keeps words in their order, and its sentences' ends
        whole, part = pieces[p], kept[kept_starts[p] : kept_starts[p + 1]].tolist()
        rest = iter(whole)
        assert all(word in rest for word in part)
        assert part.count(-1) in (whole.count(-1), whole.count(-1) - 1)  # one at the very end says nothing


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": -1}, "not in the index"),
        ({"last": 4}, "not in the index"),
        ({"sums": new_sums(2, np.dtype(np.int64))}, "word 2 is not among the 2 columns"),
        ({"weights": np.ones(3)}, "weights are float64"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    text = separated(*flat([[0, 1, 2]]))
    weights, _ = distance_weights("uniform", 2)
    arguments = {"index": index_words(text, 0, 3), "first": 0, "last": 3, "weights": weights}
    arguments |= {"left": True, "right": True, "sums": new_sums(3, np.dtype(np.int64))}
    assert count_rows(**arguments).columns.size == 6
    with pytest.raises(ValueError, match=message):
        count_rows(**(arguments | change))


@pytest.mark.parametrize("text", [np.array([0, 1, -1], np.int32), np.array([-1, 1], np.int32), np.array([-1, 1, -1])])
def test_a_text_without_its_ends_or_of_another_type_has_no_index(text):
    with pytest.raises(ValueError, match=r"int32, begin and end with -1"):
        index_words(text, 0, 2)


def test_pieces_are_one_text_with_ends_between_them_empty_ones_too():
    text = separated(*flat([[], [3, -1, 4], [], [], [5], []]))
    assert text.dtype == np.int32 and text.tolist() == [-1, -1, 3, -1, 4, -1, -1, -1, 5, -1, -1]


def test_sums_that_int64_might_not_hold_are_float64():
    exact, unit = distance_weights("harmonic", EXACT_WINDOW)
    most = (1 << 63) // (2 * int(exact.sum()))  # places of one word among nothing but itself
    assert most > 5e9
    assert distance_weights("harmonic", EXACT_WINDOW, most - 1)[0].dtype == np.int64
    wide, one = distance_weights("harmonic", EXACT_WINDOW, most + 1)
    assert wide.dtype == np.float64 and one == 1 and wide.tolist() == (exact / unit).tolist()


def test_parts_that_do_not_fit_each_other_are_refused():
    part = Rows(np.array([1]), np.array([0], np.int32), np.array([1]))
    sums = new_sums(3, np.dtype(np.int64))
    with pytest.raises(ValueError, match="same rows"):
        merge_rows([part, Rows(np.array([0, 1]), part.columns, part.values)], sums)
    with pytest.raises(ValueError, match="same rows and type"):
        merge_rows([part, Rows(part.ends, part.columns, np.array([1.0]))], sums)
    with pytest.raises(ValueError, match="not among 3"):
        merge_rows([Rows(part.ends, np.array([3], np.int32), part.values)], sums)
