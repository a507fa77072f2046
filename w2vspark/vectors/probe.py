"""How much likelier a word stands near one word than near another: the probe words of GloVe's table 1."""

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
    """A probe word k, and what the counts say of it beside words a and b."""

    word: str
    first: float  # P(k | a) = X_ak / X_a; nan where a has no neighbours
    second: float  # P(k | b)
    ratio: float  # P(k | a) / P(k | b); inf where k stands near a alone, nan where it stands near neither


def probe(output: str, first: str, second: str, words: Sequence[str]) -> list[Probe]:
    """P(k | a), P(k | b) and their ratio for probe words k (Pennington, Socher & Manning 2014, section 3).

    output: an output folder (its current version is read) or a version folder; a path or URI. Of the counts, only the
    row groups with the rows of a and b are read. Raises InputError for an unknown word, OutputError where nothing is
    published or the version has no table of counts.
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
    if second:  # also where it is not a number
        return first / second
    return math.inf if first > 0 else math.nan
