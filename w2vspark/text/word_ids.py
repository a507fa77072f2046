"""Finds the ids of a vocabulary's words, with arrays that take some 30 bytes a word. A dict takes 130."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

_WORDS_AT_ONCE = 1 << 16  # words that are Python strings at the same time, to be hashed


class WordIds:
    """Finds words by a hash of 64 bits, and then compares the words themselves."""

    def __init__(self, words: pa.ChunkedArray, ids: npt.NDArray[np.int32], hash_of: Callable[[str], int] = hash):
        """words: string (V,), all different; ids: int32 (V,). hash_of: word -> 64 bits; Python's own hash will do,
        because no other process sees it."""
        self._hash_of = hash_of
        words = words.cast(pa.large_string())  # room for more than 2 GB of words in one array
        hashes = np.empty(len(words), np.int64)
        for first in range(0, len(words), _WORDS_AT_ONCE):
            some = words.slice(first, _WORDS_AT_ONCE).to_pylist()
            hashes[first : first + len(some)] = self._hashes_of(some)
        order = np.argsort(hashes)
        self._hashes, self._ids = hashes[order], ids[order]
        self._words = words.take(pa.array(order)).combine_chunks()
        # find sees only the first of several words with the same hash. The others are here; one vocabulary in a million
        # has any.
        again = 1 + np.flatnonzero(self._hashes[1:] == self._hashes[:-1])
        self._others = {self._words[at].as_py(): self._ids[at] for at in again.tolist()}

    def find(self, words: pa.Array) -> npt.NDArray[np.int32]:
        """The id of each word, int32 (n,); -1 where it is not in the vocabulary. words: string (n,)."""
        texts = words.to_pylist()
        hashes = self._hashes_of(texts)
        positions = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        found = np.full(len(texts), -1, np.int32)
        alike = np.flatnonzero(self._hashes[positions] == hashes)
        here = self._words.take(pa.array(positions[alike]))
        same = alike[pc.equal(here, words.take(pa.array(alike)).cast(here.type)).to_numpy(zero_copy_only=False)]
        found[same] = self._ids[positions[same]]
        if self._others:
            for at in np.flatnonzero(found < 0).tolist():
                found[at] = self._others.get(texts[at], -1)
        return found

    def _hashes_of(self, words: Sequence[str]) -> npt.NDArray[np.int64]:
        return np.fromiter(map(self._hash_of, words), np.int64, len(words))
