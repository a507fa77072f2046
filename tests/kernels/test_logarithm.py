"""The logarithm against the C library's."""

import math

import numpy as np

from w2vspark.kernels.logarithm import fill_logarithms


def logarithms(values: np.ndarray) -> np.ndarray:
    found = np.empty(values.size)
    fill_logarithms(values, found)
    return found


def test_logarithms_are_the_librarys_but_for_the_last_bit():
    draw = np.random.default_rng(3)
    near_one = 1 + draw.normal(0, 1e-3, 20_000)
    values = np.concatenate(
        [draw.lognormal(0, 50, 50_000), draw.uniform(0.5, 2, 50_000), near_one, 2.0 ** np.arange(-1074, 1024)]
    )
    expected = np.array([math.log(value) for value in values])
    assert (np.abs(logarithms(values) - expected) <= np.spacing(np.abs(expected))).all()


def test_the_logarithm_of_1_is_0_and_of_the_extremes_finite():
    values = np.array([1.0, 5e-324, np.finfo(float).max, np.nextafter(1.0, 2.0)])
    assert logarithms(values).tolist() == [0.0, *(math.log(value) for value in values[1:])]
