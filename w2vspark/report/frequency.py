"""How often words occur: the curve of counts by rank (Zipf 1949), and the share of the text of frequent words."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from w2vspark.output.publish import Version
from w2vspark.storage.listed import scan_listed

HEAD = 100  # the most frequent words, which are points of the curve each
STEPS = 6  # points of the curve each time that the count halves
# Counts 1, 2, 3 … and on by a factor of 2^(1/STEPS).
THRESHOLDS = np.unique(np.rint(2 ** (np.arange(62 * STEPS) / STEPS)).astype(np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Frequency:
    """Points of the curve by rising rank."""

    ranks: NDArray[np.int64]  # how many words have this count or more
    counts: NDArray[np.int64]
    shares: NDArray[np.float64]  # of all tokens: those of words with this count or more


def read_frequency(version: Version) -> Frequency:
    """The curve of a version's vocabulary. Rows are read in batches, in any order, and only sums are kept.

    Raises OutputError when the table is missing or damaged.
    """
    name = "vocabulary" if version.has("vocabulary") else "vectors"
    words, tokens = np.zeros((2, len(THRESHOLDS)), np.int64)
    head = np.empty(0, np.int64)
    uri = version.table(name)
    with version.reading("run the command again"):
        for batch in scan_listed(uri, ["count"], files=version.listed(name), batches_ahead=0):
            counts = batch["count"].to_numpy().astype(np.int64)
            at = np.searchsorted(THRESHOLDS, counts, side="right") - 1
            np.add.at(words, at[at >= 0], 1)
            np.add.at(tokens, at[at >= 0], counts[at >= 0])
            head = np.sort(np.concatenate([head, counts]))[::-1][:HEAD]
    total = max(1, int(tokens.sum()))
    # Of each threshold, the words with this count or more.
    ranks, sums = (np.cumsum(values[::-1])[::-1] for values in (words, tokens))
    below = np.flatnonzero((ranks > len(head)) & (np.diff(ranks, append=0) < 0))[::-1]
    return Frequency(
        np.concatenate([np.arange(1, len(head) + 1), ranks[below]]),
        np.concatenate([head, THRESHOLDS[below]]),
        np.concatenate([np.cumsum(head), sums[below]]) / total,
    )
