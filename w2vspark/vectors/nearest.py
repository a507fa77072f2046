"""The nearest rows of many rows at once, in blocks that fit in the processor's caches and in little memory."""

import numpy as np
from numpy.typing import NDArray

QUESTIONS, ROWS = 512, 4096  # rows that are asked about, and rows that are compared with them, at once: some 8 MB


def nearest_rows(
    unit: NDArray[np.float32], rows: NDArray[np.integer], top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The `top` nearest other rows of some rows, by falling cosine, then by rising row.

    unit: float32 (V, D), rows of length 1 or 0, as WordVectors.unit. rows: (Q,), the rows that are asked about; a row
    is never its own neighbour. Returns the neighbours, int32 (Q, top), and their cosines, float32 (Q, top). There are
    fewer columns if V - 1 < top.
    """
    top = min(top, len(unit) - 1)
    found, cosines = np.empty((len(rows), top), np.int32), np.empty((len(rows), top), np.float32)
    for first in range(0, len(rows), QUESTIONS):
        asked = rows[first : first + QUESTIONS]
        found[first : first + QUESTIONS], cosines[first : first + QUESTIONS] = _nearest(unit, asked, top)
    return found, cosines


def _nearest(
    unit: NDArray[np.float32], asked: NDArray[np.integer], top: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    best = np.full((len(asked), top), -1, np.int32)
    scores = np.full((len(asked), top), -np.inf, np.float32)
    vectors = unit[asked]
    for start in range(0, len(unit), ROWS):
        block = unit[start : start + ROWS]
        cosines = vectors @ block.T
        own = np.flatnonzero((asked >= start) & (asked < start + len(block)))
        cosines[own, asked[own] - start] = -np.inf
        wanted = cosines > scores[:, -1:]  # of equal cosines, the earlier row wins
        if len(block) > top and wanted.sum() > 8 * best.size:
            wanted &= cosines >= np.partition(cosines, len(block) - top, axis=1)[:, len(block) - top, None]
        question, column = np.nonzero(wanted)
        every = np.concatenate([np.repeat(np.arange(len(asked)), top), question])
        both = np.concatenate([scores.ravel(), cosines[question, column]])
        ids = np.concatenate([best.ravel(), (column + start).astype(np.int32)])
        order = np.lexsort((ids, -both, every))
        place = np.arange(len(order)) - np.searchsorted(every[order], every[order])
        kept = order[place < top]
        best, scores = ids[kept].reshape(best.shape), both[kept].reshape(best.shape)
    return best, scores
