"""How rows of float32 lie in memory: padded with zeros to whole chunks, the first on a cache line's boundary."""

import numpy as np

from w2vspark.kernels.instructions import SIMD_WIDTH


def stride_of(columns: int, state: bool = False) -> int:
    """Floats from one row to the next: the columns, padded to whole chunks, and a chunk for an optimiser's state."""
    return (columns + SIMD_WIDTH - 1) // SIMD_WIDTH * SIMD_WIDTH + (SIMD_WIDTH if state else 0)


def aligned_rows(rows: int, stride: int) -> np.ndarray:
    """float32 zeros (rows, stride), on a cache line's boundary."""
    memory = np.zeros(rows * stride + 16, np.float32)
    skip = (-memory.ctypes.data % 64) // 4
    return memory[skip : skip + rows * stride].reshape(rows, stride)
