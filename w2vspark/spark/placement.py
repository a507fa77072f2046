"""Split work into equal parts for tasks, and choose the partition of a row: Spark before 4.1 has no repartitionById."""

import functools
from itertools import pairwise

import numpy as np

_MASK = 0xFFFFFFFF


def equal_ranges(work: np.ndarray, count: int) -> list[tuple[int, int]]:
    """Cut n items into `count` runs (first, one past the last) of about equal work. work: int64 (n,), of each item."""
    ends = np.concatenate([[0], np.cumsum(work, dtype=np.int64)])
    goals = [int(ends[-1]) * i // count for i in range(count + 1)]
    cuts = [0]
    for goal in goals[1:-1]:
        at = int(np.searchsorted(ends, goal))
        if at > 0 and goal - ends[at - 1] < ends[at] - goal:
            at -= 1
        cuts.append(max(at, cuts[-1]))
    cuts.append(len(work))
    return list(pairwise(cuts))


@functools.cache
def placement_keys(partitions: int) -> tuple[int, ...]:
    """A key for each partition: ``repartition(partitions, key_column)`` sends rows with ``keys[p]`` to partition p.

    Spark places a row by the non-negative remainder of its Murmur3 hash. If that changed, rows with the same key would
    still share a partition, only less evenly spread. No result depends on it.
    """
    keys = [-1] * partitions
    missing, candidate = partitions, 0
    while missing:
        partition = _murmur3(candidate) % partitions
        if keys[partition] < 0:
            keys[partition] = candidate
            missing -= 1
        candidate += 1
    return tuple(keys)


def _murmur3(value: int) -> int:
    """Spark's hash() of a non-negative 32-bit integer: Murmur3_x86_32 with seed 42, signed."""
    mixed = value * 0xCC9E2D51 & _MASK
    mixed = (mixed << 15 | mixed >> 17) * 0x1B873593 & _MASK
    state = 42 ^ mixed
    state = ((state << 13 | state >> 19) & _MASK) * 5 + 0xE6546B64 & _MASK
    state ^= 4
    state = (state ^ state >> 16) * 0x85EBCA6B & _MASK
    state = (state ^ state >> 13) * 0xC2B2AE35 & _MASK
    state ^= state >> 16
    return state - (1 << 32) if state >> 31 else state
