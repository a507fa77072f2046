import numpy as np
import pytest

from w2vspark.vectors.drift import neighbour_overlap


def unit_rows(rows: int, dimensions: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def neighbours(words: list[str], unit: np.ndarray, word: str, among: set[str], top: int) -> set[str]:
    """The nearest words, by plain Python."""
    own = unit[words.index(word)]
    cosines = {other: float(own @ unit[words.index(other)]) for other in among if other != word}
    return set(sorted(cosines, key=lambda other: -cosines[other])[:top])


def test_the_share_is_that_of_plain_python_among_the_words_that_both_have():
    words_a = [f"w{i}" for i in range(60)]
    words_b = [*words_a[40:10:-1], "new", *words_a[:5]]
    unit_a, unit_b = unit_rows(60, 8, 1), unit_rows(len(words_b), 5, 2)
    words, shares = neighbour_overlap(words_a, unit_a, words_b, unit_b, 12, 7)
    assert words == words_b[:12]
    common = set(words_a) & set(words_b)
    expected = [
        len(neighbours(words_a, unit_a, word, common, 7) & neighbours(words_b, unit_b, word, common, 7)) / 7
        for word in words
    ]
    assert shares.dtype == np.float64
    assert shares.tolist() == expected
    assert 0 < sum(expected) < 12, "the case must tell something"


def test_a_rotation_or_another_order_of_the_words_is_no_drift():
    unit = unit_rows(50, 6, 3)
    rotation = np.linalg.qr(np.random.default_rng(4).standard_normal((6, 6)))[0].astype(np.float32)
    order = np.random.default_rng(5).permutation(50)
    words = [f"w{i}" for i in range(50)]
    found, shares = neighbour_overlap(words, unit, [words[i] for i in order], (unit @ rotation)[order], 50, 10)
    assert found == [words[i] for i in order]
    assert shares.tolist() == [1.0] * 50


@pytest.mark.parametrize(("common", "words"), [(0, 0), (1, 0), (2, 2), (3, 3)])
def test_with_few_common_words_all_others_are_neighbours(common, words):
    ours = [f"w{i}" for i in range(common)] + ["a", "b"]
    theirs = [f"w{i}" for i in range(common)] + ["c"]
    found, shares = neighbour_overlap(ours, unit_rows(len(ours), 3, 6), theirs, unit_rows(len(theirs), 3, 7), 100, 10)
    assert found == ours[:words]
    assert shares.tolist() == [1.0] * words
