"""Tables for the random draws of skip-gram and CBOW: alias tables and pools of negatives, subsampling thresholds.

The alias method: Walker 1977, Vose 1991. Both distributions: Mikolov et al. 2013 (word2vec.c). All loops use float64
in a fixed order, so the tables are the same everywhere.
"""

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.random import GOLDEN, mix


@compiled
def fill_powers(counts: np.ndarray, exponent: float, weights: np.ndarray) -> None:
    """weights[i] = counts[i] ** exponent. counts: integers or float64, not negative; weights: float64."""
    # Multiply for the whole part of the exponent, and take one more square root for each binary digit after the point.
    # Both give the same bits everywhere. A library's pow does not: NumPy's differs between CPUs.
    whole = int(np.floor(exponent))
    for i in range(counts.size):
        power = 1.0
        for _ in range(abs(whole)):
            power *= counts[i]
        if whole < 0:
            power = 1.0 / power
        root = np.float64(counts[i])
        rest = exponent - whole
        while rest > 0.0:
            root = np.sqrt(root)
            rest *= 2.0
            if rest >= 1.0:
                power *= root
                rest -= 1.0
        weights[i] = power


@compiled
def _fill_alias(weights: np.ndarray, table: np.ndarray) -> None:
    n = weights.size
    total = 0.0
    for i in range(n):
        total += weights[i]
    scaled = np.empty(n, np.float64)
    queue = np.empty(n, np.int64)  # small weights grow from the left, large ones from the right
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
    """The alias table for p(w) ~ counts[w] ** exponent, uint64 (V,).

    counts: int64 (V,), all positive. In slot i, the high 32 bits are the probability of keeping i (times 2**32), and
    the low 32 bits are the word that is drawn otherwise. Raises ValueError for invalid counts.
    """
    if counts.ndim != 1 or counts.size == 0 or counts.size >= 2**31 or counts.min() <= 0:
        raise ValueError(f"counts must be a vector of 1 to 2**31-1 positive numbers, not shape {counts.shape}")
    table = np.empty(counts.size, np.uint64)
    weights = np.empty(counts.size, np.float64)
    fill_powers(counts, exponent, weights)
    _fill_alias(weights, table)
    return table


@compiled
def _fill_pool(cumulative, stream, pool):
    total = cumulative[cumulative.size - 1]
    for i in range(pool.size):
        bits = mix(stream + uint64(i) * uint64(GOLDEN))
        wanted = float(bits >> uint64(11)) / 9007199254740992.0 * total
        low, high = 0, cumulative.size - 1
        while low < high:  # the first word whose cumulative weight is greater
            middle = (low + high) // 2
            if cumulative[middle] > wanted:
                high = middle
            else:
                low = middle + 1
        pool[i] = uint64(low)


def cumulative_noise(counts: np.ndarray, exponent: float) -> np.ndarray:
    """The cumulative weights of p(w) ~ counts[w] ** exponent, float64 (V,), for noise_pool.

    counts: int64 (V,), all positive. Raises ValueError for invalid counts.
    """
    if counts.ndim != 1 or counts.size == 0 or counts.min() <= 0:
        raise ValueError(f"counts must be a vector of positive numbers, not shape {counts.shape}")
    weights = np.empty(counts.size, np.float64)
    fill_powers(counts, exponent, weights)
    return np.cumsum(weights, out=weights)


def noise_pool(cumulative: np.ndarray, size: int, stream: int) -> np.ndarray:
    """A pool of words drawn from the noise distribution, int64 (size,).

    Negatives that are drawn from the pool have the same distribution. cumulative: from cumulative_noise. stream: where
    the random numbers start.
    """
    pool = np.empty(size, np.uint64)
    _fill_pool(cumulative, np.uint64(stream), pool)
    return pool.astype(np.int64)


def keep_thresholds(counts: np.ndarray, subsample: float, total: int | None = None) -> np.ndarray:
    """How many of 2**32 tokens of each word subsampling keeps, uint64 (V,) in [0, 2**32].

    The share is min(1, (sqrt(z/t) + 1) * t/z), where z is the word's share of the corpus. counts: int64 (V,).
    subsample: t; 0 keeps everything. total: tokens of the corpus, if counts has only some of its words.
    Raises ValueError for invalid counts or a negative t.
    """
    if subsample < 0 or counts.ndim != 1 or counts.size == 0 or counts.min() <= 0:
        raise ValueError(
            f"subsample must not be negative ({subsample}), and counts a vector of positive numbers ({counts.shape})"
        )
    if subsample == 0:
        return np.full(counts.size, 2**32, np.uint64)
    ratio = counts.astype(np.float64) / (float(counts.sum() if total is None else total) * subsample)
    return np.asarray(np.minimum(1.0, (np.sqrt(ratio) + 1.0) / ratio) * 4294967296.0).astype(np.uint64)
