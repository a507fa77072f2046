"""Skip-gram with negative sampling as a method of the round engine: its matrices, initial values and kernel."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from w2vspark.base.config import TrainingConfig
from w2vspark.base.schemas import CONTEXT, WORDS
from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.random import fill_streams, fill_uniform_rows
from w2vspark.kernels.skipgram import train_pieces
from w2vspark.training.lanes import Matrix, Slice, train_lanes


@dataclass(slots=True)
class Tables:
    """What the kernel draws from, the same for every shard."""

    keep: np.ndarray  # uint64 (V,)
    noise: np.ndarray  # uint64 (V,)


def make_tables(counts: np.ndarray, training: TrainingConfig) -> Tables:
    """Subsampling thresholds and the noise's alias table from the vocabulary's counts, int64 (V,)."""
    return Tables(keep_thresholds(counts, training.subsample), alias_table(counts, training.noise_exponent))


def held_rows(words: int) -> dict[str, int]:
    """Rows that a worker holds of each matrix: the context matrix ends in the void row."""
    return {WORDS: words, CONTEXT: words + 1}


def fill_initial(name: str, first: int, training: TrainingConfig, rows: np.ndarray) -> None:
    """Initial values of rows first, first+1, …: words uniform in +-0.5/D, context 0, as word2vec.c."""
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
    `tokens` in it, `total` in the run. Returns (loss, pairs in it, centres)."""
    streams = np.empty(part.tokens.size, np.uint64)
    fill_streams(training.seed, epoch, part.buckets, part.numbers, streams)

    def rate_at(share: np.ndarray) -> np.ndarray:
        return np.asarray(learning_rate(training, (start + share * tokens) / total), np.float32)

    words, context = matrices

    def train(lane: int, first: int, last: int, rates: np.ndarray) -> tuple[float, int, int]:
        return train_pieces(
            words.lanes[lane],
            context.lanes[lane],
            words.lane_updates[lane],
            context.lane_updates[lane],
            part.ids,
            part.starts[first : last + 1],
            streams[first:last],
            rates,
            tables.keep,
            tables.noise,
            training.window,
            training.negatives,
        )

    return train_lanes(
        matrices, part.tokens, int(training.lane_merge_tokens), training.combine, threads, rate_at, train
    )
