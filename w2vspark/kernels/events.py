"""One window event: some input rows meet some output rows with labels, and both take a step down the loss.

All methods of word2vec are this shape. The inputs are the window's words (skip-gram) or their mean (CBOW); the outputs
are the centre and its negatives, the inner nodes on the centre's Huffman path, or all words. Outputs stand in blocks
of BLOCK rows; a block's labels and weights take LANES slots, the last two unused. A slot of weight 0 holds no output.
"""

from typing import Any, NamedTuple

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.simd import (
    BLOCK,
    LANES,
    dots_of_one,
    dots_of_two,
    exponential,
    logistic_steps,
    spread_row,
    square_of_row,
    sum_rows,
    update_block,
)

NEGATIVES, HIERARCHY, SOFTMAX = 0, 1, 2

Pointer = Any  # to the first element of an array, see simd.pointer_to


class Rule(NamedTuple):
    """What a step is."""

    cbow: bool
    loss: int  # NEGATIVES, HIERARCHY or SOFTMAX
    sum_gradient: bool  # CBOW: each word takes the whole gradient of the mean, not its share
    adagrad: float  # 0 = plain gradient descent; else where the sums of squared gradients begin
    columns: int
    chunks: int  # of eight, that hold the columns


class Event(NamedTuple):
    """An event, and room to work in. Rows are offsets of their first float."""

    input_rows: Pointer  # int64
    output_rows: Pointer  # int64, whole blocks
    labels: Pointer  # float32
    weights: Pointer  # float32: how often an output counts, times the learning rate unless there is AdaGrad
    own_rows: Pointer  # int64: rows 0, 1, … of the scratch below
    logits: Pointer  # float32, from here on scratch
    old: Pointer
    change: Pointer
    old_outputs: Pointer


@compiled
def train_event(inputs, count, outputs, blocks, slot, rate, sample, rule, event):
    """Let `count` input rows meet `blocks` blocks of output rows, whose labels and weights begin at `slot`.

    Where sample is true, returns the loss before the step and the number of its terms (else anything).
    With one block of outputs skip-gram's fused pass changes its inputs in place, so that a word that stands twice in a
    window is used the second time as the first use left it. Otherwise all steps are of the old inputs.
    """
    if rule.adagrad > 0:
        return _train_adagrad(inputs, count, outputs, blocks, slot, rate, sample, rule, event)
    if rule.cbow:
        share = np.float32(1.0 / count)
        sum_rows(inputs, event.input_rows, count, share, event.old, 0, rule.chunks)
        _clear_row(event.change, 0, rule.chunks)
        result = _meet(
            event.old, event.own_rows, 1, event.change, event.own_rows, outputs, event.output_rows, blocks, slot, rate,
            sample, rule, event,
        )  # fmt: skip
        scale = np.float32(1.0) if rule.sum_gradient else share
        spread_row(event.change, 0, scale, inputs, event.input_rows, count, rule.chunks)
        return result
    if blocks == 1:
        return _meet(
            inputs, event.input_rows, count, inputs, event.input_rows, outputs, event.output_rows, 1, slot, rate,
            sample, rule, event,
        )  # fmt: skip
    for i in range(count):
        copy_row(inputs, event.input_rows[i], event.old, event.own_rows[i], rule.chunks)
    return _meet(
        event.old, event.own_rows, count, inputs, event.input_rows, outputs, event.output_rows, blocks, slot, rate,
        sample, rule, event,
    )  # fmt: skip


@compiled
def _train_adagrad(inputs, count, outputs, blocks, slot, rate, sample, rule, event):
    """AdaGrad with one rate a row (Duchi et al. 2011).

    The float behind a row's chunks is its state: the sum of its squared gradients, each the mean over the columns.
    """
    share = np.float32(1.0 / count)
    vectors = count
    if rule.cbow:
        vectors = 1
        sum_rows(inputs, event.input_rows, count, share, event.old, 0, rule.chunks)
    else:
        for i in range(count):
            copy_row(inputs, event.input_rows[i], event.old, event.own_rows[i], rule.chunks)
    for i in range(vectors):
        _clear_row(event.change, event.own_rows[i], rule.chunks)
    for k in range(blocks * BLOCK):
        copy_row(outputs, event.output_rows[k], event.old_outputs, event.own_rows[k], rule.chunks)
    result = _meet(
        event.old, event.own_rows, vectors, event.change, event.own_rows, event.old_outputs, event.own_rows, blocks,
        slot, np.float32(1.0), sample, rule, event,
    )  # fmt: skip
    for k in range(blocks * BLOCK):
        if event.weights[slot + k // BLOCK * LANES + k % BLOCK] > 0:
            at = event.own_rows[k]
            for d in range(rule.chunks * LANES):
                event.old_outputs[at + d] -= outputs[event.output_rows[k] + d]
            _adagrad_step(event.old_outputs, at, outputs, event.output_rows[k], rate, rule)
    if rule.cbow and not rule.sum_gradient:
        for d in range(rule.chunks * LANES):
            event.change[d] *= share
    for i in range(count):
        _adagrad_step(event.change, 0 if rule.cbow else event.own_rows[i], inputs, event.input_rows[i], rate, rule)
    return result


@compiled
def _adagrad_step(gradient, at, rows, row, rate, rule):
    """row += rate * sqrt(initial / (initial + state)) * gradient, the gradient's square being part of the state."""
    width = rule.chunks * LANES
    square = np.float64(square_of_row(gradient, at, rule.chunks))
    state = np.float32(rows[row + width] + square / rule.columns)
    rows[row + width] = state
    step = np.float32(rate * np.sqrt(rule.adagrad / (rule.adagrad + np.float64(state))))
    for d in range(width):
        rows[row + d] += step * gradient[at + d]


@compiled
def _meet(
    inputs, input_rows, count, targets, target_rows, outputs, output_rows, blocks, slot, unit, sample, rule, event
):
    """Add to each target its input's step, and to the outputs theirs. unit: the weight of what counts once."""
    logits, labels, weights = event.logits, event.labels, event.weights
    for block in range(blocks):
        at = block * count * LANES
        i = 0
        while i + 1 < count:
            dots_of_two(inputs, input_rows, i, outputs, output_rows, block * BLOCK, rule.chunks, logits, at)
            i += 2
        if i < count:
            dots_of_one(inputs, input_rows, i, outputs, output_rows, block * BLOCK, rule.chunks, logits, at)
    loss = 0.0
    terms = count
    if rule.loss == SOFTMAX:
        loss = _softmax_steps(logits, count, blocks, labels, weights, slot)
    else:
        if sample:
            loss, terms = _logistic_loss(logits, count, blocks, labels, weights, slot, unit)
        for block in range(blocks):
            logistic_steps(logits, block * count * LANES, count, labels, weights, slot + block * LANES)
    for block in range(blocks):
        update_block(
            inputs, input_rows, count, targets, target_rows, outputs, output_rows, block * BLOCK, rule.chunks, logits,
            block * count * LANES,
        )  # fmt: skip
    return loss, count if rule.loss == HIERARCHY else terms


@compiled
def _logistic_loss(logits, count, blocks, labels, weights, slot, unit):
    """Sum of -log sigmoid(+-logit) over all pairs, and their number."""
    loss = 0.0
    terms = 0
    for row in range(blocks * count):
        at = slot + row // count * LANES
        for k in range(BLOCK):
            times = round(weights[at + k] / unit)  # a negative drawn twice counts twice
            if times > 0:
                x = np.float64(logits[row * LANES + k])
                if labels[at + k] > 0.5:
                    x = -x
                loss += times * (max(x, 0.0) + np.log1p(np.exp(-abs(x))))
                terms += times
    return loss, terms


@compiled
def _softmax_steps(logits, count, blocks, labels, weights, slot):
    """In place: (label - softmax(logits)) * weight for every input; returns the sum of -log p of the labelled."""
    loss = 0.0
    for i in range(count):
        highest = np.float32(-np.inf)
        labelled = np.float32(0.0)
        for block in range(blocks):
            row, at = (block * count + i) * LANES, slot + block * LANES
            for k in range(BLOCK):
                if weights[at + k] > 0:
                    highest = max(highest, logits[row + k])
                    labelled += labels[at + k] * logits[row + k]
        total = 0.0
        for block in range(blocks):
            row, at = (block * count + i) * LANES, slot + block * LANES
            exponential(logits, row, highest)
            for k in range(BLOCK):
                if weights[at + k] > 0:
                    total += logits[row + k]
        share = np.float32(1.0 / total)
        for block in range(blocks):
            row, at = (block * count + i) * LANES, slot + block * LANES
            for k in range(LANES):
                logits[row + k] = (labels[at + k] - logits[row + k] * share) * weights[at + k]
        loss += np.log(total) + np.float64(highest) - np.float64(labelled)
    return loss


@compiled
def copy_row(source, at, target, to, chunks):
    """target[to:] = one row from source[at:]."""
    for d in range(chunks * LANES):
        target[to + d] = source[at + d]


@compiled
def _clear_row(rows, at, chunks):
    for d in range(chunks * LANES):
        rows[at + d] = np.float32(0.0)
