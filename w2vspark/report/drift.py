"""Drift since an earlier version: how many neighbours of the frequent words stayed, and which words changed most."""

from typing import Any

import numpy as np

from w2vspark.report.frequent import TOP, Frequent, neighbours
from w2vspark.vectors.drift import neighbour_overlap

ASKED = 2_000  # frequent words whose neighbours are compared
CHANGED = 25  # words that changed most


def drift_of(earlier: Frequent, now: Frequent) -> dict[str, Any] | None:
    """The drift of the ASKED most frequent words that both versions have; None with fewer than two such words.

    Keys: words, how many were compared; among, how many words both have; top, neighbours of a word; mean, the mean
    share of neighbours that stayed; histogram, how many words kept 0, 1 … top neighbours; changed, the words that kept
    fewest (the more frequent first), each with word, kept, before and after (lists of words).
    """
    in_both = set(earlier.words) & set(now.words)
    before, after = (
        one.rows(np.array([row for row, word in enumerate(one.words) if word in in_both], np.int64))
        for one in (earlier, now)
    )
    words, shares = neighbour_overlap(before.words, before.unit, after.words, after.unit, ASKED, TOP)
    if not words:
        return None
    top = min(TOP, len(after.words) - 1)
    kept = np.rint(shares * top).astype(np.int64)
    rows = np.argsort(kept, kind="stable")[:CHANGED]
    old = {word: row for row, word in enumerate(before.words)}
    lists = zip(neighbours(before, [old[words[row]] for row in rows]), neighbours(after, rows), strict=True)
    return {
        "words": len(words),
        "among": len(after.words),
        "top": top,
        "mean": round(float(shares.mean()), 4),
        "histogram": np.bincount(kept, minlength=top + 1).tolist(),
        "changed": [
            {"word": words[row], "kept": int(kept[row]), "before": was, "after": found}
            for row, (was, found) in zip(rows.tolist(), lists, strict=True)
        ],
    }
