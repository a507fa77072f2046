import threading

import numpy as np
import pytest
from replicas import of_replicas

from w2vspark.kernels.combine import combine_changes
from w2vspark.kernels.rows import aligned_rows, stride_of
from w2vspark.training.lanes import Slice, TrainLane, lane_pieces, make_matrix, train_lanes
from w2vspark.training.plan import MatrixShape
from w2vspark.training.word2vec.plan import matrix_shapes
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.slices import fill_initial, make_tables, train_slice

PIECES = {
    "even": np.full(40, 100),
    "uneven": np.random.default_rng(1).integers(1, 1000, 40),
    "empty ones": np.where(np.arange(40) % 3 == 0, 0, 50),
    "one large": np.array([5] * 10 + [1000] + [5] * 10),
    "a single one": np.array([70]),
    "all empty": np.zeros(6, int),
    "none": np.zeros(0, int),
}


@pytest.mark.parametrize("columns, stride", [(1, 8), (8, 8), (9, 16), (100, 104)])
def test_rows_start_at_zero_on_a_cache_line_with_a_stride_of_eight_floats(columns, stride):
    for _ in range(5):
        rows = aligned_rows(7, stride_of(columns))
        assert rows.shape == (7, stride) and rows.dtype == np.float32 and rows.flags.c_contiguous
        assert rows.ctypes.data % 64 == 0 and not rows.any()


def test_one_lane_is_the_base_itself_and_several_are_copies():
    alone, three = (make_matrix(MatrixShape("words", 5, 10), lanes) for lanes in (1, 3))
    assert np.shares_memory(alone.base, alone.lanes) and np.shares_memory(alone.updates, alone.lane_updates)
    assert not np.shares_memory(three.base, three.lanes)
    assert three.lanes.shape == (3, 5, 16) and three.lane_updates.shape == (3, 5) and three.updates.shape == (5,)


@pytest.mark.parametrize("merge_tokens", [1, 100, 1000, 10**9])
@pytest.mark.parametrize("lanes", [1, 2, 3, 8])
@pytest.mark.parametrize("tokens", PIECES.values(), ids=PIECES.keys())
def test_steps_cover_all_pieces_in_order_in_balanced_runs(tokens, lanes, merge_tokens):
    steps = lane_pieces(tokens.astype(np.int64), lanes, merge_tokens)
    assert steps and all(len(runs) == lanes for runs in steps)
    flat = [run for runs in steps for run in runs]
    assert all(first <= last for first, last in flat)
    assert [piece for first, last in flat for piece in range(first, last)] == list(range(tokens.size))
    sums = np.array([tokens[first:last].sum() for first, last in flat])
    assert np.abs(sums - tokens.sum() / len(flat)).max() <= tokens.max(initial=0) + 1


@pytest.mark.parametrize("lanes, merge_tokens, steps", [(1, 1000, 4), (2, 1000, 2), (4, 1000, 1), (2, 10**9, 1)])
def test_a_lane_trains_about_merge_tokens_between_two_merges(lanes, merge_tokens, steps):
    assert len(lane_pieces(np.full(40, 100), lanes, merge_tokens)) == steps


def corpus(words: int, pieces: int, seed: int) -> Slice:
    random = np.random.default_rng(seed)
    tokens = random.integers(0, 120, pieces)
    ids = np.minimum(random.zipf(1.3, tokens.sum()) - 1, words - 1).astype(np.int32)
    return Slice(
        ids=ids,
        starts=np.concatenate([[0], np.cumsum(tokens)]).astype(np.int64),
        tokens=tokens.astype(np.int64),
        buckets=np.arange(pieces, dtype=np.int32) // 4,
        numbers=np.arange(pieces, dtype=np.int32) % 4,
    )


def trained(
    lanes: int, threads: int, rule: str = "adasum", merge_tokens: int = 300, **more: object
) -> tuple[list, tuple]:
    training = Word2VecTraining(
        dimensions=20, shards=1, lanes=lanes, rounds_per_epoch=1, lane_merge_tokens=merge_tokens, learning_rate=0.05,
        subsample=0.01, combine=rule, **({"negatives": 5, "negative_pool": 0} | more),
    )  # fmt: skip
    text = corpus(100, 60, seed=1)
    tables = make_tables(np.bincount(text.ids, minlength=100).astype(np.int64) + 1, training)
    matrices = [make_matrix(shape, lanes) for shape in matrix_shapes(training, 100)]
    for matrix in matrices:
        fill_initial(matrix.shape.name, 0, training, matrix.base)
    total = int(text.tokens.sum())
    returned = train_slice(matrices, tables, text, training, 0, 0, total, total, threads)
    return matrices, returned


@pytest.mark.parametrize("rule", ["mean", "adasum"])
@pytest.mark.parametrize("lanes", [1, 2, 3, 5])
def test_1_2_and_3_threads_give_the_same_bytes(lanes, rule):
    (alone, returned), *others = [trained(lanes, threads, rule) for threads in (1, 2, 3)]
    assert [matrix.shape.name for matrix in alone] == ["words", "context"]
    assert returned[2] > 1000
    for matrices, also in others:
        assert also == returned
        for one, other in zip(alone, matrices, strict=True):
            assert one.base.tobytes() == other.base.tobytes() and np.abs(one.base).max() > 0
            assert one.updates.tobytes() == other.updates.tobytes()


def test_the_number_of_lanes_and_of_merges_is_part_of_the_result():
    results = {trained(lanes, 1, merge_tokens=m)[0][0].base.tobytes() for lanes, m in [(1, 300), (2, 300), (2, 900)]}
    assert len(results) == 3


def test_updates_of_all_lanes_and_steps_are_counted():
    matrices, (_, _, centres) = trained(3, 2)
    words, context = matrices
    assert (words.lane_updates == 0).all() and (context.lane_updates == 0).all()
    assert context.updates.sum() == centres * 6, "a centre and five negatives, the void row's share included"
    assert (words.base[words.updates > 0] != 0).any(axis=1).all()
    assert (context.base[:100][context.updates[:100] == 0] == 0).all()
    assert (context.base[100] == 0).all(), "the void row"


@pytest.mark.parametrize("rule", ["mean", "adasum"])
def test_every_step_starts_from_the_combination_of_the_lanes_before(rule):
    # Two steps of three lanes that add a known change to known rows; the oracle combines them one after the other.
    random = np.random.default_rng(3)
    changes = random.integers(-64, 64, (6, 10, 8)).astype(np.float32) / 64
    counts = random.integers(0, 4, (6, 10)).astype(np.int32)
    changes[counts == 0] = 0
    matrix = make_matrix(MatrixShape("words", 10, 8), 3)
    matrix.base[:] = random.integers(-64, 64, (10, 8)) / 64
    expected, calls = matrix.base.copy(), []

    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        at = first // 10
        calls.append((lane, first, last))
        matrix.lanes[lane] += changes[at]
        matrix.lane_updates[lane] += counts[at]
        return 0.5, 2, 3

    tokens = np.full(60, 10, np.int64)
    returned = train_lanes([matrix], tokens, 100, rule, 2, lambda share: share.astype(np.float32), train)
    for step in range(2):
        part = slice(step * 3, step * 3 + 3)
        combine_changes(rule, of_replicas(changes[part], counts[part]), expected)
    assert sorted(calls) == [(0, 0, 10), (0, 30, 40), (1, 10, 20), (1, 40, 50), (2, 20, 30), (2, 50, 60)]
    np.testing.assert_allclose(matrix.base, expected, rtol=0, atol=1e-6)
    assert (matrix.updates == counts.sum(axis=0)).all()
    assert returned == (3.0, 12, 18)


def test_the_rate_falls_over_the_slice_alike_in_every_lane():
    matrix = make_matrix(MatrixShape("words", 4, 8), 2)
    seen = {}

    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        seen[lane, first, last] = rates.tolist()
        return 0.0, 0, 0

    train_lanes([matrix], np.full(16, 10, np.int64), 40, "mean", 1, lambda share: share, train)
    first, second = [0, 0.125, 0.25, 0.375], [0.5, 0.625, 0.75, 0.875]
    assert seen == {(0, 0, 4): first, (1, 4, 8): first, (0, 8, 12): second, (1, 12, 16): second}


def run_lanes(train: TrainLane, lanes: int, merge_tokens: int, threads: int) -> None:
    """Four pieces of ten tokens, and a matrix that does not matter."""
    matrix = make_matrix(MatrixShape("w", 4, 8), lanes)
    train_lanes([matrix], np.full(4, 10, np.int64), merge_tokens, "mean", threads, lambda share: share, train)


def test_an_error_in_a_lane_is_raised():
    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        if lane == 1:
            raise ValueError("lane 1 fails")
        return 0.0, 0, 0

    with pytest.raises(ValueError, match="lane 1 fails"):
        run_lanes(train, lanes=2, merge_tokens=5, threads=2)


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_threads_than_asked_for_run_lanes(threads):
    running, most, lock = set(), [0], threading.Lock()
    together = threading.Barrier(threads)

    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        with lock:
            running.add(lane)
            most[0] = max(most[0], len(running))
        together.wait(timeout=30)  # all threads are inside at once
        with lock:
            running.discard(lane)
        return 0.0, 0, 0

    run_lanes(train, lanes=4, merge_tokens=10, threads=threads)
    assert most[0] == threads
