"""Products of sparse rows with a tall dense matrix, row by row, for the passes of the randomised SVD.

Dense rows are float32, padded with zeros to whole chunks of eight floats. A row's product is summed in the order of its
entries, in groups of four, and each float is summed separately. So the bits depend neither on the CPU target nor on how
the columns of the dense matrix are cut into slices.
"""

import numpy as np
from numba import int64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.simd import pointer_to, prefetch_row

AHEAD = 4  # prefetch the row of sums for the entry that comes 4 later


@compiled
def _gather(columns, values, first, last, dense, chunks, out):
    """out = the sum of value * dense row over a row's entries, four at a time; out and dense are pointers."""
    stride = chunks * SIMD_WIDTH
    for d in range(stride):
        out[d] = np.float32(0.0)
    whole = first + (last - first) // 4 * 4
    for e in range(first, whole, 4):
        for following in range(e + 4, min(e + 8, last)):
            prefetch_row(dense, int64(columns[following]) * stride, chunks)
        v0, v1, v2, v3 = values[e], values[e + 1], values[e + 2], values[e + 3]
        at0, at1 = int64(columns[e]) * stride, int64(columns[e + 1]) * stride
        at2, at3 = int64(columns[e + 2]) * stride, int64(columns[e + 3]) * stride
        for d in range(stride):
            out[d] += (v0 * dense[at0 + d] + v1 * dense[at1 + d]) + (v2 * dense[at2 + d] + v3 * dense[at3 + d])
    for e in range(whole, last):
        value = values[e]
        at = int64(columns[e]) * stride
        for d in range(stride):
            out[d] += value * dense[at + d]


@compiled
def _scatter(columns, values, first, last, row, chunks, sums):
    """For each entry of a row: the sums of its column += value * row. row and sums are pointers."""
    stride = chunks * SIMD_WIDTH
    for e in range(first, last):
        if e + AHEAD < last:
            prefetch_row(sums, int64(columns[e + AHEAD]) * stride, chunks)
        value = values[e]
        at = int64(columns[e]) * stride
        for d in range(stride):
            sums[at + d] += value * row[d]


@compiled
def _add_products(ends, columns, values, dense, sums):
    chunks = dense.shape[1] // SIMD_WIDTH
    product = np.empty(dense.shape[1], np.float32)
    first = 0
    for i in range(ends.size):
        _gather(columns, values, first, ends[i], pointer_to(dense), chunks, pointer_to(product))
        _scatter(columns, values, first, ends[i], pointer_to(product), chunks, pointer_to(sums))
        first = ends[i]


@compiled
def _fill_products(ends, columns, values, dense, out):
    product = np.empty(dense.shape[1], np.float32)
    first = 0
    for i in range(ends.size):
        _gather(columns, values, first, ends[i], pointer_to(dense), dense.shape[1] // SIMD_WIDTH, pointer_to(product))
        for d in range(out.shape[1]):
            out[i, d] = product[d]
        first = ends[i]


def add_products(
    ends: np.ndarray, columns: np.ndarray, values: np.ndarray, dense: np.ndarray, sums: np.ndarray
) -> None:
    """sums += A^T (A dense), for the rows of A.

    ends: int64 (rows,), where each row's entries end; columns: int32; values: float32. dense and sums: float32
    (columns of A, stride), with a stride of whole chunks (see rows.aligned_rows). Raises ValueError if a column is not
    a row of dense, or the shapes do not fit.
    """
    _check(ends, columns, values, dense)
    if sums.shape != dense.shape or sums.dtype != np.float32 or not sums.flags.c_contiguous:
        raise ValueError(f"sums must be float32 {dense.shape}, not {sums.dtype} {sums.shape}")
    _add_products(ends, columns, values, dense, sums)


def fill_products(
    ends: np.ndarray, columns: np.ndarray, values: np.ndarray, dense: np.ndarray, out: np.ndarray
) -> None:
    """out = A dense, for the first m columns of dense. out: float32 (rows, m). The rest is as for add_products."""
    _check(ends, columns, values, dense)
    if out.shape[0] != ends.size or out.shape[1] > dense.shape[1] or out.dtype != np.float32:
        raise ValueError(
            f"out must be float32 with {ends.size} rows and at most {dense.shape[1]} columns, "
            f"not {out.dtype} {out.shape}"
        )
    _fill_products(ends, columns, values, dense, out)


def folding_rows(right: np.ndarray, singular_values: np.ndarray) -> np.ndarray:
    """The matrix that turns sparse rows into rows of LEFT: V S**(p - 1), float32 (n, k), from RIGHT = V S**p.

    right: float32 (n, k); singular_values: float64 (k,). A row of the decomposed matrix times this (fill_products) is
    its row of LEFT, U S**p, to the bit. The same is true for a new row that is made in the same way.
    """
    return (right * (1.0 / np.asarray(singular_values, np.float64))).astype(np.float32)


def _check(ends: np.ndarray, columns: np.ndarray, values: np.ndarray, dense: np.ndarray) -> None:
    if ends.dtype != np.int64 or columns.dtype != np.int32 or values.dtype != np.float32:
        raise ValueError(f"expected int64, int32 and float32, got {ends.dtype}, {columns.dtype} and {values.dtype}")
    if dense.dtype != np.float32 or not dense.flags.c_contiguous or dense.shape[1] % SIMD_WIDTH:
        raise ValueError(f"the dense matrix must be float32 rows of whole chunks, not {dense.dtype} {dense.shape}")
    entries = int(ends[-1]) if ends.size else 0
    if columns.size != values.size or entries > columns.size:
        raise ValueError(f"{entries} entries, but {columns.size} columns and {values.size} values")
    if entries and not (0 <= columns.min() and columns.max() < len(dense)):
        raise ValueError(f"columns must lie in 0..{len(dense) - 1}, got {columns.min()}..{columns.max()}")
