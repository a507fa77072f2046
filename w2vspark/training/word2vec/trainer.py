"""word2vec's methods for the round engine: their matrices, initial values and kernel."""

from typing import Any

import numpy as np

from w2vspark.base.schemas import WORDS
from w2vspark.config.config import TrainingConfig
from w2vspark.kernels.noise import alias_table, keep_thresholds, noise_pool
from w2vspark.kernels.random import fill_streams, fill_uniform_rows, hash_of
from w2vspark.kernels.word2vec.arguments import Objective, Tables
from w2vspark.kernels.word2vec.huffman import huffman_paths
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.training.lanes import Matrix, Slice, train_lanes
from w2vspark.training.plan import Part

_POOL = 0x9001  # tells the pools' random numbers from others


def objective(training: TrainingConfig) -> Objective:
    """What the kernel trains. training: resolved."""
    return Objective(
        cbow=training.model == "cbow",
        loss=training.loss,
        window=training.window,
        negatives=int(training.negatives),
        sum_gradient=training.cbow_gradient == "sum",
        adagrad=training.adagrad_initial if training.optimizer == "adagrad" else 0.0,
    )


def make_tables(counts: np.ndarray, training: TrainingConfig) -> Tables:
    """What the kernel draws from, from the vocabulary's counts, int64 (V,). Without noise where it comes from pools."""
    keep = keep_thresholds(counts, training.subsample)
    if training.loss == "ns" and training.negative_pool:
        return Tables(keep)
    if training.loss == "hs":
        return Tables(keep, paths=huffman_paths(counts))
    if training.loss == "softmax":
        return Tables(keep)
    return Tables(keep, alias_table(counts, training.noise_exponent))


def draw_pool(cumulative: np.ndarray, training: TrainingConfig, part: Part, shard: int) -> np.ndarray:
    """The words from which a slice's negatives come, int64 (negative_pool,), with those that were drawn twice twice.

    cumulative: of cumulative_noise. It depends on the seed and on which part of the run and shard it is, alone.
    """
    stream = hash_of(training.seed, part.start, shard, _POOL)
    return noise_pool(cumulative, int(training.negative_pool), stream)


def fill_initial(name: str, first: int, training: TrainingConfig, rows: np.ndarray) -> None:
    """Initial values of rows first, first+1, …: words uniform in +-0.5/D, all others 0, as word2vec.c."""
    if name == WORDS:
        fill_uniform_rows(training.seed, 0, first, 1.0 / training.dimensions, training.dimensions, rows)
    else:
        rows[:] = 0.0


def learning_rate(training: TrainingConfig, done: Any) -> Any:
    """The rate when the share `done` of the run's words is trained: it falls linearly, to learning_rate_floor."""
    return float(training.learning_rate) * np.maximum(training.learning_rate_floor, 1.0 - done)


def train_slice(
    matrices: list[Matrix],
    tables: Tables,
    part: Slice,
    training: TrainingConfig,
    epoch: int,
    start: int,
    tokens: int,
    total: int,
    threads: int,
) -> tuple[float, int, int]:
    """Train one slice. The learning rate falls with the words of all shards: `start` before this part,
    `tokens` in it, `total` in the run. Returns (loss, terms in it, centres)."""
    streams = np.empty(part.tokens.size, np.uint64)
    fill_streams(training.seed, epoch, part.buckets, part.numbers, streams)

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
            part.ids,
            part.starts[first : last + 1],
            streams[first:last],
            rates,
            tables,
            chosen,
            training.dimensions,
        )

    return train_lanes(
        matrices, part.tokens, int(training.lane_merge_tokens), training.combine, threads, rate_at, train
    )
