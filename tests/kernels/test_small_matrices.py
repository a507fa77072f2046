"""Cholesky, eigenvalues and sums of products against NumPy's."""

import numpy as np
import pytest

from w2vspark.kernels.algebra.small_matrices import add_gram, add_peaks, eigenvalues, multiply, orthonormalizer


def decaying(size: int, columns: int, ratio: float, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(size, columns)) * np.geomspace(1, ratio, columns)


def test_the_transform_of_a_gram_matrix_makes_columns_orthonormal():
    rows = decaying(200, 40, 1e-4)
    transform = orthonormalizer(rows.T @ rows, 1e-12)
    assert transform.shape == (40, 40)
    np.testing.assert_allclose((rows @ transform).T @ (rows @ transform), np.eye(40), atol=1e-6)


@pytest.mark.parametrize("rank", [0, 1, 7])
def test_directions_that_are_not_there_are_left_out(rank):
    rows = np.random.default_rng(1).normal(size=(100, rank)) @ np.random.default_rng(2).normal(size=(rank, 12))
    transform = orthonormalizer(rows.T @ rows, 1e-12)
    assert transform.shape == (12, rank)
    np.testing.assert_allclose((rows @ transform).T @ (rows @ transform), np.eye(rank), atol=1e-10)
    kept = rows @ transform
    np.testing.assert_allclose(kept @ (kept.T @ rows), rows, atol=1e-9)  # they span all that is there


@pytest.mark.parametrize("size", [1, 2, 33])
def test_eigenvalues_are_numpys_and_fall(size):
    rows = decaying(60, size, 1e-3)
    matrix = rows.T @ rows
    values, vectors = eigenvalues(matrix)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(matrix)[::-1], rtol=1e-10)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-12)
    np.testing.assert_allclose(matrix @ vectors, vectors * values, atol=1e-12 * values[0])


def test_equal_and_zero_eigenvalues_have_orthonormal_vectors():
    for matrix in (np.eye(5), np.zeros((4, 4)), np.ones((6, 6)), np.diag([3.0, 3.0, 0.0])):
        values, vectors = eigenvalues(matrix)
        np.testing.assert_allclose(vectors * values @ vectors.T, matrix, atol=1e-14)
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(matrix)), atol=1e-14)


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 50])
def test_sums_of_products_and_transforms_are_numpys(rows):
    draw = np.random.default_rng(9)
    left, right = draw.normal(size=(rows, 7)).astype(np.float32), draw.normal(size=(rows, 9)).astype(np.float32)
    sums, gram = np.ones((7, 9)), np.ones((9, 9))
    add_gram(left, right, False, sums)
    add_gram(right, right, True, gram)
    np.testing.assert_allclose(sums, 1 + left.T.astype(float) @ right, rtol=1e-12)
    np.testing.assert_allclose(gram, 1 + right.T.astype(float) @ right, rtol=1e-12)
    transform, out = draw.normal(size=(9, 4)), np.zeros((rows, 6), np.float32)
    multiply(right, transform, out)
    np.testing.assert_allclose(out[:, :4], right.astype(float) @ transform, rtol=1e-6, atol=1e-6)
    assert not out[:, 4:].any()


def test_peaks_are_the_values_farthest_from_0_in_the_lowest_row():
    peaks, places = np.zeros(3), np.zeros(3, np.int64)
    add_peaks(10, np.array([[1.0, -2.0, 0.0], [-3.0, 2.0, 0.0]]), peaks, places)
    add_peaks(12, np.array([[3.0, 1.0, 0.0]]), peaks, places)
    assert peaks.tolist() == [-3.0, -2.0, 0.0] and places.tolist() == [11, 10, 0]
