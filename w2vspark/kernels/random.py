"""Counter-based random numbers (splitmix64). Any hash can be the start of a stream.

Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators": state n of a stream is
stream + n * GOLDEN, and its output is the mixed state. No state is shared, so the order of calls does not matter.
"""

import numpy as np
from numba import njit, uint64

from w2vspark.kernels.compiled import compiled

GOLDEN = 0x9E3779B97F4A7C15


@njit(inline="always")  # always part of another kernel, so it has no cache of its own
def mix(state):
    """splitmix64's finaliser: uint64 -> uint64."""
    z = uint64(state)
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@compiled
def hash_of(a, b, c, d):
    """A uint64 that depends on all four integers (uint64 or int64) and their order."""
    h = mix(uint64(a) + uint64(GOLDEN))
    h = mix((h ^ uint64(b)) + uint64(GOLDEN))
    h = mix((h ^ uint64(c)) + uint64(GOLDEN))
    return mix((h ^ uint64(d)) + uint64(GOLDEN))


@compiled
def fill_streams(seed: int, epoch: int, buckets: np.ndarray, pieces: np.ndarray, streams: np.ndarray) -> None:
    """streams[i] (uint64) = hash of (seed, epoch, buckets[i], pieces[i])."""
    for i in range(streams.size):
        streams[i] = hash_of(seed, epoch, buckets[i], pieces[i])


@compiled
def fill_uniform_rows(seed: int, matrix: int, first: int, scale: float, columns: int, rows: np.ndarray) -> None:
    """rows[i, d] (float32, shape (n, stride)) = (u - 0.5) * scale for d < columns, else 0; u uniform in [0, 1).

    u depends on (seed, matrix, first + i, d) alone, so any block can be made without the others.
    """
    for i in range(rows.shape[0]):
        stream = hash_of(seed, matrix, first + i, 0x1B17)
        for d in range(columns):
            u = float(mix(stream + uint64(d) * uint64(GOLDEN)) >> uint64(40)) / 16777216.0
            rows[i, d] = np.float32((u - 0.5) * scale)
        for d in range(columns, rows.shape[1]):
            rows[i, d] = np.float32(0.0)
