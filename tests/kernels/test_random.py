import itertools

import numpy as np
import pytest

from w2vspark.kernels import random as kernel
from w2vspark.kernels.random import GOLDEN, fill_streams, fill_uniform_rows, hash_of, mix

from .reference import MASK, splitmix64

# Published outputs of splitmix64 with seed 1234567 (Vigna's splitmix64.c; also Rosetta Code).
PUBLISHED = [
    6457827717110365317,
    3203168211198807973,
    9817491932198370423,
    4593380528125082431,
    16408922859458223821,
]


def test_mixed_states_are_the_published_outputs_of_splitmix64():
    # splitmix64 adds GOLDEN before it mixes, so its first output is that of state seed + GOLDEN.
    assert GOLDEN == kernel.GOLDEN == 0x9E3779B97F4A7C15
    assert [int(mix(np.uint64((1234567 + n * GOLDEN) & MASK))) for n in range(1, 6)] == PUBLISHED


@pytest.mark.parametrize("state", [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_mix_is_the_plain_formula_on_all_64_bits(state):
    assert int(mix(np.uint64(state))) == splitmix64(state)


def test_a_hash_depends_on_each_integer_and_on_their_order():
    cases = [(1, 2, 3, 4), (2, 1, 3, 4), (1, 3, 2, 4), (1, 2, 4, 3), (0, 2, 3, 4), (1, 2, 3, 5), (1, 2, 3, 2**31)]
    assert len({int(hash_of(*case)) for case in cases}) == len(cases)


def test_streams_depend_on_seed_epoch_bucket_and_piece_and_not_on_their_place():
    buckets, pieces = np.repeat(np.arange(50, dtype=np.int32), 40), np.tile(np.arange(40, dtype=np.int32), 50)

    def streams(seed, epoch, order=slice(None)):
        made = np.empty(buckets[order].size, np.uint64)
        fill_streams(seed, epoch, buckets[order], pieces[order], made)
        return made

    order = np.random.default_rng(1).permutation(2000)
    assert (streams(1, 0, order) == streams(1, 0)[order]).all()
    assert len(set(np.concatenate([streams(1, 0), streams(2, 0), streams(1, 1)]).tolist())) == 6000
    assert int(streams(7, 3)[41]) == int(hash_of(7, 3, 1, 1))


def test_the_bits_of_neighbouring_streams_are_independent():
    streams = np.empty(4096, np.uint64)
    fill_streams(1, 0, np.zeros(4096, np.int32), np.arange(4096, dtype=np.int32), streams)
    flipped = np.unpackbits((streams[1:] ^ streams[:-1]).view(np.uint8).reshape(-1, 8), axis=1)
    assert abs(flipped.mean() - 0.5) < 0.005
    assert np.abs(flipped.mean(axis=0) - 0.5).max() < 0.04  # five standard deviations of a bit's mean


@pytest.mark.parametrize("cuts", [[0, 50], [0, 1, 50], [0, 7, 8, 33, 50]])
def test_uniform_rows_do_not_depend_on_the_cut_into_blocks(cuts):
    whole = np.full((50, 16), np.nan, np.float32)
    fill_uniform_rows(3, 0, 0, 0.1, 10, whole)
    parts = np.full((50, 16), np.nan, np.float32)
    for first, last in itertools.pairwise(cuts):
        fill_uniform_rows(3, 0, first, 0.1, 10, parts[first:last])
    assert whole.tobytes() == parts.tobytes()


def test_uniform_rows_fill_the_range_and_pad_with_zeros():
    rows = np.full((2000, 104), np.nan, np.float32)
    fill_uniform_rows(1, 0, 0, 0.01, 100, rows)
    values = rows[:, :100].astype(float)
    assert (rows[:, 100:] == 0).all()
    assert values.min() >= -0.005 and values.max() < 0.005
    shares = np.histogram(values, bins=10, range=(-0.005, 0.005))[0] / values.size
    assert np.abs(shares - 0.1).max() < 5 * (0.09 / values.size) ** 0.5
    correlation = np.corrcoef(values.T)[np.triu_indices(100, 1)]
    assert np.abs(correlation).max() < 5.5 / 2000**0.5
    assert len(np.unique(values, axis=0)) == 2000


def test_another_seed_or_matrix_has_other_values():
    made = []
    for seed, matrix in [(1, 0), (2, 0), (1, 1)]:
        rows = np.empty((4, 8), np.float32)
        fill_uniform_rows(seed, matrix, 0, 1.0, 8, rows)
        made.append(rows.copy())
    assert not any((made[i] == made[j]).any() for i, j in [(0, 1), (0, 2), (1, 2)])
