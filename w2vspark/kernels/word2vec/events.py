"""One window event: input rows meet output rows, which have labels, and all rows take a step down the loss.

All methods of word2vec have this form. The inputs are the window's words (skip-gram) or their mean (CBOW). The outputs
are the centre and its negatives, the inner nodes on the centre's Huffman path, or all words. Outputs are grouped into
tiles of TILE rows. A tile's labels and weights take SIMD_WIDTH slots; the last two are unused. A slot with weight 0
holds no output.
"""

from typing import Any, NamedTuple

import numpy as np

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.simd import (
    TILE,
    dots_of_one,
    dots_of_two,
    exponential,
    logistic_steps,
    offset,
    spread_row,
    square_of_row,
    sum_rows,
    sums_of_eights,
    update_tile,
    update_tile_of_one,
    update_tile_scaled,
)

NEGATIVES, HIERARCHY, SOFTMAX = 0, 1, 2

Pointer = Any  # to the first element of an array, see simd.pointer_to


class Rule(NamedTuple):
    """The kind of step that an event takes."""

    cbow: bool
    loss: int  # NEGATIVES, HIERARCHY or SOFTMAX
    sum_gradient: bool  # CBOW: each word takes the whole gradient of the mean, not its share
    adagrad: float  # 0 = plain gradient descent; else the initial value of the sums of squared gradients
    columns: int
    chunks: int  # chunks of eight floats that hold the columns


class Event(NamedTuple):
    """An event, and scratch memory. A row is given by the offset of its first float."""

    input_rows: Pointer  # int64
    output_rows: Pointer  # int64, whole tiles
    labels: Pointer  # float32
    weights: Pointer  # float32: how often an output counts; without AdaGrad, this times the learning rate
    own_rows: Pointer  # int64: rows 0, 1, … of the scratch below
    logits: Pointer  # float32; this and all below are scratch
    old: Pointer
    change: Pointer
    scales: Pointer  # AdaGrad: one for each input, and for each output of a tile
    squares: Pointer  # AdaGrad: eight for each of them


@compiled
def train_event(inputs, count, outputs, tiles, slot, rate, sample, rule, event):
    """Train `count` input rows against `tiles` tiles of output rows. Their labels and weights begin at `slot`.

    Returns the loss before the step and the number of its terms, which are valid only if `sample` is true.
    With one tile, skip-gram's fused pass changes the inputs in place: if a word is in the window twice, its second use
    sees the change by its first. Otherwise all steps use the old inputs.
    """
    share = np.float32(1.0 / count)
    if rule.cbow:
        sum_rows(inputs, event.input_rows, count, share, event.old, 0, rule.chunks)
        result = _find_steps(event.old, event.own_rows, 1, outputs, tiles, slot, rate, sample, rule, event)
        scale = np.float32(1.0) if rule.sum_gradient else share
        _update_of_one(outputs, tiles, rate, rule, event)
        if rule.adagrad > 0:
            square = square_of_row(event.change, 0, rule.chunks) * scale * scale
            for i in range(count):
                event.scales[i] = _adagrad_scale(inputs, event.input_rows[i], rate, rule) * scale
            for i in range(count):
                spread_row(event.change, 0, event.scales[i], inputs, offset(event.input_rows, i), 1, rule.chunks)
                _add_square(inputs, event.input_rows[i], square, rule)
        else:
            spread_row(event.change, 0, scale, inputs, event.input_rows, count, rule.chunks)
        return result
    vectors, rows = inputs, event.input_rows
    if tiles > 1:
        vectors, rows = event.old, event.own_rows
        for i in range(count):
            copy_row(inputs, event.input_rows[i], event.old, event.own_rows[i], rule.chunks)
    result = _find_steps(vectors, rows, count, outputs, tiles, slot, rate, sample, rule, event)
    if rule.adagrad == 0:
        _update(vectors, rows, count, inputs, event.input_rows, outputs, tiles, rule, event)
    elif tiles == 1:
        _scaled_update(vectors, rows, count, inputs, event.input_rows, True, outputs, tiles, rate, rule, event)
    else:
        for i in range(count):
            _clear_row(event.change, event.own_rows[i], rule.chunks)
        _scaled_update(vectors, rows, count, event.change, event.own_rows, False, outputs, tiles, rate, rule, event)
        for i in range(count):
            event.scales[i] = _adagrad_scale(inputs, event.input_rows[i], rate, rule)
        for i in range(count):
            at = event.own_rows[i]
            spread_row(event.change, at, event.scales[i], inputs, offset(event.input_rows, i), 1, rule.chunks)
            _add_square(inputs, event.input_rows[i], square_of_row(event.change, at, rule.chunks), rule)
    return result


@compiled
def _find_steps(inputs, input_rows, count, outputs, tiles, slot, rate, sample, rule, event):
    """Compute the logits of all pairs, and replace them by (label - p) * weight. Returns the same as train_event."""
    logits, labels, weights = event.logits, event.labels, event.weights
    for tile in range(tiles):
        at = tile * count * SIMD_WIDTH
        i = 0
        while i + 1 < count:
            dots_of_two(inputs, input_rows, i, outputs, event.output_rows, tile * TILE, rule.chunks, logits, at)
            i += 2
        if i < count:
            dots_of_one(inputs, input_rows, i, outputs, event.output_rows, tile * TILE, rule.chunks, logits, at)
    if rule.loss == SOFTMAX:
        return _softmax_steps(logits, count, tiles, labels, weights, slot), count
    loss = 0.0
    terms = count
    if sample:
        unit = np.float32(1.0) if rule.adagrad > 0 else rate
        loss, terms = _logistic_loss(logits, count, tiles, labels, weights, slot, unit)
    for tile in range(tiles):
        logistic_steps(logits, tile * count * SIMD_WIDTH, count, labels, weights, slot + tile * SIMD_WIDTH)
    return loss, count if rule.loss == HIERARCHY else terms


@compiled
def _update(inputs, input_rows, count, targets, target_rows, outputs, tiles, rule, event):
    """Add the steps of the inputs to their targets, and the steps of the outputs to the outputs."""
    for tile in range(tiles):
        update_tile(
            inputs, input_rows, count, targets, target_rows, outputs, event.output_rows, tile * TILE, rule.chunks,
            event.logits, tile * count * SIMD_WIDTH,
        )  # fmt: skip


@compiled
def _update_of_one(outputs, tiles, rate, rule, event):
    """CBOW: collect the unscaled gradient of the mean, and add the outputs' steps to the outputs.

    For AdaGrad see _scaled_update. There is only one input here, so an output's squared gradient is step**2 * input**2.
    """
    square = square_of_row(event.old, 0, rule.chunks) if rule.adagrad > 0 else np.float32(0.0)
    _clear_row(event.change, 0, rule.chunks)
    for tile in range(tiles):
        steps = offset(event.logits, tile * SIMD_WIDTH)
        out_steps = steps
        if rule.adagrad > 0:
            out_steps = event.scales
            for k in range(TILE):
                row = event.output_rows[tile * TILE + k]
                out_steps[k] = steps[k] * _adagrad_scale(outputs, row, rate, rule)
                _add_square(outputs, row, steps[k] * steps[k] * square, rule)
        update_tile_of_one(
            event.old, event.change, outputs, event.output_rows, tile * TILE, rule.chunks, steps, out_steps
        )


@compiled
def _scaled_update(inputs, input_rows, count, targets, target_rows, own, outputs, tiles, rate, rule, event):
    """AdaGrad with one rate per row (Duchi et al. 2011), from the row's earlier gradients. Weights are counts.

    The float after a row's chunks is its state: the sum of its squared gradients, each averaged over the columns.
    own: the targets are rows of the model. Otherwise they are scratch, and collect unscaled gradients.
    """
    scales, squares = event.scales, event.squares
    out_scales, out_squares = offset(scales, count), offset(squares, count * SIMD_WIDTH)
    totals = offset(out_squares, TILE * SIMD_WIDTH)
    for k in range(count * SIMD_WIDTH):
        squares[k] = np.float32(0.0)
    for i in range(count):
        scales[i] = _adagrad_scale(targets, target_rows[i], rate, rule) if own else np.float32(1.0)
    for tile in range(tiles):
        for k in range(TILE):
            out_scales[k] = _adagrad_scale(outputs, event.output_rows[tile * TILE + k], rate, rule)
        for k in range(TILE * SIMD_WIDTH):
            out_squares[k] = np.float32(0.0)
        update_tile_scaled(
            inputs, input_rows, count, targets, target_rows, scales, squares, outputs, event.output_rows,
            tile * TILE, out_scales, out_squares, rule.chunks, event.logits, tile * count * SIMD_WIDTH,
        )  # fmt: skip
        sums_of_eights(out_squares, 0, totals, 0)
        for k in range(TILE):
            _add_square(outputs, event.output_rows[tile * TILE + k], totals[k], rule)
    if own:
        for first in range(0, count, TILE):
            sums_of_eights(squares, first * SIMD_WIDTH, totals, 0)
            for i in range(first, min(count, first + TILE)):
                _add_square(targets, target_rows[i], totals[i - first], rule)


@compiled
def _adagrad_scale(rows, row, rate, rule):
    """The row's own rate, from its squared gradients so far."""
    initial = np.float32(rule.adagrad)
    return rate * np.sqrt(initial / (initial + rows[row + rule.chunks * SIMD_WIDTH]))


@compiled
def _add_square(rows, row, square, rule):
    rows[row + rule.chunks * SIMD_WIDTH] += square * np.float32(1.0 / rule.columns)


@compiled
def _logistic_loss(logits, count, tiles, labels, weights, slot, unit):
    """The sum of -log sigmoid(+-logit) over all pairs, and the number of pairs."""
    loss = 0.0
    terms = 0
    for row in range(tiles * count):
        at = slot + row // count * SIMD_WIDTH
        for k in range(TILE):
            times = round(weights[at + k] / unit)  # a negative drawn twice counts twice
            if times > 0:
                x = np.float64(logits[row * SIMD_WIDTH + k])
                if labels[at + k] > 0.5:
                    x = -x
                loss += times * (max(x, 0.0) + np.log1p(np.exp(-abs(x))))
                terms += times
    return loss, terms


@compiled
def _softmax_steps(logits, count, tiles, labels, weights, slot):
    """Replace each input's logits by (label - softmax) * weight; returns the sum of -log p of the labelled outputs."""
    loss = 0.0
    for i in range(count):
        highest = np.float32(-np.inf)
        labelled = np.float32(0.0)
        for tile in range(tiles):
            row, at = (tile * count + i) * SIMD_WIDTH, slot + tile * SIMD_WIDTH
            for k in range(TILE):
                if weights[at + k] > 0:
                    highest = max(highest, logits[row + k])
                    labelled += labels[at + k] * logits[row + k]
        total = 0.0
        for tile in range(tiles):
            row, at = (tile * count + i) * SIMD_WIDTH, slot + tile * SIMD_WIDTH
            exponential(logits, row, highest)
            for k in range(TILE):
                if weights[at + k] > 0:
                    total += logits[row + k]
        share = np.float32(1.0 / total)
        for tile in range(tiles):
            row, at = (tile * count + i) * SIMD_WIDTH, slot + tile * SIMD_WIDTH
            for k in range(SIMD_WIDTH):
                logits[row + k] = (labels[at + k] - logits[row + k] * share) * weights[at + k]
        loss += np.log(total) + np.float64(highest) - np.float64(labelled)
    return loss


@compiled
def copy_row(source, at, target, to, chunks):
    """Copy one row from source[at:] to target[to:]."""
    for d in range(chunks * SIMD_WIDTH):
        target[to + d] = source[at + d]


@compiled
def _clear_row(rows, at, chunks):
    for d in range(chunks * SIMD_WIDTH):
        rows[at + d] = np.float32(0.0)
