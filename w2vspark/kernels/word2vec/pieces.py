"""Trains word2vec's methods on pieces of text: one lane's work between two merges.

Skip-gram and CBOW, each with negative sampling, hierarchical softmax or the full softmax: Mikolov et al. 2013, as in
word2vec.c. Subwords: Bojanowski et al. 2017 (fastText). All words of a window share the centre's negatives, so a window
is one small matrix product (Ji et al. 2016, pWord2Vec): see events.py.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.random import GOLDEN, mix
from w2vspark.kernels.rows import aligned_rows, stride_of
from w2vspark.kernels.simd import TILE, offset, pointer_to, prefetch_row
from w2vspark.kernels.word2vec.arguments import LOSSES, Objective, Tables, check
from w2vspark.kernels.word2vec.events import HIERARCHY, NEGATIVES, SOFTMAX, Event, Rule, train_event
from w2vspark.kernels.word2vec.windows import Parts, compose, draw_negatives, follow_path, keep_sentence, return_change

LOSS_EVERY = 512  # the loss is summed over every 512th centre, because its logarithms are slow
Pointer = Any
_NEAR_ROOT = 7  # first nodes of a path: few in all, so they are in the cache anyway


class Text(NamedTuple):
    """The pieces of a call, and the tables for their words."""

    ids: Pointer
    keep: Pointer
    noise: Pointer
    noise_size: int
    path_starts: Pointer
    path_nodes: Pointer
    path_codes: Pointer
    kept: Pointer  # scratch for one sentence


class Model(NamedTuple):
    """The rows that are trained."""

    inputs: Pointer
    outputs: Pointer
    input_updates: Pointer
    output_updates: Pointer
    stride: int
    void: int  # the last row of outputs, which stays 0
    vocabulary: int


@compiled
def _take_outputs(centre, stream, draw, unit, negatives, words, labels, weights, rule, model, text):
    """Write the centre's output rows, labels and weights, and prefetch the rows; returns (outputs, next draw)."""
    if rule.loss == NEGATIVES:
        draw = draw_negatives(
            centre, negatives, stream, draw, text.noise, text.noise_size, model.void, unit, words, weights
        )
        for k in range(negatives + 1):
            prefetch_row(model.outputs, words[k] * model.stride, rule.chunks)
        return negatives + 1, draw
    first, last = text.path_starts[centre], text.path_starts[centre + 1]
    follow_path(first, last, text.path_nodes, text.path_codes, unit, words, labels, weights)
    for k in range(_NEAR_ROOT, last - first):
        prefetch_row(model.outputs, words[k] * model.stride, rule.chunks)
    return last - first, draw


@compiled
def _prefetch_path(i, count, text):
    """Prefetch the first 17 nodes and codes of word i's path (usually all), and where the path of word i + 1 begins."""
    if i + 1 < count:
        prefetch_row(text.path_starts, text.kept[i + 1], 1)
    if i < count:
        first = text.path_starts[text.kept[i]]
        prefetch_row(text.path_nodes, first, 3)
        prefetch_row(text.path_codes, first, 3)


@compiled
def _take_contexts(i, count, reach, window, subwords, rule, model, text, parts, event):
    """Write the input rows of the words in reach of position i; returns their number."""
    contexts = 0
    ring = 2 * window + 1
    for j in range(max(0, i - reach), min(count, i + reach + 1)):
        if j != i:
            if subwords:
                event.input_rows[contexts] = j % ring * rule.chunks * SIMD_WIDTH
                parts.uses[j % ring] += 1
            else:
                event.input_rows[contexts] = np.int64(text.kept[j]) * model.stride
                model.input_updates[text.kept[j]] += 1
            contexts += 1
    return contexts


@compiled
def _compose_ahead(i, count, window, rule, model, text, parts):
    """Make the mean rows of the words that come into reach of position i, and prefetch the rows of a later word."""
    for j in range(0 if i == 0 else i + window, min(count, i + window + 1)):
        compose(text.kept[j], j % (2 * window + 1), model.inputs, model.stride, rule.chunks, parts)
    if i + 2 * window < count:
        soon = text.kept[i + 2 * window]
        for j in range(parts.starts[soon], parts.starts[soon + 1]):
            prefetch_row(model.inputs, np.int64(parts.rows[j]) * model.stride, rule.chunks)


@compiled
def _train_sentence(
    count, stream, draw, rate, window, negatives, subwords, slots, words, done, rule, model, text, parts, event
):
    """Train on the kept words of one sentence; returns (loss, terms, next draw). done: centres before the sentence.

    A centre's outputs are written before the previous centre trains, so `words` and the labels have room for two.
    """
    unit = np.float32(1.0) if rule.adagrad > 0 else rate
    lanes = slots // TILE * SIMD_WIDTH
    source = parts.ring if subwords else model.inputs
    loss = 0.0
    terms = 0
    following = model.vocabulary
    if rule.loss != SOFTMAX:
        following, draw = _take_outputs(
            text.kept[0], stream, draw, unit, negatives, words, event.labels, event.weights, rule, model, text
        )
    for i in range(count):
        now = i & 1
        number = following
        if rule.loss != SOFTMAX and i + 1 < count:
            other, slot = offset(words, (1 - now) * slots), (1 - now) * lanes
            following, draw = _take_outputs(
                text.kept[i + 1], stream, draw, unit, negatives, other, offset(event.labels, slot),
                offset(event.weights, slot), rule, model, text,
            )  # fmt: skip
        if rule.loss == HIERARCHY:
            _prefetch_path(i + 2, count, text)
        if subwords:
            _compose_ahead(i, count, window, rule, model, text, parts)
        elif i + window + 1 < count:
            prefetch_row(model.inputs, np.int64(text.kept[i + window + 1]) * model.stride, rule.chunks)
        bits = mix(stream + draw * uint64(GOLDEN)) >> uint64(32)
        draw += uint64(1)
        reach = np.int64((bits * uint64(window)) >> uint64(32)) + 1
        contexts = _take_contexts(i, count, reach, window, subwords, rule, model, text, parts, event)
        tiles = (number + TILE - 1) // TILE
        sample = ((done + i) & (LOSS_EVERY - 1)) == 0 and rate > 0.0
        if rule.loss == SOFTMAX:
            label = text.kept[i] // TILE * SIMD_WIDTH + text.kept[i] % TILE
            event.labels[label] = np.float32(1.0)
            for word in range(number):
                model.output_updates[word] += 1
            part, pairs = train_event(source, contexts, model.outputs, tiles, 0, rate, sample, rule, event)
            event.labels[label] = np.float32(0.0)
        else:
            for k in range(number):
                word = words[now * slots + k]
                event.output_rows[k] = word * model.stride
                model.output_updates[word] += 1
            for k in range(number, tiles * TILE):
                event.output_rows[k] = model.void * model.stride
            part, pairs = train_event(source, contexts, model.outputs, tiles, now * lanes, rate, sample, rule, event)
        if sample:
            loss += part
            terms += pairs
        if subwords:  # for the word that no later window reaches; at the sentence's end, for all words that are left
            for j in range(max(0, i - window), count if i + 1 == count else i - window + 1):
                slot = j % (2 * window + 1)
                return_change(text.kept[j], slot, model.inputs, model.input_updates, model.stride, rule.chunks, parts)
    return loss, terms, draw


@compiled
def _train(
    inputs,
    outputs,
    input_updates,
    output_updates,
    ids,
    starts,
    streams,
    rates,
    keep,
    noise,
    path_starts,
    path_nodes,
    path_codes,
    part_starts,
    part_rows,
    rule,
    window,
    negatives,
    stride,
    kept,
    words,
    own_rows,
    other_rows,
    steps,
    old,
    change,
    scales,
    ring,
    before,
):
    """Train all pieces. The arguments from `kept` on are scratch, see _scratch."""
    vocabulary = keep.size
    void = output_updates.size - 1
    slots = words.size // 2
    lanes = slots // TILE * SIMD_WIDTH
    reach = 2 * window + 1
    words[:] = void
    steps[:] = np.float32(0.0)
    for row in range(own_rows.size):
        own_rows[row] = row * rule.chunks * SIMD_WIDTH
    event = Event(
        pointer_to(other_rows), offset(pointer_to(other_rows), reach), pointer_to(steps),
        offset(pointer_to(steps), 2 * lanes), pointer_to(own_rows), offset(pointer_to(steps), 4 * lanes),
        pointer_to(old), pointer_to(change), pointer_to(scales), offset(pointer_to(scales), reach + TILE),
    )  # fmt: skip
    parts = Parts(
        pointer_to(part_starts), pointer_to(part_rows), offset(pointer_to(other_rows), 2 * reach + slots),
        pointer_to(ring), pointer_to(before), offset(pointer_to(other_rows), reach + slots),
    )  # fmt: skip
    model = Model(
        pointer_to(inputs), pointer_to(outputs), pointer_to(input_updates), pointer_to(output_updates), stride, void,
        vocabulary,
    )  # fmt: skip
    text = Text(
        pointer_to(ids), pointer_to(keep), pointer_to(noise), noise.size, pointer_to(path_starts),
        pointer_to(path_nodes), pointer_to(path_codes), pointer_to(kept),
    )  # fmt: skip
    if rule.loss == NEGATIVES:
        event.labels[0] = np.float32(1.0)
        event.labels[lanes] = np.float32(1.0)
    elif rule.loss == SOFTMAX:
        for k in range(slots):
            event.output_rows[k] = min(k, void) * stride
    loss = 0.0
    terms = 0
    centres = 0
    for p in range(streams.size):
        rate = rates[p]
        if rule.loss == SOFTMAX:
            for word in range(vocabulary):
                event.weights[word // TILE * SIMD_WIDTH + word % TILE] = np.float32(1.0) if rule.adagrad > 0 else rate
        draw = uint64(0)
        position = starts[p]
        while position < starts[p + 1]:
            count, position, draw = keep_sentence(
                text.ids, position, starts[p + 1], streams[p], draw, text.keep, text.kept
            )
            if count < 2:
                continue
            part, pairs, draw = _train_sentence(
                count, streams[p], draw, rate, window, negatives, part_rows.size > 0, slots, pointer_to(words), centres,
                rule, model, text, parts, event,
            )  # fmt: skip
            loss += part
            terms += pairs
            centres += count
    return loss, terms, centres


def _scratch(starts: np.ndarray, tables: Tables, objective: Objective, columns: int) -> tuple[np.ndarray, ...]:
    """Scratch for _train: a sentence's words, outputs of two centres, row offsets, labels, weights, logits, vectors."""
    outputs = objective.negatives + 1
    if objective.loss == "softmax":
        outputs = tables.keep.size
    elif objective.loss == "hs":
        outputs = int(np.diff(tables.paths.starts).max())
    tiles = -(-outputs // TILE)
    reach = 2 * objective.window + 1
    parts = int(np.diff(tables.subwords.starts).max(initial=0))
    return (
        np.empty(int(np.diff(starts).max()), np.int32),
        np.empty(2 * tiles * TILE, np.int64),
        np.empty(reach, np.int64),
        np.empty(2 * reach + tiles * TILE + parts, np.int64),
        np.empty((4 + reach) * tiles * SIMD_WIDTH, np.float32),
        *(aligned_rows(reach, stride_of(columns)) for _ in range(2)),
        np.empty((reach + TILE) * (1 + SIMD_WIDTH) + (TILE + 1) * SIMD_WIDTH, np.float32),
        *(aligned_rows(reach if parts else 0, stride_of(columns)) for _ in range(2)),
    )


def train_pieces(
    inputs: np.ndarray,
    outputs: np.ndarray,
    input_updates: np.ndarray,
    output_updates: np.ndarray,
    ids: np.ndarray,
    starts: np.ndarray,
    streams: np.ndarray,
    rates: np.ndarray,
    tables: Tables,
    objective: Objective,
    columns: int,
) -> tuple[float, int, int]:
    """Train on pieces in order, in place.

    inputs: float32 (V, stride), the word vectors; with subwords, also the rows of the n-grams.
    outputs: float32 (rows + 1, stride), the words' context vectors (V rows) or, for "hs", the inner nodes (V - 1 rows).
    The last row of outputs is the void row, which stays 0.
    The first `columns` floats of a row are the vector, padded with zeros to a multiple of eight. With AdaGrad, eight
    more floats follow, and the first one is the row's sum of squared gradients.
    input_updates, output_updates: int32, one for each row; the numbers of updates are added to them.
    ids: int32, word ids of all pieces; -1 ends a sentence. starts: int64 (pieces + 1,), where each piece begins.
    streams: uint64 (pieces,), where each piece's random numbers start. rates: float32 (pieces,), learning rates.

    Returns the loss summed over a sample of centres, the number of its terms, and the number of centres trained. A term
    is -log p of a context for "hs" and "softmax", and -log p of one pair's label for "ns".
    Raises ValueError for an array of the wrong shape or type, or an id out of range.
    """
    check(inputs, outputs, input_updates, output_updates, ids, starts, streams, rates, tables, objective, columns)
    if streams.size == 0:
        return 0.0, 0, 0
    rule = Rule(
        objective.cbow,
        LOSSES[objective.loss],
        objective.sum_gradient,
        float(objective.adagrad),
        columns,
        -(-columns // SIMD_WIDTH),
    )
    loss, terms, centres = _train(
        inputs.reshape(-1),
        outputs.reshape(-1),
        input_updates,
        output_updates,
        ids,
        starts,
        streams,
        rates,
        tables.keep,
        tables.noise,
        tables.paths.starts,
        tables.paths.nodes,
        tables.paths.codes,
        tables.subwords.starts,
        tables.subwords.rows,
        rule,
        objective.window,
        objective.negatives,
        inputs.shape[1],
        *_scratch(starts, tables, objective, columns),
    )
    return float(loss), int(terms), int(centres)
