"""Vectors of words with subwords, in bounded memory: the mean of the word's own row and its n-grams' rows.

A task publishes a range of words. It gathers only the rows that these words need, in one scan of the matrix. If the
rows do not fit the buffer, the task works on slices of the columns, with one scan for each slice. Each column is summed
separately, so slices do not change a single bit.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2vspark.base import cpu_target
from w2vspark.base.errors import DamagedTable
from w2vspark.spark.session import PROCESS_BYTES
from w2vspark.stages.parameters import scan_rows
from w2vspark.stages.vectors import RowSource, known_words
from w2vspark.training.tasks import begin_task
from w2vspark.training.word2vec.settings import SubwordsConfig
from w2vspark.training.word2vec.subwords import SubwordTables, buckets_in_use, forget_subwords

if TYPE_CHECKING:
    from w2vspark.kernels.word2vec.subwords import Subwords

BUFFER_BYTES = 550_000_000  # of rows that a task holds at once
SCAN_BYTES = 120_000_000  # that Arrow takes to read blocks, and that the process does not give back at once
# Of the vectors that a task makes. Words share n-grams, so a larger task needs fewer rows per word.
MEANS_BYTES = 56 << 20
RUN_NGRAMS = 4_000_000  # that a task lists at once; some 30 bytes each
PART_ROWS = 4096  # vectors that a task yields at once
# For composing_bytes: an English word has some 25 n-grams of 3 to 6 characters.
NGRAMS_OF_WORD, BYTES_OF_NGRAM, BYTES_OF_BUCKET = 30, 20, 20


def composed_tasks(words: int, dimensions: int, means_bytes: int = MEANS_BYTES) -> int:
    """The number of tasks that publish `words` words."""
    return max(1, math.ceil(4 * words * dimensions / means_bytes))


def composing_bytes(
    words: int, ngrams: int, dimensions: int, buffer_bytes: int = BUFFER_BYTES, means_bytes: int = MEANS_BYTES
) -> int:
    """Bytes that a publishing task needs at its peak: its process, blocks, buffer, vectors, lists of n-grams.

    words, ngrams: how many rows of the matrix belong to words, and how many to n-grams.
    """
    of_task = math.ceil(words / composed_tasks(words, dimensions, means_bytes))
    listed = min(RUN_NGRAMS, NGRAMS_OF_WORD * of_task)
    row_bytes = 4 * (-(-dimensions // 8) * 8)
    buffer = min(buffer_bytes, row_bytes * (of_task + min(ngrams, listed)))
    lists = BYTES_OF_NGRAM * listed + BYTES_OF_BUCKET * ngrams
    return PROCESS_BYTES + SCAN_BYTES + buffer + 4 * dimensions * of_task + lists


def composed_rows(
    first: int,
    last: int,
    parameters_uri: str,
    matrix: str,
    tables: SubwordTables,
    words: int,
    dimensions: int,
    buffer_bytes: int = BUFFER_BYTES,
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the vectors of words first … last - 1, each the mean of its rows; a RowSource once the rest is bound.

    words: of the whole vocabulary; bucket i of subword_buckets has row words + i of the matrix. buffer_bytes: for rows
    in memory; at least one chunk of columns is held, of all rows that a run of words needs. Raises DamagedTable if the
    matrix lacks a row or cannot be read, and ValueError if subword_buckets lacks a bucket.
    """
    cpu_target.pin(tables.cpu_target)
    from w2vspark.kernels.word2vec.subwords import subwords_of

    forget_subwords()
    config, used = tables.config, buckets_in_use(tables)
    known = known_words(tables.vocabulary_uri, first, last)["word"]
    for begin, end in word_runs(known, config):
        names = known.slice(begin, end - begin).to_pylist()
        subwords = subwords_of(names, config.min_length, config.max_length, config.buckets, used)
        wanted, subwords = _wanted_rows(subwords, first + begin, words, used.size)
        means = np.empty((end - begin, dimensions), np.float32)
        for columns in column_slices(sum(map(len, wanted)), dimensions, buffer_bytes):
            _fill_columns(parameters_uri, matrix, wanted, subwords, columns, means)
        for at in range(0, len(means), PART_ROWS):
            yield first + begin + at, means[at : at + PART_ROWS]


def word_runs(words: pa.ChunkedArray, config: SubwordsConfig) -> Iterator[tuple[int, int]]:
    """Cut words into runs (first, one past the last) with at most RUN_NGRAMS n-grams, or with a single word."""
    lengths = pc.utf8_length(words).to_numpy().astype(np.int64) + 2  # with < and >
    ends = np.cumsum(lengths * (config.max_length - config.min_length + 1))
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + RUN_NGRAMS, "right")))
        yield first, last
        first = last


def column_slices(rows: int, dimensions: int, buffer_bytes: int) -> list[tuple[int, int]]:
    """Cut columns into slices (first, one past the last) of whole chunks, so that `rows` rows fit the buffer.

    The slices have the same width. The last one ends with the last chunk, which may go beyond the dimensions. A slice
    has at least one chunk.
    """
    from w2vspark.kernels.instructions import SIMD_WIDTH

    chunks = -(-dimensions // SIMD_WIDTH)
    fitting = max(1, buffer_bytes // (4 * SIMD_WIDTH * rows))
    width = -(-chunks // -(-chunks // fitting)) * SIMD_WIDTH
    return [(first, min(first + width, chunks * SIMD_WIDTH)) for first in range(0, chunks * SIMD_WIDTH, width)]


def _wanted_rows(
    subwords: "Subwords", first: int, words: int, ngrams: int
) -> tuple[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]], "Subwords"]:
    """The rows of the matrix that a run of words needs, and the run's subwords with positions in these rows.

    The rows are two rising arrays: the words' own rows, and their n-grams' rows. first: the run's first word.
    """
    from w2vspark.kernels.word2vec.subwords import Subwords

    count = subwords.starts.size - 1
    needed = np.zeros(count + ngrams, np.bool_)
    needed[subwords.rows] = True
    position = np.cumsum(needed, dtype=np.int32)
    position -= 1
    own = np.arange(first, first + count)
    return (own, words + np.flatnonzero(needed[count:])), Subwords(subwords.starts, position[subwords.rows])


def _fill_columns(
    uri: str,
    matrix: str,
    wanted: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    subwords: "Subwords",
    columns: tuple[int, int],
    means: npt.NDArray[np.float32],
) -> None:
    """Fill a slice of the columns of means, float32 (words, dimensions), the vectors of a run."""
    from w2vspark.kernels.rows import aligned_rows
    from w2vspark.kernels.word2vec.subwords import mean_rows

    first, last = columns[0], min(columns[1], means.shape[1])
    buffer = aligned_rows(sum(map(len, wanted)), columns[1] - columns[0])
    begin = 0
    for part in wanted:
        _gather(uri, matrix, part, first, last, buffer[begin : begin + len(part)])
        begin += len(part)
    for at in range(0, len(means), PART_ROWS):
        end = min(at + PART_ROWS, len(means))
        means[at:end, first:last] = mean_rows(buffer, subwords, at, end)[:, : last - first]


def _gather(
    uri: str, matrix: str, wanted: npt.NDArray[np.int64], first: int, last: int, rows: npt.NDArray[np.float32]
) -> None:
    """Copy columns first … last - 1 of the wanted rows (rising) to `rows`, in one scan of the matrix."""
    if not len(wanted):
        return
    found = 0
    for start, block in scan_rows(uri, matrix, int(wanted[0]), int(wanted[-1]) + 1, last):
        begin, end = np.searchsorted(wanted, (start, start + len(block)))
        rows[begin:end, : last - first] = block[wanted[begin:end] - start, first:last]
        found += int(end - begin)
    if found != len(wanted):
        lacking = f"{len(wanted) - found} of the rows {wanted[0]} to {wanted[-1]} of {matrix!r}"
        raise DamagedTable(f"{uri}: lacks {lacking}")


def rows_in_free_memory(
    first: int, last: int, source: RowSource, target: str
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Yield the rows of a source, after freeing what rounds keep: a process that trained may publish later."""
    begin_task(target, 1)
    from w2vspark.training.word2vec.slices import forget_kept

    forget_kept()
    yield from source(first, last)
