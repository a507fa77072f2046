"""Tables that a skip-gram or CBOW kernel draws from: Walker's alias table of the noise, subsampling thresholds.

Walker 1977 / Vose 1991; Mikolov et al. 2013 (word2vec.c) for the two distributions. All loops are in a fixed
order and use float64 only, so the tables are the same everywhere.
"""

import numpy as np
from numba import njit, uint64


@njit(cache=True, nogil=True)
def _fill_alias(weights: np.ndarray, table: np.ndarray) -> None:
    n = weights.size
    total = 0.0
    for i in range(n):
        total += weights[i]
    scaled = np.empty(n, np.float64)
    queue = np.empty(n, np.int64)  # small ones grow from the left, large ones from the right
    small, large = 0, n
    for i in range(n):
        scaled[i] = weights[i] * n / total
        if scaled[i] < 1.0:
            queue[small] = i
            small += 1
        else:
            large -= 1
            queue[large] = i
    while small > 0 and large < n:
        small -= 1
        less = queue[small]
        more = queue[large]
        table[less] = (uint64(scaled[less] * 4294967296.0) << uint64(32)) | uint64(more)
        scaled[more] -= 1.0 - scaled[less]
        if scaled[more] < 1.0:
            large += 1
            queue[small] = more
            small += 1
    for i in range(small):
        table[queue[i]] = (uint64(0xFFFFFFFF) << uint64(32)) | uint64(queue[i])
    for i in range(large, n):
        table[queue[i]] = (uint64(0xFFFFFFFF) << uint64(32)) | uint64(queue[i])


def alias_table(counts: np.ndarray, exponent: float) -> np.ndarray:
    """Alias table of p(w) ~ counts[w] ** exponent.

    counts: int64 (V,), all positive. Returns uint64 (V,): for slot i, the high 32 bits are the probability of
    keeping i (times 2**32), the low 32 bits the word drawn otherwise. Raises ValueError on other input.
    """
    if counts.ndim != 1 or counts.size == 0 or counts.size >= 2**31 or counts.min() <= 0:
        raise ValueError(f"counts must be a vector of 1 to 2**31-1 positive numbers, not shape {counts.shape}")
    table = np.empty(counts.size, np.uint64)
    _fill_alias(np.power(counts.astype(np.float64), exponent), table)
    return table


def keep_thresholds(counts: np.ndarray, subsample: float) -> np.ndarray:
    """Of 2**32 draws of a word, how many are kept: min(1, (sqrt(z/t) + 1) * t/z), z the word's share of the corpus.

    counts: int64 (V,); subsample: t, 0 keeps everything. Returns uint64 (V,) in [0, 2**32].
    """
    if subsample < 0 or counts.ndim != 1 or counts.size == 0:
        raise ValueError(f"subsample must not be negative ({subsample}) and counts not empty ({counts.shape})")
    if subsample == 0:
        return np.full(counts.size, 2**32, np.uint64)
    ratio = counts.astype(np.float64) / (float(counts.sum()) * subsample)
    return np.asarray(np.minimum(1.0, (np.sqrt(ratio) + 1.0) / ratio) * 4294967296.0).astype(np.uint64)
