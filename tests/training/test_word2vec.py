"""word2vec as a method: initial values, tables, the learning rate by position, and what it learns."""

from dataclasses import replace

import numpy as np
import pytest

from w2vspark.base.schemas import CONTEXT, WORDS
from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.random import hash_of
from w2vspark.kernels.rows import aligned_rows
from w2vspark.kernels.word2vec.huffman import huffman_paths
from w2vspark.training.lanes import Matrix, Slice, make_matrix
from w2vspark.training.word2vec import slices as word2vec
from w2vspark.training.word2vec.plan import matrix_shapes
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.slices import fill_initial, make_tables, train_slice

TRAINING = Word2VecTraining(
    dimensions=20,
    shards=1,
    lanes=1,
    rounds_per_epoch=1,
    lane_merge_tokens=10**9,
    learning_rate=0.05,
    subsample=0.0,
    negatives=5,
    negative_pool=0,
)


def a_slice(pieces: list[list[int]]) -> Slice:
    tokens = [sum(word >= 0 for word in piece) for piece in pieces]
    return Slice(
        ids=np.array([word for piece in pieces for word in piece], np.int32),
        starts=np.cumsum([0] + [len(piece) for piece in pieces], dtype=np.int64),
        tokens=np.array(tokens, np.int64),
        buckets=np.arange(len(pieces), dtype=np.int32) // 3 + 5,
        numbers=np.arange(len(pieces), dtype=np.int32) % 3,
    )


def matrices_of(words: int, training: Word2VecTraining) -> list[Matrix]:
    made = [make_matrix(shape, int(training.lanes)) for shape in matrix_shapes(training, words)]
    for matrix in made:
        fill_initial(matrix.shape.name, 0, training, matrix.base)
    return made


def test_the_context_matrix_has_a_void_row_more_in_memory():
    assert [len(matrix.base) for matrix in matrices_of(7, TRAINING)] == [7, 8]


def test_words_start_within_half_a_dth_of_zero_and_the_context_at_zero():
    rows = aligned_rows(500, 24)
    fill_initial(WORDS, 0, TRAINING, rows)
    values = rows[:, :20]
    assert np.abs(values).max() <= 0.5 / 20 and values.min() < -0.49 / 20 and values.max() > 0.49 / 20
    assert abs(float(values.mean(dtype=float))) < 5 * (1 / 20 / 12**0.5) / 10_000**0.5
    assert (rows[:, 20:] == 0).all()
    rows[:] = 7
    fill_initial(CONTEXT, 0, TRAINING, rows)
    assert (rows == 0).all()


def test_initial_values_do_not_depend_on_the_block_and_change_with_the_seed():
    whole, part, other = (aligned_rows(rows, 24) for rows in (50, 10, 50))
    fill_initial(WORDS, 0, TRAINING, whole)
    fill_initial(WORDS, 30, TRAINING, part)
    fill_initial(WORDS, 0, replace(TRAINING, seed=2), other)
    assert part.tobytes() == whole[30:40].tobytes()
    assert (other[:, :20] != whole[:, :20]).mean() > 0.99


def test_tables_follow_the_config():
    counts = np.array([500, 50, 5], np.int64)
    tables = make_tables(counts, replace(TRAINING, subsample=1e-2, noise_exponent=0.5))
    assert (tables.keep == keep_thresholds(counts, 1e-2)).all()
    assert (tables.noise == alias_table(counts, 0.5)).all()
    paths = make_tables(counts, replace(TRAINING, method="cbow-hs")).paths
    assert (paths.nodes == huffman_paths(counts).nodes).all()


def called_with(monkeypatch, training: Word2VecTraining, text: Slice, epoch: int, start: int, tokens: int, total: int):
    """The arguments of train_pieces, by name, for every call."""
    names = ["inputs", "outputs", "input_updates", "output_updates", "ids", "starts", "streams", "rates"]
    names += ["tables", "objective", "columns"]
    calls = []

    def record(*arguments):
        calls.append(dict(zip(names, arguments, strict=True)))
        return 1.0, 2, 3

    monkeypatch.setattr(word2vec, "train_pieces", record)
    tables = make_tables(np.array([9, 5, 3, 2], np.int64), training)
    returned = train_slice(matrices_of(4, training), tables, text, training, epoch, start, tokens, total, 1)
    assert returned == (1.0 * len(calls), 2 * len(calls), 3 * len(calls))
    return calls


PIECES = [[0, 1, 2, -1, 1], [3, 0], [1] * 10, [], [2, -1, 2, -1, 2]]  # 4, 2, 10, 0 and 3 tokens


def test_a_pieces_learning_rate_follows_its_exact_position_in_the_corpus(monkeypatch):
    (call,) = called_with(monkeypatch, TRAINING, a_slice(PIECES), 2, 100, 19, 400)
    before = np.array([0, 4, 6, 16, 16])  # tokens before the piece; ends of sentences are none
    assert call["rates"].dtype == np.float32
    np.testing.assert_allclose(call["rates"], 0.05 * (1 - (100 + before) / 400), rtol=1e-6)
    assert call["starts"].tolist() == [0, 5, 7, 17, 17, 22]


def test_the_rate_counts_the_words_of_all_shards(monkeypatch):
    # This shard's 19 tokens stand for the 190 that all shards train side by side.
    (call,) = called_with(monkeypatch, TRAINING, a_slice(PIECES), 0, 0, 190, 1000)
    np.testing.assert_allclose(call["rates"], 0.05 * (1 - np.array([0, 40, 60, 160, 160]) / 1000), rtol=1e-6)


def test_the_rate_starts_at_the_configured_one_and_ends_at_the_floor(monkeypatch):
    training = replace(TRAINING, learning_rate_floor=0.1)
    (first,) = called_with(monkeypatch, training, a_slice(PIECES), 0, 0, 19, 400)
    (last,) = called_with(monkeypatch, training, a_slice(PIECES), 4, 381, 19, 400)
    assert first["rates"][0] == np.float32(0.05)
    np.testing.assert_allclose(last["rates"], 0.05 * 0.1, rtol=1e-6)


@pytest.mark.parametrize("lanes, merge_tokens", [(1, 250), (2, 100), (4, 50)])
def test_with_lanes_the_rate_is_still_that_of_the_position_of_their_step(monkeypatch, lanes, merge_tokens):
    random = np.random.default_rng(1)
    text = a_slice([[0] * n for n in random.integers(1, 20, 200)])
    total = int(text.tokens.sum())
    training = replace(TRAINING, lanes=lanes, lane_merge_tokens=merge_tokens, learning_rate=1.0)
    calls = called_with(monkeypatch, training, text, 0, 0, total, total)
    steps = len(calls) // lanes
    assert steps > 3
    for number, call in enumerate(calls):
        done = 1 - call["rates"].astype(float)
        assert done[0] == pytest.approx(number // lanes / steps, abs=40 / total)
        assert (np.diff(done) > 0).all() and done[-1] < (number // lanes + 1) / steps


def test_each_piece_draws_from_the_hash_of_seed_epoch_bucket_and_piece(monkeypatch):
    (call,) = called_with(monkeypatch, replace(TRAINING, seed=9), a_slice(PIECES), 3, 0, 19, 100)
    assert call["streams"].tolist() == [
        int(hash_of(9, 3, *place)) for place in [(5, 0), (5, 1), (5, 2), (6, 0), (6, 1)]
    ]


def test_a_pieces_training_does_not_depend_on_where_the_slice_was_cut():
    random = np.random.default_rng(4)
    pieces = [random.integers(0, 30, 50).tolist() for _ in range(6)]
    whole = a_slice(pieces)
    tables = make_tables(np.bincount(whole.ids, minlength=30).astype(np.int64), TRAINING)
    at_once, in_parts = matrices_of(30, TRAINING), matrices_of(30, TRAINING)
    train_slice(at_once, tables, whole, TRAINING, 0, 0, 300, 3000, 1)
    for first, last in [(0, 2), (2, 6)]:
        part = Slice(
            whole.ids[first * 50 : last * 50], whole.starts[first : last + 1] - first * 50, whole.tokens[first:last],
            whole.buckets[first:last], whole.numbers[first:last],
        )  # fmt: skip
        train_slice(in_parts, tables, part, TRAINING, 0, first * 50, (last - first) * 50, 3000, 1)
    for one, other in zip(at_once, in_parts, strict=True):
        np.testing.assert_allclose(one.base, other.base, rtol=0, atol=1e-7)
        assert (one.updates == other.updates).all()


@pytest.mark.parametrize("change", [{"seed": 2}, {"epoch": 1}], ids=str)
def test_another_seed_or_epoch_gives_another_result(change):
    text = a_slice([[0, 1, 2, 3] * 10] * 3)
    results = []
    for setting in ({}, {}, change):
        training = replace(TRAINING, seed=setting.get("seed", 1))
        matrices = matrices_of(4, TRAINING)  # the same initial values for all
        tables = make_tables(np.full(4, 30), training)
        train_slice(matrices, tables, text, training, setting.get("epoch", 0), 0, 120, 120, 1)
        results.append(matrices[0].base.tobytes())
    assert results[0] == results[1] != results[2]


def planted(topics: int, size: int, pieces: int) -> Slice:
    """Pieces of 100 words of one topic each, and every third word one that stands everywhere."""
    random = np.random.default_rng(5)
    made = []
    for piece in range(pieces):
        words = random.integers(0, size, 100) + (piece % topics) * size
        words[::3] = topics * size + random.integers(0, 5, words[::3].size)
        made.append(words.tolist())
    return a_slice(made)


@pytest.mark.parametrize("lanes", [1, 2])
def test_the_loss_falls_and_words_of_one_topic_become_neighbours(lanes):
    training = replace(TRAINING, lanes=lanes, lane_merge_tokens=5000, learning_rate=0.05)
    text = planted(topics=4, size=10, pieces=600)
    tables = make_tables(np.bincount(text.ids, minlength=45).astype(np.int64), training)
    matrices, tokens, losses = matrices_of(45, training), int(text.tokens.sum()), []
    for epoch in range(4):
        loss, terms, _ = train_slice(matrices, tables, text, training, epoch, epoch * tokens, tokens, 4 * tokens, 2)
        losses.append(loss / terms)
    assert losses[-1] < losses[0] < np.log(2) * 1.01, losses
    rows = matrices[0].base[:40, :20].astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similar = rows @ rows.T - 2 * np.eye(40)
    nearest = np.argsort(-similar, axis=1)[:, :5]
    assert (nearest // 10 == np.arange(40)[:, None] // 10).mean() > 0.97


def test_the_shortcuts_rank_the_contexts_that_the_softmax_finds():
    # Twelve words in three topics; a word's true contexts are the others of its topic. The softmax is the oracle.
    topics, size = 3, 4
    random = np.random.default_rng(2)
    pieces = [(random.integers(0, size, 60) + topic % topics * size).tolist() for topic in range(150)]
    text, tokens = a_slice(pieces), 150 * 60
    counts = np.sort(np.bincount(text.ids, minlength=12))[::-1].astype(np.int64)
    order = np.argsort(-np.bincount(text.ids, minlength=12), kind="stable")  # ids run from the most frequent word
    text.ids = np.argsort(order).astype(np.int32)[text.ids]
    topic_of = order // size
    for model in ("skipgram", "cbow"):
        ranked = {}
        for loss in ("softmax", "ns", "hs"):
            training = replace(
                TRAINING, method=f"{model}-{loss}", negatives=5 if loss == "ns" else 0, learning_rate=0.1, dimensions=8
            )
            matrices, tables = matrices_of(12, training), make_tables(counts, training)
            for epoch in range(6):
                train_slice(matrices, tables, text, training, epoch, epoch * tokens, tokens, 6 * tokens, 1)
            inputs, outputs = (matrix.base[:, :8].astype(float) for matrix in matrices)
            logits = inputs[:12] @ outputs[:-1].T
            if loss == "hs":
                paths = tables.paths
                signs, share = 1.0 - 2.0 * paths.codes, np.zeros((12, 12))
                for word in range(12):
                    own = slice(*paths.starts[word : word + 2])
                    share[:, word] = -np.logaddexp(0.0, -signs[own] * logits[:, paths.nodes[own]]).sum(axis=1)
                assert np.exp(share).sum(axis=1) == pytest.approx(np.ones(12), abs=1e-9)
                logits = share
            ranked[loss] = np.argsort(-logits, axis=1)[:, :size]
        for loss, best in ranked.items():
            assert (topic_of[best] == topic_of[:, None]).all(), (model, loss)
            assert {tuple(sorted(row)) for row in best} == {tuple(sorted(row)) for row in ranked["softmax"]}
