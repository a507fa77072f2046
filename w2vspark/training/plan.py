"""What is trained when: the cut of the corpus into shards, slices and rounds, and the `auto` values.

All of it is a function of the bucket counts and the configuration, never of cores or executors.
"""

import hashlib
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from w2vspark.base.config import TrainingConfig

# A slice is held in memory by its worker: 64 M tokens are 256 MB, and at most some minutes of training.
SLICE_TOKENS = 64_000_000
# A round costs half a second beside its training, so small corpora train several epochs in one: some ten seconds.
ROUND_TOKENS = 60_000_000
# Of the whole run, all epochs: one shard with its lanes trains that many in some minutes, and is the best in quality.
SHARD_TOKENS = 1_250_000_000
# Between two merges in memory. Quality is the same from 250,000 to 2 million; a merge costs as much as 50,000 tokens.
LANE_TOKENS = 1_000_000
# One replica's learning rate is word2vec's; it grows with the root of their number, up to RATE_CAP times.
RATE = 0.025
RATE_CAP = 4.0
# Blocks of rows, the unit in which parameters are stored and combined.
BLOCK_BYTES = 4 << 20
BLOCK_ROWS = 4096
PROCESS_BYTES = 280_000_000  # Python with pyspark, pyarrow, numba and the compiled kernels


@dataclass(frozen=True, slots=True)
class Part:
    """One slice of every shard: what the shards train side by side."""

    epoch: int
    ranges: tuple[tuple[int, int], ...]  # per shard, first bucket and the one behind the last
    start: int  # tokens of the whole run before it
    tokens: int  # of all shards


@dataclass(frozen=True, slots=True)
class Round:
    """The work between two combinations of the shards' changes; numbers begin at 1."""

    number: int
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class RoundJob:
    """All that a task needs to know, as plain values; tables are named by their URIs and read by the task."""

    training: TrainingConfig  # resolved: no "auto"
    round: Round
    total_tokens: int  # of the whole run, all epochs
    words: int  # size of the vocabulary
    vocabulary_uri: str
    encoded_uri: str
    parameters_uri: str | None  # the last round's; None = initial values
    changes_uri: str  # the folder that takes the shards' changes until they are combined
    places: tuple[int, ...]  # keys of the partitions that combine
    threads: int  # that this task may use; never changes the result


def equal_ranges(bucket_tokens: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Cut the buckets into `count` runs with as equal sums of tokens as their order allows."""
    ends = np.concatenate([[0], np.cumsum(bucket_tokens, dtype=np.int64)])
    goals = [int(ends[-1]) * i // count for i in range(count + 1)]
    cuts = [0]
    for goal in goals[1:-1]:
        at = int(np.searchsorted(ends, goal))
        if at > 0 and goal - ends[at - 1] < ends[at] - goal:
            at -= 1
        cuts.append(max(at, cuts[-1]))
    cuts.append(len(bucket_tokens))
    return list(pairwise(cuts))


def _shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """A permutation that depends on (seed, epoch) alone, on every platform and version."""
    return sorted(range(count), key=lambda i: hashlib.blake2b(f"{seed}/{epoch}/{i}".encode(), digest_size=8).digest())


def plan_rounds(bucket_tokens: np.ndarray, training: TrainingConfig) -> list[Round]:
    """All rounds of a run.

    bucket_tokens: int64 (buckets,). training: with no `auto` left. The buckets' runs are dealt anew to
    shards and slices in every epoch, so that a shard sees other text each time.
    """
    shards = int(training.shards)
    slices = max(1, round(float(training.rounds_per_epoch)))
    parts_per_round = max(1, round(1 / float(training.rounds_per_epoch)))
    ranges = equal_ranges(bucket_tokens, shards * slices)
    sums = [int(bucket_tokens[first:last].sum()) for first, last in ranges]
    parts = []
    start = 0
    for epoch in range(training.epochs):
        order = _shuffled(len(ranges), training.seed, epoch)
        for i in range(slices):
            chosen = order[i * shards : (i + 1) * shards]
            tokens = sum(sums[c] for c in chosen)
            parts.append(Part(epoch, tuple(ranges[c] for c in chosen), start, tokens))
            start += tokens
    return [
        Round(i // parts_per_round + 1, tuple(parts[i : i + parts_per_round]))
        for i in range(0, len(parts), parts_per_round)
    ]


def block_starts(words: int, dimensions: int) -> list[tuple[int, int]]:
    """First row and row count of each block of a matrix with `words` rows."""
    size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * dimensions)))
    return [(first, min(size, words - first)) for first in range(0, words, size)]


def combining_blocks(blocks: int, places: int, place: int) -> range:
    """The blocks of every matrix that one of the places combines."""
    return range(blocks * place // places, blocks * (place + 1) // places)


def model_bytes(words: int, dimensions: int) -> int:
    """Size of all parameter rows: two matrices, rows padded to eight float32."""
    return 2 * words * ((dimensions + 7) // 8 * 8) * 4


def resolve(training: TrainingConfig, tokens: int, words: int) -> TrainingConfig:
    """Replace every `auto` by its value for `tokens` tokens and `words` words in the vocabulary.

    How the rules were found: docs/replicas.md, and tests/bench/learning_rate.py.
    """
    shards = min(32, max(1, tokens * training.epochs // SHARD_TOKENS)) if training.shards == "auto" else training.shards
    lanes = training.lanes
    if lanes == "auto":
        lanes = 2 if shards == 1 else 1  # shards are parallel already, and every replica costs some quality
    rounds = training.rounds_per_epoch
    if rounds == "auto" and shards == 1 and tokens < ROUND_TOKENS:
        rounds = 1 / min(training.epochs, ROUND_TOKENS // tokens)
    elif rounds == "auto":
        rounds = max(1 if shards == 1 else 10, math.ceil(tokens / (shards * SLICE_TOKENS)))
    rate = training.learning_rate
    if rate == "auto":
        rate = RATE * min(RATE_CAP, math.sqrt(shards * lanes))
    merge = LANE_TOKENS if training.lane_merge_tokens == "auto" else training.lane_merge_tokens
    return replace(
        training, shards=shards, lanes=lanes, rounds_per_epoch=rounds, lane_merge_tokens=merge, learning_rate=rate
    )


def worker_bytes(training: TrainingConfig, words: int, tokens: int) -> int:
    """Memory that a training worker needs at its peak.

    training: resolved. tokens: of the whole corpus. The process itself, the rows with their copies for lanes, update
    counts, the tables that are drawn from, and the slice (twice while it is sorted).
    """
    lanes = int(training.lanes)
    copies = lanes + 1 if lanes > 1 else 1
    slices = int(training.shards) * max(1, round(float(training.rounds_per_epoch)))
    return (
        PROCESS_BYTES
        + copies * model_bytes(words, training.dimensions)
        + copies * 2 * words * 4
        + 60 * words
        + 2 * 4 * tokens // slices
    )
