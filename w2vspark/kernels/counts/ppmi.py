"""Pointwise mutual information of counted pairs (Levy, Goldberg & Dagan 2015)."""

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.logarithm import log
from w2vspark.kernels.noise import fill_powers


@compiled
def add_columns(columns: np.ndarray, weights: np.ndarray, sums: np.ndarray) -> None:
    """sums[columns[i]] += weights[i], one after another; float64."""
    for i in range(columns.size):
        sums[columns[i]] += weights[i]


@compiled
def _total(values):
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


def context_shares(sums: np.ndarray, smoothing: float, shift: float) -> np.ndarray:
    """For each context its probability times the shift, float64 (V,): of sums ** smoothing, which takes from the rare.

    sums: float64 (V,), what each context was counted. A context that never was has 0.
    """
    powers = np.zeros(sums.size)
    fill_powers(sums, smoothing, powers)
    powers[sums == 0.0] = 0.0
    powers *= shift / _total(powers)
    return powers


@compiled
def fill_pmi(rows, columns, weights, first, row_sums, shares, positive, ends, out_columns, out_values):
    """Entries of a sparse matrix from counted pairs; their number.

    value = log(weight / (row_sums[row] * shares[column])); with `positive` those that are greater than 0 alone.
    rows and columns: int32, weights: float64 (n,), sorted by row and column. ends: int64, of row `first` on: each row's
    number of entries is added to it. out_columns: int32, out_values: float32 (n,).
    """
    at = 0
    for i in range(rows.size):
        ratio = weights[i] / (row_sums[rows[i]] * shares[columns[i]])
        if positive and ratio <= 1.0:
            continue
        value = np.float32(log(ratio))
        if positive and not value > 0.0:  # a ratio of hardly more than 1, in float32
            continue
        out_columns[at] = columns[i]
        out_values[at] = value
        ends[rows[i] - first] += 1
        at += 1
    return at
