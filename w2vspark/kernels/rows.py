"""The layout of float32 rows in memory: padded with zeros to whole chunks, the first at the start of a cache line."""

import numpy as np

from w2vspark.kernels.instructions import SIMD_WIDTH


def stride_of(columns: int, state: bool = False) -> int:
    """Floats from one row to the next: the columns, padded to whole chunks, and a chunk for an optimiser's state."""
    return (columns + SIMD_WIDTH - 1) // SIMD_WIDTH * SIMD_WIDTH + (SIMD_WIDTH if state else 0)


def aligned_rows(rows: int, stride: int) -> np.ndarray:
    """Zeros, float32 (rows, stride), that begin at the start of a cache line."""
    memory = np.zeros(rows * stride + 16, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    return memory[skip : skip + rows * stride].reshape(rows, stride)
