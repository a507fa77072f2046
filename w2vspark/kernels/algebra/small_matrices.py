"""Small dense matrices in plain float64 loops, with the same bits everywhere: Gram sums, Cholesky, eigenvalues.

LAPACK would be faster, but its bits differ between machines. Matrices here have some hundred rows.
"""

import numpy as np

from w2vspark.kernels.compiled import compiled

SWEEPS = 60  # at most, in Jacobi's method; some ten are enough


@compiled
def add_gram(left: np.ndarray, right: np.ndarray, symmetric: bool, sums: np.ndarray) -> None:
    """sums (float64, m x n) += left^T right; left float32 (rows, m), right float32 (rows, n).

    Rows are added in groups of four, and zeros fill the last group. symmetric: right is left, so only half of the sums
    are computed.
    """
    rows, columns = right.shape
    four = np.empty((4, columns), np.float64)
    for first in range(0, rows, 4):
        count = min(4, rows - first)
        four[:] = 0.0
        for r in range(count):
            for b in range(columns):
                four[r, b] = right[first + r, b]
        for a in range(left.shape[1]):
            x0 = np.float64(left[first, a])
            x1 = np.float64(left[first + 1, a]) if count > 1 else 0.0
            x2 = np.float64(left[first + 2, a]) if count > 2 else 0.0
            x3 = np.float64(left[first + 3, a]) if count > 3 else 0.0
            for b in range(a if symmetric else 0, columns):
                sums[a, b] += (x0 * four[0, b] + x1 * four[1, b]) + (x2 * four[2, b] + x3 * four[3, b])
    if symmetric:
        for a in range(columns):
            for b in range(a):
                sums[a, b] = sums[b, a]


@compiled
def multiply(rows: np.ndarray, transform: np.ndarray, out: np.ndarray) -> None:
    """out[:, :m] = rows @ transform. rows: float32 or float64 (n, k); transform: float64 (k, m). Sums are float64."""
    inner, columns = transform.shape
    whole = inner // 4 * 4
    sums = np.empty(columns, np.float64)
    for i in range(rows.shape[0]):
        sums[:] = 0.0
        for a in range(0, whole, 4):
            x0, x1 = np.float64(rows[i, a]), np.float64(rows[i, a + 1])
            x2, x3 = np.float64(rows[i, a + 2]), np.float64(rows[i, a + 3])
            for b in range(columns):
                sums[b] += (x0 * transform[a, b] + x1 * transform[a + 1, b]) + (
                    x2 * transform[a + 2, b] + x3 * transform[a + 3, b]
                )
        for a in range(whole, inner):
            x0 = np.float64(rows[i, a])
            for b in range(columns):
                sums[b] += x0 * transform[a, b]
        for b in range(columns):
            out[i, b] = sums[b]


@compiled
def _fill_orthonormalizer(gram, tolerance, transform):
    """Fill columns of transform, from 0 on; returns their number. Overwrites gram with its Schur complements."""
    size = gram.shape[0]
    factor = np.zeros((size, size))  # L, with the rows in gram's order and a column for each step
    order = np.empty(size, np.int64)
    free = np.ones(size, np.bool_)
    largest = 0.0
    for i in range(size):
        largest = max(largest, gram[i, i])
    rank = 0
    while rank < size:
        pivot = -1
        for i in range(size):
            if free[i] and (pivot < 0 or gram[i, i] > gram[pivot, pivot]):
                pivot = i
        if not gram[pivot, pivot] > tolerance * largest:
            break
        free[pivot] = False
        order[rank] = pivot
        root = np.sqrt(gram[pivot, pivot])
        factor[pivot, rank] = root
        for i in range(size):
            if free[i]:
                factor[i, rank] = gram[i, pivot] / root
        for i in range(size):
            if free[i]:
                for j in range(size):
                    if free[j]:
                        gram[i, j] -= factor[i, rank] * factor[j, rank]
        rank += 1
    # Column c of the inverse of L^T, with the rows in gram's order.
    for c in range(rank):
        transform[order[c], c] = 1.0 / factor[order[c], c]
        for i in range(c - 1, -1, -1):
            total = 0.0
            for j in range(i + 1, c + 1):
                total += factor[order[j], i] * transform[order[j], c]
            transform[order[i], c] = -total / factor[order[i], i]
    return rank


def orthonormalizer(gram: np.ndarray, tolerance: float) -> np.ndarray:
    """T, float64 (n, rank), with T^T gram T = identity. If gram = Y^T Y, then Y T has orthonormal columns.

    Cholesky's method with the largest pivot first. It stops when the squared rest of every column is at most
    `tolerance` times the largest squared column. So it leaves out directions that are lost in rounding.
    gram: float64 (n, n), symmetric.
    """
    transform = np.zeros(gram.shape)
    rank = _fill_orthonormalizer(gram.copy(), tolerance, transform)
    return np.ascontiguousarray(transform[:, :rank])


@compiled
def _rotate(matrix, vectors):
    """Jacobi's method, in cyclic order: matrix becomes diagonal, and the rows of vectors become its eigenvectors."""
    size = matrix.shape[0]
    for _ in range(SWEEPS):
        changed = False
        for p in range(size - 1):
            for q in range(p + 1, size):
                off = matrix[p, q]
                if abs(off) <= 1e-17 * np.sqrt(abs(matrix[p, p] * matrix[q, q])) or off == 0.0:
                    continue
                changed = True
                theta = (matrix[q, q] - matrix[p, p]) / (2.0 * off)
                tangent = 1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                if theta < 0.0:
                    tangent = -tangent
                cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                sine = tangent * cosine
                for r in range(size):
                    x, y = matrix[p, r], matrix[q, r]
                    matrix[p, r] = cosine * x - sine * y
                    matrix[q, r] = sine * x + cosine * y
                for r in range(size):
                    x, y = matrix[r, p], matrix[r, q]
                    matrix[r, p] = cosine * x - sine * y
                    matrix[r, q] = sine * x + cosine * y
                matrix[p, q] = 0.0
                matrix[q, p] = 0.0
                for r in range(size):  # vectors has eigenvectors as rows
                    x, y = vectors[p, r], vectors[q, r]
                    vectors[p, r] = cosine * x - sine * y
                    vectors[q, r] = sine * x + cosine * y
        if not changed:
            break


def eigenvalues(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues, float64 (n,), the largest first, and eigenvectors as columns, float64 (n, n). matrix: symmetric."""
    turned, vectors = matrix.copy(), np.eye(len(matrix))
    _rotate(turned, vectors)
    values = turned.diagonal()
    order = np.argsort(-values, kind="stable")
    return values[order].copy(), np.ascontiguousarray(vectors[order].T)


@compiled
def add_peaks(first: int, rows: np.ndarray, peaks: np.ndarray, positions: np.ndarray) -> None:
    """Update each column's peak, the value farthest from 0, and its position, the first row with this value.

    rows: float64 (n, k), from row number `first` on. peaks: float64 (k,), 0 before the first call. positions: int64
    (k,).
    """
    for i in range(rows.shape[0]):
        for d in range(rows.shape[1]):
            if abs(rows[i, d]) > abs(peaks[d]):
                peaks[d] = rows[i, d]
                positions[d] = first + i
