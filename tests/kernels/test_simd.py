"""The micro-kernels against NumPy in float64. Rows stand at scattered offsets of one flat array."""

import numpy as np
import pytest
from numba import njit

from w2vspark.kernels import simd
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.simd import TILE

DIMENSIONS = [1, 3, 7, 8, 9, 16, 31, 100, 300]


@njit
def one(a, rows, first, b, outs, first_out, chunks, logits, at):
    simd.dots_of_one(a, rows, first, b, outs, first_out, chunks, logits, at)


@njit
def two(a, rows, first, b, outs, first_out, chunks, logits, at):
    simd.dots_of_two(a, rows, first, b, outs, first_out, chunks, logits, at)


@njit
def steps_of(logits, at, count, labels, weights, first):
    simd.logistic_steps(logits, at, count, labels, weights, first)


@njit
def update(a, rows, count, target, target_rows, b, outs, first_out, chunks, steps, at):
    simd.update_tile(a, rows, count, target, target_rows, b, outs, first_out, chunks, steps, at)


@njit
def update_of_one(a, target, b, outs, first_out, chunks, steps, out_steps):
    simd.update_tile_of_one(a, target, b, outs, first_out, chunks, steps, out_steps)


@njit
def prefetch(a, offset, chunks):
    simd.prefetch_row(a, offset, chunks)


def padded(random, rows: int, dimensions: int) -> np.ndarray:
    matrix = np.zeros((rows, -(-dimensions // SIMD_WIDTH) * SIMD_WIDTH), np.float32)
    matrix[:, :dimensions] = random.standard_normal((rows, dimensions))
    return matrix


@pytest.mark.parametrize("dimensions", DIMENSIONS)
@pytest.mark.parametrize("kernel, count", [(one, 1), (two, 2)])
def test_dots_of_scattered_rows_are_numpys(kernel, count, dimensions):
    random = np.random.default_rng(dimensions)
    a, b = padded(random, 9, dimensions), padded(random, 20, dimensions)
    stride = a.shape[1]
    rows, outs = random.permutation(9), random.permutation(20)
    first, first_out = 3, 7
    logits, at = np.full(11 * SIMD_WIDTH, np.float32(777)), 2 * SIMD_WIDTH
    kernel(a.ravel(), rows * stride, first, b.ravel(), outs * stride, first_out, stride // SIMD_WIDTH, logits, at)
    assert (logits[:at] == 777).all()
    table = logits[at:].reshape(9, SIMD_WIDTH)
    expected = a[rows[first : first + count]].astype(float) @ b[outs[first_out : first_out + TILE]].astype(float).T
    np.testing.assert_allclose(table[first : first + count, :TILE], expected, rtol=0, atol=2e-6 * dimensions**0.5)
    assert (table[first : first + count, TILE:] == 0).all()
    untouched = np.delete(table, np.arange(first, first + count), axis=0)
    assert (untouched == 777).all()


def test_two_inputs_at_a_time_give_the_bits_of_one_at_a_time():
    random = np.random.default_rng(5)
    a, b = padded(random, 2, 100), padded(random, TILE, 100)
    stride, logits = a.shape[1], np.zeros((2, 2 * SIMD_WIDTH), np.float32)
    rows, outs = np.arange(2) * stride, np.arange(TILE) * stride
    two(a.ravel(), rows, 0, b.ravel(), outs, 0, stride // SIMD_WIDTH, logits[0], 0)
    for i in range(2):
        one(a.ravel(), rows, i, b.ravel(), outs, 0, stride // SIMD_WIDTH, logits[1], 0)
    assert logits[0].tobytes() == logits[1].tobytes()


def test_steps_are_label_minus_sigmoid_times_weight():
    random = np.random.default_rng(3)
    logits = np.linspace(-30, 30, 50 * SIMD_WIDTH, dtype=np.float32)
    labels = random.integers(0, 2, 4 * SIMD_WIDTH).astype(np.float32)
    weights = random.uniform(-1, 1, 4 * SIMD_WIDTH).astype(np.float32)
    steps = logits.copy()
    steps_of(steps, SIMD_WIDTH, 48, labels, weights, 2 * SIMD_WIDTH)
    x = logits.astype(float).reshape(50, SIMD_WIDTH)[1:49]
    expected = (labels[2 * SIMD_WIDTH : 3 * SIMD_WIDTH] - 1 / (1 + np.exp(-x))) * weights[
        2 * SIMD_WIDTH : 3 * SIMD_WIDTH
    ].astype(float)
    np.testing.assert_allclose(steps.reshape(50, SIMD_WIDTH)[1:49], expected, rtol=0, atol=3e-7)
    assert (steps[49 * SIMD_WIDTH :] == logits[49 * SIMD_WIDTH :]).all(), "a row behind the last was written"
    assert (steps[:SIMD_WIDTH] == logits[:SIMD_WIDTH]).all(), "a row before the first was written"


def test_a_small_sigmoid_has_a_small_relative_error():
    x = np.linspace(-79, -10, 100 * SIMD_WIDTH, dtype=np.float32)
    steps = x.copy()
    steps_of(steps, 0, 100, np.zeros(SIMD_WIDTH, np.float32), np.ones(SIMD_WIDTH, np.float32), 0)
    np.testing.assert_allclose(-steps, 1 / (1 + np.exp(-x.astype(float))), rtol=1e-6)


@pytest.mark.parametrize("huge", [81.0, 89.0, 1e3, 1e10, 3e38, np.inf])
def test_steps_of_huge_logits_saturate_and_stay_finite(huge):
    logits = np.tile(np.array([huge, -huge], np.float32), SIMD_WIDTH // 2)
    labels = np.repeat(np.array([0, 1], np.float32), SIMD_WIDTH // 2)
    steps_of(logits, 0, 1, labels, np.ones(SIMD_WIDTH, np.float32), 0)
    np.testing.assert_allclose(logits, np.tile([-1, 0], 2).tolist() + np.tile([0, 1], 2).tolist(), rtol=0, atol=1e-30)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_an_update_uses_the_old_rows_of_both_sides(count, dimensions):
    random = np.random.default_rng(count)
    a, b = padded(random, 15, dimensions), padded(random, 20, dimensions)
    stride, first_out = a.shape[1], 5
    rows, outs = random.permutation(15), random.permutation(20)
    steps = random.uniform(-0.1, 0.1, (15, SIMD_WIDTH)).astype(np.float32)
    new_a, new_b = a.astype(float), b.astype(float)
    inputs, outputs, used = rows[:count], outs[first_out : first_out + TILE], steps[:count, :TILE].astype(float)
    new_a[inputs] += used @ b[outputs].astype(float)
    new_b[outputs] += used.T @ a[inputs].astype(float)
    at = rows * stride
    update(
        a.ravel(), at, count, a.ravel(), at, b.ravel(), outs * stride, first_out, stride // SIMD_WIDTH, steps.ravel(), 0
    )
    np.testing.assert_allclose(a, new_a, rtol=0, atol=2e-6)
    np.testing.assert_allclose(b, new_b, rtol=0, atol=2e-6)
    assert (a[:, dimensions:] == 0).all() and (b[:, dimensions:] == 0).all(), "padding must stay 0"


def test_an_input_row_used_twice_in_place_adds_up():
    random = np.random.default_rng(8)
    a, b = padded(random, 3, 20), padded(random, TILE, 20)
    stride, order = a.shape[1], np.array([0, 2, 0, 0])
    steps = random.uniform(-0.1, 0.1, (4, SIMD_WIDTH)).astype(np.float32)
    new_a, new_b, old_b = a.astype(float), b.astype(float), b.astype(float)
    for i, row in enumerate(order):  # in place: a later use sees the row as the earlier use left it
        new_b += np.outer(steps[i, :TILE], new_a[row])
        new_a[row] += steps[i, :TILE] @ old_b
    outs, at = np.arange(TILE) * stride, order * stride
    update(a.ravel(), at, 4, a.ravel(), at, b.ravel(), outs, 0, stride // SIMD_WIDTH, steps.ravel(), 0)
    np.testing.assert_allclose(a, new_a, rtol=0, atol=2e-6)
    np.testing.assert_allclose(b, new_b, rtol=0, atol=2e-6)


def test_several_blocks_collect_the_inputs_change_apart():
    random = np.random.default_rng(9)
    a, b = padded(random, 4, 20), padded(random, 3 * TILE, 20)
    stride, order = a.shape[1], np.array([3, 1, 3])  # row 3 twice: two rows of the buffer
    steps = random.uniform(-0.1, 0.1, (3, 3, SIMD_WIDTH)).astype(np.float32)
    change, old_a, old_b = np.zeros((3, stride), np.float32), a.copy(), b.astype(float)
    outs, buffer_rows = np.arange(3 * TILE) * stride, np.arange(3) * stride
    for tile in range(3):
        update(
            a.ravel(), order * stride, 3, change.ravel(), buffer_rows, b.ravel(), outs, tile * TILE,
            stride // SIMD_WIDTH, steps.ravel(), tile * 3 * SIMD_WIDTH,
        )  # fmt: skip
    used = np.concatenate([steps[tile, :, :TILE].astype(float) for tile in range(3)], axis=1)
    assert (a == old_a).all(), "the inputs themselves wait until the last tile has seen them"
    np.testing.assert_allclose(change, used @ old_b, rtol=0, atol=2e-6)
    np.testing.assert_allclose(b, old_b + used.T @ old_a[order].astype(float), rtol=0, atol=2e-6)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_the_update_of_one_input_gives_the_bits_of_any_number(dimensions):
    random = np.random.default_rng(dimensions)
    a, b, target = padded(random, 1, dimensions), padded(random, 20, dimensions), padded(random, 1, dimensions)
    stride, first_out = a.shape[1], 5
    outs, at = random.permutation(20) * stride, np.zeros(1, np.int64)
    steps = random.uniform(-0.1, 0.1, SIMD_WIDTH).astype(np.float32)
    other_b, other_target = b.copy(), target.copy()
    update(a.ravel(), at, 1, target.ravel(), at, b.ravel(), outs, first_out, stride // SIMD_WIDTH, steps, 0)
    update_of_one(
        a.ravel(), other_target.ravel(), other_b.ravel(), outs, first_out, stride // SIMD_WIDTH, steps, steps.copy()
    )
    assert other_b.tobytes() == b.tobytes() and other_target.tobytes() == target.tobytes()


def test_the_update_of_one_input_takes_other_steps_for_the_outputs():
    random = np.random.default_rng(12)
    a, b, target = padded(random, 1, 20), padded(random, TILE, 20), padded(random, 1, 20)
    steps, out_steps = random.uniform(-0.1, 0.1, (2, SIMD_WIDTH)).astype(np.float32)
    new_target = target + steps[:TILE].astype(float) @ b
    new_b = b + np.outer(out_steps[:TILE].astype(float), a)
    stride = a.shape[1]
    outs = np.arange(TILE) * stride
    update_of_one(a.ravel(), target.ravel(), b.ravel(), outs, 0, stride // SIMD_WIDTH, steps, out_steps)
    np.testing.assert_allclose(target, new_target, rtol=0, atol=2e-6)
    np.testing.assert_allclose(b, new_b, rtol=0, atol=2e-6)


def test_an_output_row_with_steps_of_zero_keeps_its_bytes():
    random = np.random.default_rng(10)
    a, b = padded(random, 5, 24), padded(random, TILE, 24)
    steps = np.zeros((5, SIMD_WIDTH), np.float32)
    steps[:, 0] = 0.1
    before = b.copy()
    at = np.arange(5) * 24
    update(a.ravel(), at, 5, a.ravel(), at, b.ravel(), np.arange(TILE) * 24, 0, 3, steps.ravel(), 0)
    assert (b[0] != before[0]).all()
    assert b[1:].tobytes() == before[1:].tobytes()


def test_prefetching_changes_nothing():
    row = np.arange(24, dtype=np.float32)
    prefetch(row, 0, 3)
    assert (row == np.arange(24)).all()
