"""Compare how likely words are near one word and near another: the probe words of GloVe's table 1."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from w2vspark import storage
from w2vspark.base.errors import InputError, OutputError
from w2vspark.output import publish
from w2vspark.vectors.query import row_of
from w2vspark.vectors.table import WordVectors

TABLE = "cooccurrences"


class Probe(NamedTuple):
    """A probe word k, and its probabilities near the words a and b."""

    word: str
    first: float  # P(k | a) = X_ak / X_a; nan if a has no neighbours
    second: float  # P(k | b)
    ratio: float  # P(k | a) / P(k | b); inf if k occurs only near a, nan if it occurs near neither


def probe(output: str, first: str, second: str, words: Sequence[str]) -> list[Probe]:
    """How likely words are near one word and near another, as a list of `Probe(word, first, second, ratio)`.

    For each probe word k in `words`, `first` is P(k | a) and `second` is P(k | b), where a and b are the arguments
    `first` and `second`; `ratio` is their quotient (Pennington, Socher & Manning 2014, section 3). `output`: an output
    folder (its current version is read) or a version's folder; a path or URI. Only the row groups with the rows of a
    and b are read.

    Raises InputError for an unknown word or without a probe word, OutputError when nothing is published or the version
    has no table of counts.

    Example: `probe("glove-vectors", "ice", "steam", ["solid", "gas", "water"])`.
    """
    if not words:
        raise InputError("no probe word was given: name at least one whose probabilities are wanted")
    version = publish.resolve(output)
    if TABLE not in version.manifest["tables"]:
        raise OutputError(
            f"{version.folder}: this version has no table {TABLE}; train with a method that counts neighbours, "
            "and cooccurrences.publish = true"
        )
    with version.reading("ask again"):
        vocabulary = storage.read_table(version.table("vocabulary"), ["id", "word", "count"]).sort_by("id")
        nothing = np.empty((vocabulary.num_rows, 0), np.float32)
        known = WordVectors(vocabulary["word"].to_pylist(), vocabulary["count"].to_numpy(), nothing)
        columns, counts_uri = [row_of(known, word) for word in words], version.table(TABLE)
        near = [_probabilities(counts_uri, row_of(known, word), columns) for word in (first, second)]
    return [
        Probe(word, near_a, near_b, _ratio(near_a, near_b)) for word, near_a, near_b in zip(words, *near, strict=True)
    ]


def _probabilities(counts_uri: str, row: int, columns: list[int]) -> list[float]:
    """P(column | row) for some columns."""
    found = storage.read_table(counts_uri, ["col", "weight"], [("row", "==", row)])
    weights = dict(zip(found["col"].to_pylist(), found["weight"].to_pylist(), strict=True))
    total = math.fsum(weights.values())
    return [weights.get(column, 0.0) / total if total else math.nan for column in columns]


def _ratio(first: float, second: float) -> float:
    if second:  # nan is true here
        return first / second
    return math.inf if first > 0 else math.nan
