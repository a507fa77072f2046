"""Noise and subsampling against METHODS.md, section 5, and against gensim's tables."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from gensim.models import Word2Vec
from scipy import stats

from w2vspark.kernels.noise import alias_table, cumulative_noise, keep_thresholds, noise_pool

from .reference import GOLDEN, Stream, splitmix64

ZIPF = (1e6 / np.arange(1, 2001) ** 1.1).astype(np.int64) + 1
COUNTS = {
    "one word": np.array([7]),
    "two words": np.array([1, 1000]),
    "equal": np.full(10, 5),
    "one frequent word": np.array([10**12, 1, 1, 1]),
    "zipf": ZIPF,
}


def probabilities(table: np.ndarray) -> np.ndarray:
    """Exact probability of each word: slot i, drawn evenly, keeps i with its high bits, else gives its low bits."""
    kept = (table >> np.uint64(32)).astype(float) / 2**32
    shares = kept.copy()
    np.add.at(shares, (table & np.uint64(0xFFFFFFFF)).astype(np.int64), 1 - kept)
    return shares / table.size


@pytest.mark.parametrize("exponent", [0.0, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("counts", COUNTS.values(), ids=COUNTS.keys())
def test_the_slots_of_the_alias_table_sum_to_counts_to_the_exponent(counts, exponent):
    weights = counts.astype(float) ** exponent
    table = alias_table(counts.astype(np.int64), exponent)
    assert table.dtype == np.uint64 and ((table & np.uint64(0xFFFFFFFF)) < counts.size).all()
    np.testing.assert_allclose(probabilities(table), weights / weights.sum(), rtol=0, atol=2.0**-31)


def test_draws_from_the_alias_table_pass_a_chi_square_test():
    counts = np.array([5000, 900, 800, 300, 41, 40, 39, 7, 3, 1])
    stream, table, drawn = Stream(20240607), alias_table(counts, 0.75).tolist(), np.zeros(10)
    for _ in range(50_000):
        drawn[stream.noise_word(table)] += 1
    expected = counts**0.75 / (counts**0.75).sum() * 50_000
    assert stats.chisquare(drawn, expected).pvalue > 0.01
    other = counts**0.8 / (counts**0.8).sum() * 50_000
    assert stats.chisquare(drawn, other).pvalue < 1e-6, "the test would not see an exponent of 0.8"


@pytest.mark.parametrize("make", [alias_table, keep_thresholds])
@pytest.mark.parametrize(
    "counts", [np.array([], np.int64), np.array([3, 0]), np.array([3, -1]), np.array([[3, 1]])], ids=str
)
def test_counts_that_are_not_a_vector_of_positive_numbers_are_refused(make, counts):
    with pytest.raises(ValueError, match="counts"):
        make(counts, 0.75)


@pytest.mark.parametrize("share, kept", [(0.0026, 1.0), (0.00746, 0.5), (0.1, 0.11), (1.0, 0.033)])
def test_the_golden_numbers_of_subsampling(share, kept):
    total = 10**6
    counts = np.array([round(total * share), total - round(total * share)][: 1 if share == 1 else 2])
    assert int(keep_thresholds(counts, 1e-3)[0]) / 2**32 == pytest.approx(kept, abs=0.0005)


def test_rare_words_are_always_kept_and_a_threshold_of_0_keeps_every_word():
    thresholds = keep_thresholds(ZIPF, 1e-3)
    assert thresholds.dtype == np.uint64
    rare = ZIPF / ZIPF.sum() <= 0.0026
    assert rare.any() and (thresholds[rare] == 2**32).all() and (thresholds[~rare][:-5] < 2**32).all()
    assert (np.diff(thresholds.astype(np.int64)) >= 0).all(), "a more frequent word is not kept more often"
    assert (keep_thresholds(ZIPF, 0.0) == 2**32).all()


def test_a_negative_subsampling_threshold_is_refused():
    with pytest.raises(ValueError, match="subsample"):
        keep_thresholds(ZIPF, -1e-3)


@pytest.mark.parametrize("subsample", [1e-3, 1e-4, 1e-5])
def test_subsampling_keeps_what_gensim_keeps(subsample):
    model = gensim_model(subsample)
    gensim = [model.wv.get_vecattr(str(i), "sample_int") / (2**32 - 1) for i in range(ZIPF.size)]
    np.testing.assert_allclose(keep_thresholds(ZIPF, subsample) / 2**32, gensim, rtol=0, atol=1e-9)


def test_the_noise_is_that_of_gensims_cumulative_table():
    cumulative = gensim_model(1e-3).cum_table
    gensim = np.diff(np.concatenate([[0], cumulative])) / cumulative[-1]
    np.testing.assert_allclose(probabilities(alias_table(ZIPF, 0.75)), gensim, rtol=0, atol=2.0 / 2**31)


def gensim_model(subsample: float) -> Word2Vec:
    model = Word2Vec(vector_size=4, min_count=1, sample=subsample, negative=5, sg=1, sorted_vocab=False)
    model.build_vocab_from_freq({str(i): int(count) for i, count in enumerate(ZIPF)})
    return model


TABLE_BYTES = """
import hashlib
import numpy as np
from w2vspark.base.cpu_target import pin
pin("avx2")
from w2vspark.kernels.noise import alias_table, keep_thresholds
counts = np.random.default_rng(1).integers(1, 10**7, 70_000)
for table in alias_table(counts, 0.75), keep_thresholds(counts, 1e-4):
    print(hashlib.sha256(table.tobytes()).hexdigest())
"""
# What numpy may use beyond its baseline; names that this build does not know give a warning and no more.
NEWER = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the features named are x86-64's")
def test_the_tables_do_not_depend_on_the_instructions_that_numpy_finds():
    tables = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", TABLE_BYTES],
            env=os.environ | {"NPY_DISABLE_CPU_FEATURES": disabled},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.split()
        for disabled in ("", NEWER)
    ]
    assert len(tables[0]) == 2
    assert tables[0] == tables[1]


def test_a_pool_has_the_distribution_of_the_noise():
    counts = np.array([300, 9000, 4000, 2000, 500, 400, 399, 30, 10, 2])
    pools = [noise_pool(cumulative_noise(counts, 0.75), 2000, stream) for stream in range(50)]
    drawn = np.bincount(np.concatenate(pools), minlength=10)
    expected = counts**0.75 / (counts**0.75).sum() * drawn.sum()
    assert stats.chisquare(drawn, expected).pvalue > 0.01
    assert pools[0].tolist() != pools[1].tolist()
    assert pools[0].tolist() == noise_pool(cumulative_noise(counts, 0.75), 2000, 0).tolist()


def test_a_pool_is_that_of_numpys_search():
    cumulative = cumulative_noise(ZIPF, 0.75)
    np.testing.assert_allclose(cumulative, np.cumsum(ZIPF**0.75), rtol=1e-12)
    draws = np.array([splitmix64(9 + i * GOLDEN) >> 11 for i in range(500)]) / 2**53 * cumulative[-1]
    assert noise_pool(cumulative, 500, 9).tolist() == np.searchsorted(cumulative, draws, side="right").tolist()


def test_thresholds_of_some_words_are_those_of_all():
    some = keep_thresholds(ZIPF[5:9], 1e-4, int(ZIPF.sum()))
    assert some.tolist() == keep_thresholds(ZIPF, 1e-4)[5:9].tolist()
