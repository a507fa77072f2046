"""How a training is cut: matrices into blocks, the corpus into shards, slices and rounds.

The cut depends on the bucket counts and the configuration alone, never on cores or executors.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from w2vspark.spark.placement import equal_ranges
from w2vspark.stages.parameters import BLOCK_ROWS

# The largest block. Parameters are stored and combined block by block.
BLOCK_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class SliceSet:
    """One slice of every shard. The shards train these slices side by side."""

    epoch: int
    ranges: tuple[tuple[int, int], ...]  # for each shard, the first bucket and one past the last
    start: int  # tokens that the run trains before this set
    tokens: int  # tokens of all its slices


@dataclass(frozen=True, slots=True)
class Round:
    """The work between two combinations of the shards' changes; numbers begin at 1."""

    number: int
    slice_sets: tuple[SliceSet, ...]


@dataclass(frozen=True, slots=True)
class MatrixShape:
    """The shape of a parameter matrix."""

    name: str
    rows: int
    columns: int
    state: int = 0  # floats that the optimiser keeps after the columns of each row
    void: int = 0  # extra rows in memory: 1 for outputs, to which unused slots point

    @property
    def width(self) -> int:
        """Floats of a row in the table."""
        return self.columns + self.state

    @property
    def blocks(self) -> list[tuple[int, int]]:
        """First row and row count of each block."""
        size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * self.width)))
        return [(first, min(size, self.rows - first)) for first in range(0, self.rows, size)]

    @property
    def bytes(self) -> int:
        """The matrix's size in a worker's memory."""
        stride = (self.columns + 7) // 8 * 8 + (8 if self.state else 0)
        return self.rows * stride * 4


def shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """A permutation of 0 … count - 1 from (seed, epoch) alone: the same on every platform and version."""
    return sorted(range(count), key=lambda i: hashlib.blake2b(f"{seed}/{epoch}/{i}".encode(), digest_size=8).digest())


def plan_rounds(bucket_tokens: np.ndarray, shards: int, epochs: int, rounds_per_epoch: float, seed: int) -> list[Round]:
    """All rounds of a run over the encoded corpus.

    bucket_tokens: int64 (buckets,). rounds_per_epoch: a whole number, or 1/n for a round of n epochs. Every epoch
    shuffles the ranges of buckets among the shards and slices, so that a shard sees other text in each epoch.
    """
    slices = max(1, round(rounds_per_epoch))
    sets_per_round = max(1, round(1 / rounds_per_epoch))
    ranges = equal_ranges(bucket_tokens, shards * slices)
    sums = [int(bucket_tokens[first:last].sum()) for first, last in ranges]
    slice_sets = []
    start = 0
    for epoch in range(epochs):
        order = shuffled(len(ranges), seed, epoch)
        for i in range(slices):
            chosen = order[i * shards : (i + 1) * shards]
            tokens = sum(sums[c] for c in chosen)
            slice_sets.append(SliceSet(epoch, tuple(ranges[c] for c in chosen), start, tokens))
            start += tokens
    return [
        Round(i // sets_per_round + 1, tuple(slice_sets[i : i + sets_per_round]))
        for i in range(0, len(slice_sets), sets_per_round)
    ]


def combining_blocks(
    shapes: tuple[MatrixShape, ...], reducers: int, reducer: int
) -> list[tuple[MatrixShape, list[tuple[int, int]], int]]:
    """The blocks that one reducer combines: for each matrix, neighbouring blocks, and the number of the first one.

    The numbers count the blocks of all matrices, in the order of the matrices.
    """
    total = sum(len(shape.blocks) for shape in shapes)
    first, last = total * reducer // reducers, total * (reducer + 1) // reducers
    found, number = [], 0
    for shape in shapes:
        blocks = shape.blocks
        begin, end = max(0, first - number), max(0, last - number)
        if blocks[begin:end]:
            found.append((shape, blocks[begin:end], number + begin))
        number += len(blocks)
    return found
