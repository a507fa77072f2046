"""Pointwise mutual information of counted pairs (Levy, Goldberg & Dagan 2015)."""

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.logarithm import log
from w2vspark.kernels.noise import fill_powers


@compiled
def add_columns(columns: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """sums[columns[i]] += weights[i], in order; float64."""
    for i in range(columns.size):
        sums[columns[i]] += weights[i]


@compiled
def _total(values):
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


def context_shares(sums: np.ndarray, smoothing: float, shift: float) -> np.ndarray:
    """The probability of each context times the shift, float64 (V,).

    Probabilities are proportional to sums ** smoothing; a smoothing below 1 lowers the PMI of rare contexts. sums:
    float64 (V,), the count of each context. A context that was never counted gets 0.
    """
    powers = np.zeros(sums.size)
    fill_powers(sums, smoothing, powers)
    powers[sums == 0.0] = 0.0
    powers *= shift / _total(powers)
    return powers


@compiled
def fill_pmi(rows, columns, weights, first, row_sums, shares, positive, ends, out_columns, out_values):
    """Write the PMI of counted pairs as entries of a sparse matrix; returns the number of entries.

    value = log(weight / (row_sums[row] * shares[column])); `positive` keeps only values greater than 0. rows, columns:
    int32; weights: float64 (n,), sorted by row and column. ends: int64, from row `first` on; the number of each row's
    entries is added to it. out_columns: int32; out_values: float32 (n,).
    """
    at = 0
    for i in range(rows.size):
        ratio = weights[i] / (row_sums[rows[i]] * shares[columns[i]])
        if positive and ratio <= 1.0:
            continue
        value = np.float32(log(ratio))
        if positive and not value > 0.0:  # the ratio is so close to 1 that the value is 0
            continue
        out_columns[at] = columns[i]
        out_values[at] = value
        ends[rows[i] - first] += 1
        at += 1
    return at
