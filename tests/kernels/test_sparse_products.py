"""Products of sparse rows against scipy's."""

import numpy as np
import pytest
from scipy import sparse

from w2vspark.kernels.algebra.sparse_products import add_products, fill_products, folding_rows
from w2vspark.kernels.rows import aligned_rows, stride_of


def parts_of(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return matrix.indptr[1:].astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32)


def dense_rows(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    found = aligned_rows(rows, stride_of(columns))
    found[:, :columns] = np.random.default_rng(seed).normal(size=(rows, columns))
    return found


@pytest.mark.parametrize("columns", [1, 8, 21, 120])
def test_products_are_scipys(columns):
    matrix = sparse.random(90, 50, 0.1, "csr", random_state=7)
    matrix[3] = 0  # empty rows, in the middle and at the end
    matrix[-1] = 0
    matrix.eliminate_zeros()
    dense, sums = dense_rows(50, columns), dense_rows(50, columns, 1)
    expected = sums + matrix.T @ (matrix @ dense)
    add_products(*parts_of(matrix), dense, sums)
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-5)
    out = np.full((90, columns), 5, np.float32)
    fill_products(*parts_of(matrix), dense, out)
    np.testing.assert_allclose(out, matrix @ dense[:, :columns], rtol=1e-4, atol=1e-5)


def test_a_cut_of_the_dense_columns_changes_no_bit():
    matrix = sparse.random(80, 60, 0.2, "csr", random_state=3)
    dense = dense_rows(60, 40)
    whole = np.zeros_like(dense)
    add_products(*parts_of(matrix), dense, whole)
    for begin, end in ((0, 16), (16, 40)):
        part = aligned_rows(60, end - begin)
        add_products(*parts_of(matrix), np.ascontiguousarray(dense[:, begin:end]), part)
        assert part.tobytes() == whole[:, begin:end].tobytes()


def test_what_rows_are_folded_with_is_v_by_powers_of_singular_values():
    vectors, values = np.random.default_rng(2).normal(size=(30, 4)), np.array([9.0, 4.0, 2.0, 0.5])
    folding = folding_rows((vectors * values**0.5).astype(np.float32), values)
    assert folding.dtype == np.float32
    np.testing.assert_allclose(folding, vectors * values**-0.5, rtol=1e-6)


@pytest.mark.parametrize("column", [-1, 50])
def test_a_column_that_is_not_there_is_refused(column):
    one = np.array([1], np.int64), np.array([column], np.int32), np.ones(1, np.float32)
    with pytest.raises(ValueError, match="columns must lie in"):
        add_products(*one, dense_rows(50, 8), dense_rows(50, 8))


def test_other_types_and_shapes_are_refused():
    ends, columns, values = np.array([1], np.int64), np.array([0], np.int32), np.ones(1, np.float32)
    dense = dense_rows(50, 8)
    with pytest.raises(ValueError, match="float64"):
        add_products(ends, columns, values.astype(float), dense, dense)
    with pytest.raises(ValueError, match="whole chunks"):
        add_products(ends, columns, values, dense[:, :5], dense)
    with pytest.raises(ValueError, match="entries"):
        add_products(np.array([2], np.int64), columns, values, dense, dense)
    with pytest.raises(ValueError, match="sums must be"):
        add_products(ends, columns, values, dense, dense[:10])
