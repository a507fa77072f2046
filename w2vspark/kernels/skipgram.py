"""Skip-gram with negative sampling over pieces of text: one lane's work between two merges.

Mikolov et al. 2013, as word2vec.c; the negatives are shared by a centre's whole window, and a window is one
small matrix product (Ji et al. 2016, pWord2Vec). The window's words are the input rows; the centre (label 1)
and its negatives (label 0) are the output rows.
"""

import numpy as np
from numba import uint64

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.random import GOLDEN, mix
from w2vspark.kernels.simd import (
    BLOCK,
    LANES,
    dots_of_one,
    dots_of_two,
    logistic_steps,
    prefetch_row,
    update_block,
)

LOSS_EVERY = 512  # the loss is summed over every 512th centre: its logarithms cost more than they tell


@compiled
def _keep_sentence(ids, start, end, stream, draw, keep, kept):
    """Copy the words that subsampling keeps to `kept`, up to a sentence's end; return (words kept, next, draw)."""
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
def _draw_outputs(centre, negatives, stream, draw, noise, void, rate, rows, row0, weights, weight0):
    """The centre's output rows and step sizes: itself, then its negatives.

    A negative that is the centre is skipped; one drawn twice counts twice. Their slots go to the void row
    with weight 0.
    """
    rows[row0] = centre
    weights[weight0] = rate
    size = uint64(noise.size)
    for k in range(1, negatives + 1):
        bits = mix(stream + draw * uint64(GOLDEN))
        draw += uint64(1)
        slot = ((bits >> uint64(32)) * size) >> uint64(32)
        entry = noise[slot]
        word = np.int64(slot)
        if (bits & uint64(0xFFFFFFFF)) >= (entry >> uint64(32)):
            word = np.int64(entry & uint64(0xFFFFFFFF))
        place = k
        weight = rate
        for j in range(k):
            if rows[row0 + j] == word:
                place = j
        if place != k:
            word = np.int64(void)
            weight = np.float32(0.0)
            if place > 0:
                weights[weight0 + (place // BLOCK) * LANES + place % BLOCK] += rate
        rows[row0 + k] = word
        weights[weight0 + (k // BLOCK) * LANES + k % BLOCK] = weight
    return draw


@compiled
def _window_loss(seen, contexts, blocks, weights, weight0, rate):
    """Sum of -log sigma(+-logit) over a window's pairs, and their number; the first output is the positive."""
    loss = 0.0
    terms = 0
    for row in range(blocks * contexts):
        block = row // contexts
        for k in range(BLOCK):
            times = round(weights[weight0 + block * LANES + k] / rate)  # a negative drawn twice counts twice
            if times > 0:
                x = np.float64(seen[row * LANES + k])
                if block == 0 and k == 0:
                    x = -x
                loss += times * (max(x, 0.0) + np.log1p(np.exp(-abs(x))))
                terms += times
    return loss, terms


@compiled
def _meet(
    inputs,
    context_rows,
    contexts,
    outputs,
    output_rows,
    blocks,
    chunks,
    labels,
    weights,
    weight0,
    logits,
    change,
    change_rows,
    seen,
    seen0,
):
    """One window event: the contexts' input rows meet `blocks` blocks of output rows.

    Where seen0 >= 0, the logits are kept there for the loss: blocks x contexts rows of eight.
    """
    if blocks > 1:
        for c in range(contexts):
            change_rows[c] = c * chunks * LANES
            for d in range(chunks * LANES):
                change[c * chunks * LANES + d] = np.float32(0.0)
    for block in range(blocks):
        pair = 0
        while pair + 1 < contexts:
            dots_of_two(inputs, context_rows, pair, outputs, output_rows, block * BLOCK, chunks, logits)
            pair += 2
        if pair < contexts:
            dots_of_one(inputs, context_rows, pair, outputs, output_rows, block * BLOCK, chunks, logits)
        if seen0 >= 0:
            for j in range(contexts * LANES):
                seen[seen0 + block * contexts * LANES + j] = logits[j]
        logistic_steps(logits, contexts, labels, block * LANES, weights, weight0 + block * LANES)
        if blocks == 1:
            update_block(inputs, context_rows, contexts, inputs, context_rows, outputs, output_rows, 0, chunks, logits)
        else:
            update_block(
                inputs, context_rows, contexts, change, change_rows, outputs, output_rows, block * BLOCK, chunks, logits
            )
    if blocks > 1:
        for c in range(contexts):
            for d in range(chunks * LANES):
                inputs[context_rows[c] + d] += change[c * chunks * LANES + d]


@compiled
def _train(
    inputs, outputs, input_updates, output_updates, ids, starts, streams, rates, keep, noise, window, negatives, chunks
):
    stride = chunks * LANES
    blocks = (negatives + BLOCK) // BLOCK  # of negatives + 1 rows, rounded up
    void = noise.size
    longest = 0
    for p in range(streams.size):
        longest = max(longest, starts[p + 1] - starts[p])
    kept = np.empty(longest, np.int32)
    context_rows = np.empty(2 * window, np.int64)
    words = np.full(2 * blocks * BLOCK, void, np.int64)  # this centre's and the next one's, drawn ahead
    weights = np.zeros(2 * blocks * LANES, np.float32)
    output_rows = np.full(blocks * BLOCK, void * stride, np.int64)
    labels = np.zeros(blocks * LANES, np.float32)
    labels[0] = 1.0
    seen = np.zeros(2 * window * LANES * blocks, np.float32)
    logits = np.zeros(2 * window * LANES, np.float32)
    change_rows = np.empty(2 * window, np.int64)
    change = np.zeros(2 * window * stride if blocks > 1 else 1, np.float32)
    loss = 0.0
    terms = 0
    centres = 0
    for p in range(streams.size):
        stream = streams[p]
        rate = rates[p]
        draw = uint64(0)
        position = starts[p]
        while position < starts[p + 1]:
            count, position, draw = _keep_sentence(ids, position, starts[p + 1], stream, draw, keep, kept)
            if count < 2:
                continue
            draw = _draw_outputs(kept[0], negatives, stream, draw, noise, void, rate, words, 0, weights, 0)
            for i in range(count):
                now = i & 1
                if i + 1 < count:
                    ahead = 1 - now
                    draw = _draw_outputs(
                        kept[i + 1],
                        negatives,
                        stream,
                        draw,
                        noise,
                        void,
                        rate,
                        words,
                        ahead * blocks * BLOCK,
                        weights,
                        ahead * blocks * LANES,
                    )
                    for k in range(negatives + 1):
                        prefetch_row(outputs, words[ahead * blocks * BLOCK + k] * stride, chunks)
                if i + window + 1 < count:
                    prefetch_row(inputs, np.int64(kept[i + window + 1]) * stride, chunks)
                bits = mix(stream + draw * uint64(GOLDEN)) >> uint64(32)
                draw += uint64(1)
                reach = np.int64((bits * uint64(window)) >> uint64(32)) + 1
                contexts = 0
                for j in range(max(0, i - reach), min(count, i + reach + 1)):
                    if j != i:
                        context_rows[contexts] = np.int64(kept[j]) * stride
                        input_updates[kept[j]] += 1
                        contexts += 1
                for k in range(negatives + 1):
                    word = words[now * blocks * BLOCK + k]
                    output_rows[k] = word * stride
                    output_updates[word] += 1
                seen0 = -1
                if (centres & (LOSS_EVERY - 1)) == 0 and rate > 0.0:
                    seen0 = 0
                _meet(
                    inputs,
                    context_rows,
                    contexts,
                    outputs,
                    output_rows,
                    blocks,
                    chunks,
                    labels,
                    weights,
                    now * blocks * LANES,
                    logits,
                    change,
                    change_rows,
                    seen,
                    seen0,
                )
                if seen0 >= 0:
                    part, number = _window_loss(seen, contexts, blocks, weights, now * blocks * LANES, rate)
                    loss += part
                    terms += number
                centres += 1
    return loss, terms, centres


def train_pieces(
    inputs: np.ndarray,
    outputs: np.ndarray,
    input_updates: np.ndarray,
    output_updates: np.ndarray,
    ids: np.ndarray,
    starts: np.ndarray,
    streams: np.ndarray,
    rates: np.ndarray,
    keep: np.ndarray,
    noise: np.ndarray,
    window: int,
    negatives: int,
) -> tuple[float, int, int]:
    """Train on pieces in their order, in place.

    inputs: float32 (V, stride), the word vectors; outputs: float32 (V + 1, stride), the context vectors and the
    void row, which stays 0. stride is a multiple of eight, the columns beyond the dimensions are 0.
    input_updates, output_updates: int32 (V,), (V + 1,), counts that are added to.
    ids: int32, word ids of all pieces, -1 ends a sentence; starts: int64 (pieces + 1,), where each begins.
    streams: uint64 (pieces,), where each piece's random numbers start; rates: float32 (pieces,), learning rates.
    keep: uint64 (V,), see noise.keep_thresholds; noise: uint64 (V,), see noise.alias_table.

    Returns the loss summed over a sample of pairs, the number of those pairs, and the centres trained.
    Raises ValueError on arrays of another shape or type, or ids out of range.
    """
    if inputs.ndim != 2:
        raise ValueError(f"inputs: expected two dimensions, got {inputs.shape}")
    words = noise.size
    stride = inputs.shape[1]
    expected = {
        "inputs": (inputs, np.float32, (words, stride)),
        "outputs": (outputs, np.float32, (words + 1, stride)),
        "input_updates": (input_updates, np.int32, (words,)),
        "output_updates": (output_updates, np.int32, (words + 1,)),
        "ids": (ids, np.int32, (ids.size,)),
        "starts": (starts, np.int64, (streams.size + 1,)),
        "streams": (streams, np.uint64, (streams.size,)),
        "rates": (rates, np.float32, (streams.size,)),
        "keep": (keep, np.uint64, (words,)),
        "noise": (noise, np.uint64, (words,)),
    }
    for name, (array, dtype, shape) in expected.items():
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{name}: expected contiguous {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
    if stride % LANES or stride == 0 or window < 1 or negatives < 1:
        raise ValueError(f"stride {stride} must be a multiple of {LANES}, window {window}, negatives {negatives} >= 1")
    if streams.size == 0:
        return 0.0, 0, 0
    if starts[0] < 0 or starts[-1] > ids.size or (np.diff(starts) < 0).any():
        raise ValueError(f"starts must rise from >= 0 to <= {ids.size}")
    part = ids[starts[0] : starts[-1]]
    if part.size and (part.max() >= words or part.min() < -1):
        raise ValueError(f"ids must lie in -1..{words - 1}, got {part.min()}..{part.max()}")
    loss, terms, centres = _train(
        inputs.reshape(-1),
        outputs.reshape(-1),
        input_updates,
        output_updates,
        ids,
        starts,
        streams,
        rates,
        keep,
        noise,
        window,
        negatives,
        stride // LANES,
    )
    return float(loss), int(terms), int(centres)
