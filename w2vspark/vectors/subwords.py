"""Vectors of unseen words, from the published character n-grams. Needs only NumPy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from w2vspark import storage
from w2vspark.base.errors import InputError, OutputError
from w2vspark.output import publish
from w2vspark.vectors.lists import list_rows


@dataclass(frozen=True, eq=False)
class Subwords:
    """The character n-grams of a model.

    buckets: int32 (G,), rising: the hash buckets with a vector. matrix: float32 (G, D), their vectors. shortest,
    longest: of the n-grams, in characters. hashed_into: the number of all buckets.
    """

    buckets: NDArray[np.int32]
    matrix: NDArray[np.float32]
    shortest: int
    longest: int
    hashed_into: int

    def vector(self, word: str) -> NDArray[np.float32]:
        """A word's vector, float32 (D,): the mean over those of its n-grams that occur in the vocabulary.

        Raises InputError when none of them does.
        """
        wanted = [fnv1a(ngram) % self.hashed_into for ngram in ngrams_of(word, self.shortest, self.longest)]
        at = np.searchsorted(self.buckets, wanted)
        known = [i for i, bucket in zip(at, wanted, strict=True) if i < self.buckets.size and self.buckets[i] == bucket]
        if not known:
            raise InputError(f"the word {word!r} has no character n-gram in common with a word of the vocabulary")
        mean: NDArray[np.float32] = self.matrix[known].mean(axis=0, dtype=np.float64).astype(np.float32)
        return mean


def ngrams_of(word: str, shortest: int, longest: int) -> list[bytes]:
    """The n-grams of <word> in UTF-8, as in fastText's computeSubwords; < or > alone is no n-gram."""
    letters = f"<{word}>"
    found = []
    for first in range(len(letters)):
        for last in range(first + shortest, min(first + longest, len(letters)) + 1):
            if last - first > 1 or (first > 0 and last < len(letters)):
                found.append(letters[first:last].encode())
    return found


def fnv1a(letters: bytes) -> int:
    """The 32-bit FNV-1a hash over signed bytes, as in fastText's Dictionary::hash."""
    h = 2166136261
    for letter in letters:
        h = ((h ^ (letter if letter < 128 else letter | 0xFFFFFF00)) * 16777619) & 0xFFFFFFFF
    return h


def load_subwords(output: str) -> Subwords:
    """Read the n-grams of the current version of an output folder, or of the version whose own folder is given.

    Raises OutputError as read_subwords does, and when nothing is published.
    """
    return read_subwords(publish.resolve(output))


def read_subwords(version: publish.Version) -> Subwords:
    """Read the n-grams of a published version.

    Raises OutputError when the model has no subwords, the table is damaged, or the version was deleted meanwhile.
    """
    config = version.manifest.get("config", {}).get("subwords", {})
    if not config.get("enabled"):
        raise OutputError(f"{version.folder}: has no character n-grams; train with subwords.enabled = true")
    with version.reading("load the vectors again"):
        table = version.table("subwords")
        found = storage.read_table(table)
    if not len(found):
        raise OutputError(f"{table}: holds no n-gram; train with a smaller subwords.min_length")
    order = np.argsort(found["bucket"].to_numpy())
    rows = list_rows(found["vector"].combine_chunks(), table)
    return Subwords(
        found["bucket"].to_numpy()[order], rows[order], config["min_length"], config["max_length"], config["buckets"]
    )
