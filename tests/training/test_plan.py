import os
from collections import Counter
from dataclasses import asdict, replace

import numpy as np
import pytest

from w2vspark.base.errors import ConfigError
from w2vspark.spark.placement import equal_ranges
from w2vspark.training.plan import MatrixShape, combining_blocks
from w2vspark.training.word2vec.plan import check_vocabulary, matrix_shapes, resolve, rounds_of, worker_bytes
from w2vspark.training.word2vec.settings import WarmStartConfig, Word2VecTraining

BUCKETS = {
    "even": np.full(64, 1000),
    "uneven": np.random.default_rng(1).integers(1, 5000, 64),
    "one large": np.array([10] * 20 + [100_000] + [10] * 43),
    "many empty": np.where(np.arange(64) % 5 == 0, 700, 0),
    "few": np.array([5, 6, 7]),
    "all empty": np.zeros(10, int),
}


def config(**changes) -> Word2VecTraining:
    settled = Word2VecTraining(shards=1, lanes=1, rounds_per_epoch=1, lane_merge_tokens=1000, learning_rate=0.025)
    return replace(settled, **changes)


@pytest.mark.parametrize("count", [1, 2, 3, 8, 40])
@pytest.mark.parametrize("tokens", BUCKETS.values(), ids=BUCKETS.keys())
def test_ranges_cover_all_buckets_in_order_and_are_as_equal_as_a_bucket_allows(tokens, count):
    ranges = equal_ranges(tokens.astype(np.int64), count)
    assert len(ranges) == count
    assert [bucket for first, last in ranges for bucket in range(first, last)] == list(range(len(tokens)))
    assert all(0 <= first <= last <= len(tokens) for first, last in ranges)
    starts = np.array([tokens[:first].sum() for first, _ in ranges])
    wanted = np.arange(count) * tokens.sum() / count
    assert np.abs(starts - wanted).max() <= tokens.max() / 2 + 1, "half a bucket from where equal parts begin"


def test_equal_buckets_make_equal_ranges():
    assert equal_ranges(np.full(12, 7), 4) == [(0, 3), (3, 6), (6, 9), (9, 12)]
    assert equal_ranges(np.array([1, 1, 4, 1, 1]), 3) == [(0, 2), (2, 3), (3, 5)]


@pytest.mark.parametrize("rounds", [0.2, 0.34, 0.5, 1, 2, 10])
@pytest.mark.parametrize("shards", [1, 2, 8])
@pytest.mark.parametrize("tokens", BUCKETS.values(), ids=BUCKETS.keys())
def test_every_bucket_is_trained_once_in_every_epoch_and_positions_add_up(tokens, shards, rounds):
    planned = rounds_of(tokens.astype(np.int64), config(shards=shards, rounds_per_epoch=rounds, epochs=5))
    assert [r.number for r in planned] == list(range(1, len(planned) + 1))
    trained: dict[int, Counter] = {epoch: Counter() for epoch in range(5)}
    position, last_epoch = 0, 0
    for part in (part for r in planned for part in r.slice_sets):
        assert len(part.ranges) == shards
        assert part.start == position and part.epoch >= last_epoch
        assert part.tokens == sum(tokens[first:last].sum() for first, last in part.ranges)
        position += part.tokens
        last_epoch = part.epoch
        for first, last in part.ranges:
            trained[part.epoch].update(range(first, last))
    assert position == 5 * tokens.sum()
    assert all(counted == Counter(range(len(tokens))) for counted in trained.values())


@pytest.mark.parametrize(
    "rounds, epochs, grouped",
    [
        (10, 1, [1] * 10),
        (2, 3, [1] * 6),
        (1, 3, [1] * 3),
        (0.5, 5, [2, 2, 1]),
        (1 / 3, 7, [3, 3, 1]),
        (0.2, 5, [5]),
        (1 / 30, 30, [30]),
    ],
)
def test_less_than_one_round_an_epoch_groups_epochs(rounds, epochs, grouped):
    planned = rounds_of(np.full(20, 100), config(rounds_per_epoch=rounds, epochs=epochs))
    assert [len(r.slice_sets) for r in planned] == grouped
    if rounds <= 1:
        assert [part.epoch for r in planned for part in r.slice_sets] == list(range(epochs))


def test_rounds_are_balanced():
    tokens = np.random.default_rng(2).integers(500, 1500, 4096)
    planned = rounds_of(tokens, config(shards=8, rounds_per_epoch=10, epochs=2))
    sums = [int(tokens[first:last].sum()) for r in planned for part in r.slice_sets for first, last in part.ranges]
    assert len(sums) == 160 and max(sums) < 1.03 * tokens.sum() / 80


def test_the_deal_of_text_to_shards_and_slices_is_the_same_for_ever():
    # Written down once: another permutation would make a resumed run train some text twice and some never.
    planned = rounds_of(np.full(8, 10), config(shards=2, rounds_per_epoch=2, epochs=3, seed=1))
    dealt = [(part.epoch, [first for first, _ in part.ranges]) for r in planned for part in r.slice_sets]
    assert dealt == [
        (0, [2, 4]),
        (0, [6, 0]),
        (1, [0, 6]),
        (1, [4, 2]),
        (2, [2, 4]),
        (2, [6, 0]),
    ]


def test_the_deal_changes_with_seed_and_epoch():
    tokens = np.full(64, 10)

    def deals(seed: int) -> list[tuple]:
        planned = rounds_of(tokens, config(shards=8, rounds_per_epoch=8, epochs=3, seed=seed))
        parts = [part for r in planned for part in r.slice_sets]
        return [tuple(part.ranges for part in parts if part.epoch == epoch) for epoch in range(3)]

    assert len({*deals(1), *deals(2)}) == 6
    assert deals(1) == deals(1)


SIZES = [1, 1000, 350_000, 3_000_000, 17_000_000, 29_999_999, 30_000_000, 60_000_000, 64_000_001, 499_000_000]
SIZES += [500_000_000, 10**9, 3 * 10**9, 10**10, 10**11, 10**12]


def test_resolving_leaves_no_auto_and_keeps_what_was_chosen():
    for tokens in SIZES:
        settled = resolve(Word2VecTraining(), tokens, 70_000)
        assert {name for name, value in asdict(settled).items() if value == "auto"} == set()
        assert resolve(settled, tokens, 70_000) == settled
    chosen = config(shards=3, lanes=5, rounds_per_epoch=7, lane_merge_tokens=11, learning_rate=0.5)
    chosen = replace(chosen, epochs=5, optimizer="sgd", negatives=7, rows="slice", negative_pool=9)
    assert resolve(chosen, 10**9, 10**6) == chosen


def test_resolving_depends_on_sizes_and_config_alone(monkeypatch):
    def settled():
        return [
            resolve(Word2VecTraining(dimensions=d), n, v) for n in SIZES for v in (10**3, 10**7) for d in (100, 300)
        ]

    before = settled()
    monkeypatch.setattr(os, "cpu_count", lambda: 512)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(512)), raising=False)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "SPARK_LOCAL_DIRS"):
        monkeypatch.setenv(name, "77")
    assert settled() == before


@pytest.mark.parametrize("epochs", [1, 5, 30])
def test_more_tokens_never_mean_fewer_shards_slices_or_a_lower_rate(epochs):
    settled = [resolve(Word2VecTraining(epochs=epochs), tokens, 70_000) for tokens in SIZES]
    for values in (
        [s.shards for s in settled],
        [s.shards * s.rounds_per_epoch for s in settled],
        [s.learning_rate for s in settled],
    ):
        assert values == sorted(values)
    assert settled[0].shards == 1 and settled[-1].shards > 8


@pytest.mark.parametrize("shards", [1, 4, 32])
def test_with_the_shards_given_more_tokens_never_mean_fewer_rounds(shards):
    rounds = [resolve(Word2VecTraining(shards=shards), tokens, 70_000).rounds_per_epoch for tokens in SIZES]
    assert rounds == sorted(rounds) and rounds[0] < rounds[-1]


@pytest.mark.parametrize("optimizer", ["sgd", "adagrad"])
def test_the_learning_rate_grows_with_the_number_of_replicas(optimizer):
    def rates(**fixed: int) -> list[float]:
        (free,) = {"shards", "lanes"} - set(fixed)
        configs = [Word2VecTraining(optimizer=optimizer, **{free: count}, **fixed) for count in (1, 2, 4, 8, 16, 32)]
        return [resolve(chosen, 10**7, 1000).learning_rate for chosen in configs]

    assert 0 < rates(lanes=1)[0] < rates(lanes=1)[2] and rates(lanes=1) == sorted(rates(lanes=1))
    assert rates(shards=1) == rates(lanes=1)


@pytest.mark.parametrize("tokens", [350_000, 17_000_000, 2 * 10**9, 10**11])
def test_slices_stay_small_enough_for_a_worker_and_rounds_do_not_outnumber_epochs_on_small_text(tokens):
    for epochs in (1, 5, 30):
        settled = resolve(Word2VecTraining(epochs=epochs), tokens, 70_000)
        assert tokens / (settled.shards * max(1, settled.rounds_per_epoch)) <= 64_000_000
        assert 1 / settled.rounds_per_epoch <= epochs
        assert settled.lane_merge_tokens >= 1 and settled.lanes >= 1


@pytest.mark.parametrize("dimensions, stride", [(1, 8), (8, 8), (9, 16), (100, 104), (300, 304), (304, 304)])
def test_the_model_is_two_matrices_of_rows_padded_to_eight_floats(dimensions, stride):
    shapes = matrix_shapes(Word2VecTraining(dimensions=dimensions), 1000)
    assert sum(shape.bytes for shape in shapes) == 2 * 1000 * stride * 4


def test_inner_nodes_are_one_less_than_words_and_adagrad_keeps_a_float_with_each_row():
    words, nodes = matrix_shapes(Word2VecTraining(method="cbow-hs", dimensions=10, optimizer="adagrad"), 1000)
    assert (words.name, words.rows, words.void) == ("words", 1000, 0)
    assert (nodes.name, nodes.rows, nodes.void) == ("nodes", 999, 1)
    assert words.width == nodes.width == 11 and nodes.bytes == 999 * 24 * 4


@pytest.mark.parametrize("shards, optimizer, rate", [(1, "sgd", 0.035), (2, "adagrad", 0.099), (32, "adagrad", 0.15)])
def test_several_shards_train_with_adagrad_and_one_without(shards, optimizer, rate):
    settled = resolve(Word2VecTraining(shards=shards), 10**7, 70_000)
    assert settled.optimizer == optimizer and settled.learning_rate == pytest.approx(rate, rel=0.02)
    with_subwords = resolve(Word2VecTraining(shards=shards), 10**7, 70_000, subwords=True)
    assert with_subwords.optimizer == "sgd"
    assert resolve(Word2VecTraining(shards=shards, optimizer="sgd"), 10**7, 70_000).optimizer == "sgd"


def test_hierarchical_softmax_has_a_smaller_rate():
    for lanes, rate in ((1, 0.018), (2, 0.0255)):
        settled = resolve(Word2VecTraining(method="skipgram-hs", lanes=lanes), 10**7, 70_000)
        assert settled.optimizer == "sgd" and settled.learning_rate == pytest.approx(rate, rel=0.01)
    with_adagrad = [
        resolve(Word2VecTraining(method=f"skipgram-{loss}", shards=4), 10**7, 70_000) for loss in ("hs", "ns")
    ]
    assert with_adagrad[0].learning_rate == with_adagrad[1].learning_rate


def test_a_large_model_is_read_by_slices_with_pools_that_grow_with_them():
    assert resolve(Word2VecTraining(), 10**9, 1_000_000).rows == "all"
    assert resolve(Word2VecTraining(), 10**9, 1_000_000).negative_pool == 0
    large = [resolve(Word2VecTraining(shards=4), tokens, 20_000_000) for tokens in (10**7, 10**8, 10**9)]
    assert [settled.rows for settled in large] == ["slice"] * 3
    assert large[0].negative_pool == 62_500 < large[1].negative_pool < large[2].negative_pool
    # A slice of 64 million tokens has a pool of 16 million: to send as many rows as there are saves nothing.
    assert resolve(Word2VecTraining(shards=4), 10**10, 20_000_000).rows == "all"
    assert resolve(Word2VecTraining(shards=4), 10**10, 100_000_000).rows == "slice"
    assert resolve(Word2VecTraining(shards=4, rows="slice"), 10**10, 20_000_000).negative_pool > 10**7
    assert resolve(Word2VecTraining(method="cbow-hs"), 10**9, 6_000_000).rows == "all"
    assert resolve(Word2VecTraining(), 10**9, 6_000_000, subwords=True).rows == "all"


def test_a_warm_start_has_half_the_rate_or_its_own():
    full = resolve(Word2VecTraining(), 10**7, 70_000).learning_rate
    assert resolve(Word2VecTraining(), 10**7, 70_000, WarmStartConfig(path="x")).learning_rate == full / 2
    assert resolve(Word2VecTraining(), 10**7, 70_000, WarmStartConfig(path="x", learning_rate=0.3)).learning_rate == 0.3
    assert resolve(Word2VecTraining(), 10**7, 70_000, WarmStartConfig()).learning_rate == full


@pytest.mark.parametrize("places", [1, 2, 3, 7, 50])
def test_every_block_of_every_matrix_is_combined_at_one_place(places):
    shapes = (MatrixShape("a", 10_000, 100), MatrixShape("b", 1, 100), MatrixShape("c", 9_000, 300, state=1))
    numbered = [(shape, block) for shape in shapes for block in shape.blocks]
    found = []
    for place in range(places):
        mine = combining_blocks(shapes, places, place)
        assert sum(len(blocks) for _, blocks, _ in mine) <= -(-len(numbered) // places)
        for shape, blocks, number in mine:
            assert [(shape, block) for block in blocks] == numbered[number : number + len(blocks)]
            found += [(shape, block) for block in blocks]
    assert found == numbered


@pytest.mark.parametrize(
    "method, negatives", [("skipgram-ns", 5), ("cbow-ns", 5), ("cbow-hs", 0), ("skipgram-softmax", 0)]
)
def test_only_negative_sampling_draws_negatives(method, negatives):
    assert resolve(Word2VecTraining(method=method), 1000, 100).negatives == negatives


def test_a_vocabulary_that_a_method_cannot_train_is_refused():
    check_vocabulary(Word2VecTraining(method="cbow-softmax"), 10_000)
    with pytest.raises(ConfigError, match=r'cbow-softmax": the vocabulary has 10001 words.*choose "cbow-ns".*10000'):
        check_vocabulary(Word2VecTraining(method="cbow-softmax"), 10_001)
    check_vocabulary(Word2VecTraining(method="skipgram-hs"), 2)
    with pytest.raises(ConfigError, match=r'skipgram-hs": a tree needs two words, and the vocabulary has 1'):
        check_vocabulary(Word2VecTraining(method="skipgram-hs"), 1)


def test_a_worker_that_holds_the_rows_of_a_slice_needs_less_memory():
    settled = resolve(Word2VecTraining(dimensions=64, shards=4, rows="slice"), 40_000_000, 5_000_000)
    whole = replace(settled, rows="all", negative_pool=0)
    need = [
        worker_bytes(chosen, matrix_shapes(chosen, 5_000_000), 5_000_000, 40_000_000) for chosen in (settled, whole)
    ]
    assert need[0] < 0.4 * need[1]
