import numpy as np
import pytest

from w2vspark.vectors import WordVectors, similar
from w2vspark.vectors import nearest as module
from w2vspark.vectors.nearest import nearest_rows


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(module, "QUESTIONS", 7)
    monkeypatch.setattr(module, "ROWS", 13)


def units(rng: np.random.Generator, rows: int) -> np.ndarray:
    vectors = rng.normal(size=(rows, 5)).astype(np.float32)
    vectors[rng.integers(rows, size=3)] = 0
    return WordVectors([], np.empty(0, np.int64), vectors).unit


@pytest.mark.parametrize("top", [1, 4, 20])
def test_the_nearest_rows_are_those_of_similar(top):
    unit = units(np.random.default_rng(5), 100)
    vectors = WordVectors([str(row) for row in range(100)], np.ones(100, np.int64), unit)
    found, cosines = nearest_rows(unit, np.array([0, 99, 13, 50, *range(20, 40)]), top)
    for row, near, values in zip([0, 99, 13, 50, *range(20, 40)], found.tolist(), cosines.tolist(), strict=True):
        expected = similar(vectors, str(row), top)
        assert values == pytest.approx([score for _, score in expected], abs=1e-6)
        # Zero rows tie exactly; other cosines differ by more than a rounding.
        assert {str(one) for one in near} == {word for word, _ in expected}


def test_of_equal_cosines_the_lower_row_wins():
    unit = np.tile(np.array([[1, 0], [0, 1]], np.float32), (40, 1))
    found, cosines = nearest_rows(unit, np.array([0, 41]), 45)
    evens, odds = list(range(0, 80, 2)), list(range(1, 80, 2))
    assert found[0].tolist() == [*evens[1:], *odds[:6]]
    assert found[1].tolist() == [*(row for row in odds if row != 41), *evens[:6]]
    assert cosines[0].tolist() == [1.0] * 39 + [0.0] * 6


def test_a_small_vocabulary_gives_fewer_neighbours():
    found, cosines = nearest_rows(np.eye(3, dtype=np.float32), np.array([1]), 10)
    assert found.tolist() == [[0, 2]] and cosines.shape == (1, 2)
    assert nearest_rows(np.eye(3, dtype=np.float32), np.array([], np.int64), 10)[0].shape == (0, 2)
