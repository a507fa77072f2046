"""Character n-grams of words, hashed into buckets as fastText does, and words as the mean of their rows.

Bojanowski et al. 2017; fastText's Dictionary::computeSubwords and ::hash (FNV-1a of 32 bits, over signed bytes).
"""

from dataclasses import dataclass

import numpy as np
from numba import int64, uint32

from w2vspark.kernels.compiled import compiled
from w2vspark.kernels.instructions import SIMD_WIDTH
from w2vspark.kernels.rows import stride_of
from w2vspark.kernels.simd import pointer_to, sum_rows


@dataclass(frozen=True, slots=True)
class Subwords:
    """The rows of inputs that make up each word: word w is the mean of rows[starts[w] : starts[w + 1]]."""

    starts: np.ndarray  # int64 (V + 1,)
    rows: np.ndarray  # int32


@compiled
def _ngrams(letters, first, last, shortest, longest, buckets, found, at):
    """The number of a word's n-grams. Writes their buckets to found[at:], unless found is empty.

    letters[first : last] is the word between < and >.
    """
    count = 0
    for i in range(first, last):
        if letters[i] & 0xC0 == 0x80:  # not the first byte of a character
            continue
        h = uint32(2166136261)
        j = i
        length = 0
        while j < last and length < longest:
            while True:
                signed = int64(letters[j]) - (256 if letters[j] > 127 else 0)
                h = uint32((h ^ uint32(signed)) * uint32(16777619))
                j += 1
                if j >= last or letters[j] & 0xC0 != 0x80:
                    break
            length += 1
            if length >= shortest and not (length == 1 and (i == first or j == last)):
                if found.size > 0:
                    found[at + count] = int64(h) % buckets
                count += 1
    return count


@compiled
def _fill_ngrams(letters, ends, shortest, longest, buckets, starts, found):
    """Write where each word's n-grams begin to starts, and their buckets to found, unless found is empty."""
    first = 0
    for word in range(ends.size):
        count = _ngrams(letters, first, ends[word], shortest, longest, buckets, found, starts[word])
        starts[word + 1] = starts[word] + count
        first = ends[word]


@compiled
def _fill_rows(starts, ngrams, row_of_bucket, words, rows):
    for word in range(words):
        at = starts[word] + word
        rows[at] = word
        for i in range(starts[word], starts[word + 1]):
            at += 1
            rows[at] = row_of_bucket[ngrams[i]]


@compiled
def _fill_means(inputs, starts, rows, first, stride, chunks, offsets, means):
    for i in range(means.shape[0]):
        begin = starts[first + i]
        count = starts[first + i + 1] - begin
        for j in range(count):
            offsets[j] = int64(rows[begin + j]) * stride
        sum_rows(
            pointer_to(inputs), pointer_to(offsets), count, np.float32(1.0 / count), pointer_to(means),
            i * chunks * SIMD_WIDTH, chunks,
        )  # fmt: skip


def ngram_buckets(words: list[str], shortest: int, longest: int, buckets: int) -> tuple[np.ndarray, np.ndarray]:
    """The buckets of all n-grams of `shortest` to `longest` characters of <word>, for each word, in fastText's order.

    Returns starts, int64 (V + 1,), and buckets, int64: word w has buckets[starts[w] : starts[w + 1]]. An n-gram that is
    in a word twice is listed twice. Raises ValueError for impossible lengths or an impossible number of buckets.
    """
    if not 1 <= shortest <= longest or not 1 <= buckets < 2**31:
        raise ValueError(
            f"n-grams of {shortest} to {longest} characters in {buckets} buckets: expected 1 <= shortest <= longest "
            "and 1 to 2**31-1 buckets"
        )
    encoded = [f"<{word}>".encode() for word in words]
    letters = np.frombuffer(b"".join(encoded), np.uint8)
    ends = np.cumsum([len(word) for word in encoded], dtype=np.int64)
    starts = np.zeros(len(words) + 1, np.int64)
    found = np.zeros(0, np.int64)
    _fill_ngrams(letters, ends, shortest, longest, buckets, starts, found)
    found = np.empty(starts[-1], np.int64)
    if found.size:
        _fill_ngrams(letters, ends, shortest, longest, buckets, starts, found)
    return starts, found


def subwords_of(words: list[str], shortest: int, longest: int, buckets: int, used: np.ndarray) -> Subwords:
    """The rows that make up each word: its own row w, and row V + i for an n-gram in bucket used[i].

    used: int32, rising, with all buckets of the words' n-grams. Raises ValueError if one is missing.
    """
    starts, ngrams = ngram_buckets(words, shortest, longest, buckets)
    row_of_bucket = np.full(buckets, -1, np.int32)
    row_of_bucket[used] = np.arange(len(words), len(words) + used.size, dtype=np.int32)
    rows = np.empty(ngrams.size + len(words), np.int32)
    _fill_rows(starts, ngrams, row_of_bucket, len(words), rows)
    if (rows < 0).any():
        raise ValueError(
            f"{np.count_nonzero(rows < 0)} n-grams fall into buckets that are not among the {used.size} used"
        )
    return Subwords(starts + np.arange(len(words) + 1), rows)


def mean_rows(inputs: np.ndarray, subwords: Subwords, first: int, last: int) -> np.ndarray:
    """The vectors of words first … last - 1, float32 (last - first, stride), from inputs, float32 (rows, stride)."""
    stride, rows = inputs.shape[1], int(subwords.rows.max()) + 1
    if inputs.dtype != np.float32 or not inputs.flags.c_contiguous or stride % SIMD_WIDTH or rows > len(inputs):
        raise ValueError(f"expected {rows} contiguous rows of float32, got {inputs.dtype} {inputs.shape}")
    means = np.empty((last - first, stride_of(stride)), np.float32)
    offsets = np.empty(np.diff(subwords.starts).max(), np.int64)
    _fill_means(inputs, subwords.starts, subwords.rows, first, stride, stride // SIMD_WIDTH, offsets, means)
    return means
