"""The contents of a window: the words that subsampling keeps, the centre's outputs, the mean rows of subwords."""

from typing import Any, NamedTuple

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.random import GOLDEN, mix
from w2vspark.kernels.simd import TILE, spread_row, sum_rows
from w2vspark.kernels.word2vec.events import copy_row

Pointer = Any


class Parts(NamedTuple):
    """For subwords: the rows that make up each word, and the mean rows of the words in reach of the centre.

    A mean row is made once. Every window with the word changes it. At the end its change is added to the word's rows.
    """

    starts: Pointer  # int64 (V + 1,)
    rows: Pointer  # int32
    offsets: Pointer  # int64, scratch for one word's rows
    ring: Pointer  # float32: the mean rows, by the word's position in the sentence
    before: Pointer  # float32: the mean rows before any change
    uses: Pointer  # int64: the number of windows that used each mean row


@compiled
def keep_sentence(ids, start, end, stream, draw, keep, kept):
    """Copy the words of a sentence that subsampling keeps to `kept`; returns (words kept, next position, next draw)."""
    count = 0
    i = start
    while i < end:
        word = ids[i]
        i += 1
        if word < 0:
            break
        kept[count] = word  # overwritten by the next word unless it is kept: no branch to mispredict
        count += np.int64((mix(stream + draw * uint64(GOLDEN)) >> uint64(32)) < keep[word])
        draw += uint64(1)
    return count, i, draw


@compiled
def draw_negatives(centre, negatives, stream, draw, noise, noise_size, void, unit, rows, weights):
    """Write the centre's output rows and weights: the centre, then its negatives. Returns the next draw.

    A negative that is the centre itself is skipped. A negative that is drawn twice counts twice. The slots that are
    left over point to the void row, with weight 0.
    """
    rows[0] = centre
    weights[0] = unit
    for k in range(1, negatives + 1):
        bits = mix(stream + draw * uint64(GOLDEN))
        draw += uint64(1)
        slot = ((bits >> uint64(32)) * uint64(noise_size)) >> uint64(32)
        entry = noise[slot]
        word = np.int64(slot)
        if (bits & uint64(0xFFFFFFFF)) >= (entry >> uint64(32)):
            word = np.int64(entry & uint64(0xFFFFFFFF))
        position = k
        weight = unit
        for j in range(k):
            if rows[j] == word:
                position = j
        if position != k:
            word = np.int64(void)
            weight = np.float32(0.0)
            if position > 0:
                weights[(position // TILE) * SIMD_WIDTH + position % TILE] += unit
        rows[k] = word
        weights[(k // TILE) * SIMD_WIDTH + k % TILE] = weight
    return draw


@compiled
def follow_path(first, last, nodes, codes, unit, rows, labels, weights):
    """Write nodes first … last - 1 of a path as output rows, with label 1 for code 0.

    The slots that are left over in the last tile get weight 0.
    """
    slot = 0
    for begin in range(first, last, TILE):
        for k in range(TILE):
            if begin + k < last:
                rows[begin - first + k] = nodes[begin + k]
                labels[slot + k] = np.float32(1 - codes[begin + k])
                weights[slot + k] = unit
            else:
                weights[slot + k] = np.float32(0.0)
        slot += SIMD_WIDTH


@compiled
def compose(word, slot, inputs, stride, chunks, parts):
    """Make a word's mean row in a slot of the ring."""
    first = parts.starts[word]
    count = parts.starts[word + 1] - first
    for i in range(count):
        parts.offsets[i] = np.int64(parts.rows[first + i]) * stride
    at = slot * chunks * SIMD_WIDTH
    sum_rows(inputs, parts.offsets, count, np.float32(1.0 / count), parts.ring, at, chunks)
    copy_row(parts.ring, at, parts.before, at, chunks)
    parts.uses[slot] = 0


@compiled
def return_change(word, slot, inputs, updates, stride, chunks, parts):
    """Add the change of a word's mean row to all rows that make up the word: the whole to each, as in fastText."""
    if parts.uses[slot] == 0:
        return
    first = parts.starts[word]
    count = parts.starts[word + 1] - first
    for i in range(count):
        row = np.int64(parts.rows[first + i])
        parts.offsets[i] = row * stride
        updates[row] += parts.uses[slot]
    at = slot * chunks * SIMD_WIDTH
    for d in range(at, at + chunks * SIMD_WIDTH):
        parts.before[d] = parts.ring[d] - parts.before[d]
    spread_row(parts.before, at, np.float32(1.0), inputs, parts.offsets, count, chunks)
