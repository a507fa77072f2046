"""Tables subword_buckets and subwords: the buckets of the vocabulary's character n-grams, and their vectors."""

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import SUBWORD_BUCKETS, SUBWORDS, WORDS
from w2vspark.spark.arrow import ROWS_PER_BATCH, TASK_BYTES, vector_lists
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.parameters import scan_rows
from w2vspark.storage.listed import file_names, read_listed, scan_listed
from w2vspark.training.word2vec.settings import SubwordsConfig

if TYPE_CHECKING:
    from w2vspark.kernels.word2vec.subwords import Subwords


@dataclass(frozen=True, slots=True)
class SubwordTables:
    """All that a worker needs to find the rows that make up each word."""

    config: SubwordsConfig
    vocabulary_uri: str
    subword_buckets_uri: str
    ngrams: int  # rows of subword_buckets
    cpu_target: str


def subword_buckets(session: SparkSession, vocabulary_uri: str, config: SubwordsConfig, target: str) -> TaskRows:
    """The buckets in use, rising, as schemas.SUBWORD_BUCKETS. target: the training's cpu_target."""
    # One task: there are no more rows than subwords.buckets.
    rows = functools.partial(bucket_batches, vocabulary_uri=vocabulary_uri, config=config, target=target)
    return TaskRows(session.range(0, 1, 1, 1), rows, SUBWORD_BUCKETS)


def bucket_batches(
    batches: Iterator[pa.RecordBatch], vocabulary_uri: str, config: SubwordsConfig, target: str
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: a single row -> all rows of schemas.SUBWORD_BUCKETS."""
    cpu_target.pin(target)
    from w2vspark.kernels.word2vec import subwords as kernel

    for _ in batches:
        used = np.zeros(config.buckets, np.bool_)
        for words in scan_listed(vocabulary_uri, ["word"]):
            _, found = kernel.ngram_buckets(
                words["word"].to_pylist(), config.min_length, config.max_length, config.buckets
            )
            used[found] = True
        numbers = pa.array(np.flatnonzero(used).astype(np.int32))
        yield from pa.Table.from_arrays([numbers], schema=SUBWORD_BUCKETS).to_batches(ROWS_PER_BATCH)


def read_subwords(tables: SubwordTables) -> "Subwords":
    """The rows that make up each word: its own row, and row V + i for bucket i of subword_buckets."""
    files = file_names(tables.vocabulary_uri), file_names(tables.subword_buckets_uri)
    return _read_subwords(tables, files)


@functools.lru_cache(maxsize=1)
def _read_subwords(tables: SubwordTables, _files: tuple[tuple[str, ...], ...]) -> "Subwords":
    cpu_target.pin(tables.cpu_target)
    from w2vspark.kernels.word2vec.subwords import subwords_of

    words = read_listed(tables.vocabulary_uri, ["id", "word"]).sort_by("id")["word"].to_pylist()
    config = tables.config
    return subwords_of(words, config.min_length, config.max_length, config.buckets, buckets_in_use(tables))


def forget_subwords() -> None:
    """Free what read_subwords keeps for the next round: a process that trained may publish later."""
    _read_subwords.cache_clear()


def subwords(
    session: SparkSession, parameters_uri: str, tables: SubwordTables, words: int, dimensions: int
) -> TaskRows:
    """The vectors of all buckets in use as schemas.SUBWORDS, sorted by bucket within each file."""
    tasks = max(1, tables.ngrams * dimensions * 4 // TASK_BYTES)
    rows = functools.partial(
        subword_batches, parameters_uri=parameters_uri, tables=tables, words=words, dimensions=dimensions, tasks=tasks
    )
    return TaskRows(session.range(0, tasks, 1, tasks), rows, SUBWORDS)


def subword_batches(
    batches: Iterator[pa.RecordBatch],
    parameters_uri: str,
    tables: SubwordTables,
    words: int,
    dimensions: int,
    tasks: int,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.SUBWORDS, for the task's range of buckets in use."""
    buckets = buckets_in_use(tables)
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = tables.ngrams * task // tasks, tables.ngrams * (task + 1) // tasks
            for start, block in scan_rows(parameters_uri, WORDS, words + first, words + last, dimensions):
                of_block = pa.array(buckets[start - words : start - words + len(block)])
                yield pa.RecordBatch.from_arrays([of_block, vector_lists(block)], schema=SUBWORDS)


def buckets_in_use(tables: SubwordTables) -> npt.NDArray[np.int32]:
    """The numbers of the buckets that have a row, int32, rising."""
    found: npt.NDArray[np.int32] = np.sort(read_listed(tables.subword_buckets_uri, ["bucket"])["bucket"].to_numpy())
    return found
