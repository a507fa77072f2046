"""What a worker does in word2vec: make initial values, read slices and their tables, and train slices."""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from w2vspark.base.schemas import WORDS
from w2vspark.kernels.noise import alias_table, cumulative_noise, keep_thresholds, noise_pool
from w2vspark.kernels.random import fill_streams, fill_uniform_rows, hash_of
from w2vspark.kernels.word2vec.arguments import Objective, Tables, pool_table
from w2vspark.kernels.word2vec.huffman import paths_of_words
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.stages.encoded import count_tokens, piece_numbers, read_buckets
from w2vspark.stages.vocabulary import vocabulary_counts
from w2vspark.storage.listed import file_names
from w2vspark.training.lanes import Matrix, Slice, train_lanes
from w2vspark.training.plan import SliceSet
from w2vspark.training.trainer import Share
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.subwords import read_subwords

if TYPE_CHECKING:
    from w2vspark.training.word2vec.trainer import Word2Vec

_POOL = 0x9001  # gives the pools random numbers of their own


def objective(training: Word2VecTraining) -> Objective:
    """The kernel's objective. training: resolved."""
    return Objective(
        cbow=training.model == "cbow",
        loss=training.loss,
        window=training.window,
        negatives=int(training.negatives),
        sum_gradient=training.cbow_gradient == "sum",
        adagrad=training.adagrad_initial if training.optimizer == "adagrad" else 0.0,
    )


def make_tables(counts: np.ndarray, training: Word2VecTraining) -> Tables:
    """The kernel's tables. counts: of the vocabulary, int64 (V,). With negative pools there is no noise table."""
    keep = keep_thresholds(counts, training.subsample)
    if training.loss == "ns" and training.negative_pool:
        return Tables(keep)
    if training.loss == "hs":
        return Tables(keep, paths=paths_of_words(counts))
    if training.loss == "softmax":
        return Tables(keep)
    return Tables(keep, alias_table(counts, training.noise_exponent))


def draw_pool(cumulative: np.ndarray, training: Word2VecTraining, slice_set: SliceSet, shard: int) -> np.ndarray:
    """The pool of words for a slice's negatives, int64 (negative_pool,). A word may be in it several times.

    cumulative: from cumulative_noise. The draws depend on the seed and the slice alone.
    """
    stream = hash_of(training.seed, slice_set.start, shard, _POOL)
    return noise_pool(cumulative, int(training.negative_pool), stream)


def fill_initial(name: str, first: int, training: Word2VecTraining, rows: np.ndarray) -> None:
    """Fill rows first, first + 1, … with initial values: words uniform in +-0.5/D, others 0, as in word2vec.c."""
    if name == WORDS:
        fill_uniform_rows(training.seed, 0, first, 1.0 / training.dimensions, training.dimensions, rows)
    else:
        rows[:] = 0.0


def learning_rate(training: Word2VecTraining, done: Any) -> Any:
    """The rate after the share `done` of the run's tokens. It falls linearly, to the share learning_rate_floor."""
    return float(training.learning_rate) * np.maximum(training.learning_rate_floor, 1.0 - done)


def train_slice(
    matrices: list[Matrix],
    tables: Tables,
    text: Slice,
    training: Word2VecTraining,
    epoch: int,
    start: int,
    tokens: int,
    total: int,
    threads: int,
) -> tuple[float, int, int]:
    """Train one slice; returns (loss, terms of the loss, centres).

    The learning rate falls with the tokens of all shards: `start` before this slice set, `tokens` in it, `total` in the
    run.
    """
    streams = np.empty(text.tokens.size, np.uint64)
    fill_streams(training.seed, epoch, text.buckets, text.numbers, streams)

    def rate_at(share: np.ndarray) -> np.ndarray:
        return np.asarray(learning_rate(training, (start + share * tokens) / total), np.float32)

    inputs, outputs = matrices
    chosen = objective(training)

    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        return train_pieces(
            inputs.lanes[lane],
            outputs.lanes[lane],
            inputs.lane_updates[lane],
            outputs.lane_updates[lane],
            text.ids,
            text.starts[first : last + 1],
            streams[first:last],
            rates,
            tables,
            chosen,
            training.dimensions,
        )

    return train_lanes(
        matrices, text.tokens, int(training.lane_merge_tokens), training.combine, threads, rate_at, train
    )


def read_slice(uri: str, first: int, last: int) -> Slice:
    """The pieces of buckets first … last - 1 as flat arrays, in the order (bucket, doc_id, piece)."""
    keys, starts, ids = read_buckets(uri, first, last)
    buckets = keys["bucket"].to_numpy()
    pa.default_memory_pool().release_unused()  # twice the size of ids; the matrices' copies need it
    return Slice(ids, starts, count_tokens(starts, ids), buckets, piece_numbers(buckets))


def slices_of(shard: int, slice_sets: tuple[SliceSet, ...], of: "Word2Vec") -> Iterator[tuple[Slice, Tables]]:
    """Yield the shard's slices of the round, each with its tables."""
    tables = _tables(of.vocabulary_uri, file_names(of.vocabulary_uri), of.training)
    if of.subwords is not None:
        tables = replace(tables, subwords=read_subwords(of.subwords))
    whole_corpus = of.training.shards == 1 and float(of.training.rounds_per_epoch) <= 1
    for slice_set in slice_sets:
        if whole_corpus:  # every round needs the same slice: a worker keeps it
            text = _kept_slice(of.encoded_uri, file_names(of.encoded_uri), *slice_set.ranges[shard])
        else:
            text = read_slice(of.encoded_uri, *slice_set.ranges[shard])
        if of.training.negative_pool:
            _, cumulative = read_counts(of.vocabulary_uri, of.training)
            pool = draw_pool(cumulative, of.training, slice_set, shard)
            tables = replace(tables, noise=pool_table(pool))
        yield text, tables


def share_of(shard: int, slice_sets: tuple[SliceSet, ...], of: "Word2Vec") -> Share:
    """A shard's slices and pools, and the words in them. Ids are renumbered to positions in these words."""
    counts, cumulative = read_counts(of.vocabulary_uri, of.training)
    total = int(counts.sum())
    slices = [read_slice(of.encoded_uri, *slice_set.ranges[shard]) for slice_set in slice_sets]
    pools = [draw_pool(cumulative, of.training, slice_set, shard) for slice_set in slice_sets]
    held = np.zeros(counts.size, bool)
    for text, pool in zip(slices, pools, strict=True):
        held[text.ids[text.ids >= 0]] = True
        held[pool] = True
    words = np.flatnonzero(held)
    positions = np.cumsum(held, dtype=np.int32) - 1  # in words
    keep = keep_thresholds(counts[words], of.training.subsample, total)
    found = []
    for text, pool in zip(slices, pools, strict=True):
        ids = np.where(text.ids >= 0, positions[text.ids], np.int32(-1))
        found.append((replace(text, ids=ids), Tables(keep, pool_table(positions[pool]))))
    return Share(words, found)


@lru_cache(maxsize=1)
def _tables(uri: str, _files: tuple[str, ...], training: Word2VecTraining) -> Tables:
    return make_tables(vocabulary_counts(uri), training)


def read_counts(uri: str, training: Word2VecTraining) -> tuple[np.ndarray, np.ndarray]:
    """The counts, int64 (V,), and the cumulative noise for drawing pools, float64 (V,)."""
    return _read_counts(uri, file_names(uri), training.noise_exponent)


@lru_cache(maxsize=1)
def _read_counts(uri: str, _files: tuple[str, ...], exponent: float) -> tuple[np.ndarray, np.ndarray]:
    counts = vocabulary_counts(uri)
    return counts, cumulative_noise(counts, exponent)


@lru_cache(maxsize=1)
def _kept_slice(uri: str, _files: tuple[str, ...], first: int, last: int) -> Slice:
    return read_slice(uri, first, last)


def forget_kept() -> None:
    """Free what a worker keeps for its next round."""
    for kept in (_tables, _read_counts, _kept_slice):
        kept.cache_clear()
