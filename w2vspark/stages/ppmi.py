"""Table ppmi: pointwise mutual information of neighbouring words, as sparse rows.

PMI(i, j) = log(X_ij / (sum_j X_ij) / p(j)) - log(shift), where p(j) ~ (sum_i X_ij) ** smoothing. PPMI has only the
positive values (Levy & Goldberg 2014; Levy, Goldberg & Dagan 2015). A task turns one file of counts into one file of
this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import COLUMN_SUMS, COOCCURRENCES, PARAMETER_FILES
from w2vspark.config.keys import Settings, at_least, between, key
from w2vspark.spark.arrow import one_row, spark_schema
from w2vspark.stages.cooccurrences import COUNTS, read_row_sums
from w2vspark.stages.sparse_rows import SparseBlock, write_sparse_rows
from w2vspark.storage.listed import ListedFile, NewFile, file_names, listed_files, read_listed, scan_listed


@dataclass(frozen=True, slots=True, kw_only=True)
class PpmiConfig(Settings):
    """Pointwise mutual information of neighbouring words (Levy, Goldberg & Dagan 2015)."""

    section = "ppmi"

    smoothing: float = key(
        0.75,
        rule=between(0, 1),
        why="The counts of contexts are raised to this power; below 1, rare contexts get smaller values.",
    )
    shift: float = key(
        1.0,
        rule=at_least(1),
        why="Its logarithm is subtracted from every value; word2vec with k negatives trains a shift of k.",
    )
    positive: bool = key(True, why="true: values below 0 become 0; false keeps them.")
    add_context: bool = key(False, why="true: vectors are the sums of word and context vectors.")


PPMI, SUMS = "ppmi", "column_sums"  # names in lists of files
BLOCK_ENTRIES = 1_000_000  # in a block, which ends with a whole row: 8 MB; the slices of a pass consist of blocks
SUM_FILES = 16  # at most, with sums of columns; every task adds them up


@dataclass(frozen=True, slots=True)
class PpmiJob:
    """All that a task needs to know, as plain values."""

    config: PpmiConfig
    cpu_target: str
    words: int
    counts_uri: str
    columns_uri: str  # of column_sums; "" if a column's sum is that of its row
    table_uri: str


def column_sums(session: SparkSession, job: PpmiJob) -> DataFrame:
    """The sums of the counts' columns, as a lazy frame of PARAMETER_FILES. Each file sums some files of counts.

    It is needed only for neighbours on one side: counts of both sides are symmetric.
    """
    tasks = min(SUM_FILES, len(listed_files(job.counts_uri, COUNTS)))
    numbers = session.range(0, tasks, 1, tasks)
    return numbers.mapInArrow(partial(sum_columns, job=job, tasks=tasks), spark_schema(PARAMETER_FILES))


def ppmi(session: SparkSession, job: PpmiJob) -> DataFrame:
    """The table as a lazy frame of PARAMETER_FILES: the tasks write its files (see write_listed)."""
    tasks = len(listed_files(job.counts_uri, COUNTS))
    return session.range(0, tasks, 1, tasks).mapInArrow(partial(write_rows, job=job), spark_schema(PARAMETER_FILES))


def sum_columns(batches: Iterator[pa.RecordBatch], job: PpmiJob, tasks: int) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARAMETER_FILES, each for the sums over the task's files of counts."""
    cpu_target.pin(job.cpu_target)
    from w2vspark.kernels.counts.ppmi import add_columns

    files = listed_files(job.counts_uri, COUNTS)
    for task in _numbers(batches):
        sums = np.zeros(job.words)
        for file in files[len(files) * task // tasks : len(files) * (task + 1) // tasks]:
            for batch in scan_listed(job.counts_uri, ["col", "weight"], files=[file]):
                add_columns(*(column.to_numpy() for column in batch.columns), sums)
        columns = [pa.array(np.arange(job.words, dtype=np.int32)), pa.array(sums)]
        table = pa.Table.from_arrays(columns, schema=COLUMN_SUMS)
        with NewFile(job.columns_uri, SUMS, COLUMN_SUMS) as new:
            new.write(table)
        yield one_row(PARAMETER_FILES, matrix=SUMS, first_id=task, rows=job.words, **new.listed())


def write_rows(batches: Iterator[pa.RecordBatch], job: PpmiJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of the counts' files -> rows of PARAMETER_FILES."""
    cpu_target.pin(job.cpu_target)
    pa.set_cpu_count(1)
    files = listed_files(job.counts_uri, COUNTS)
    for number in _numbers(batches):
        first, rows = files[number]["first_id"], files[number]["rows"]
        blocks = _blocks(files[number], first, first + rows, job)
        yield write_sparse_rows(job.table_uri, PPMI, first, blocks)


def _blocks(file: ListedFile, first: int, last: int, job: PpmiJob) -> Iterator[SparseBlock]:
    """Rows first … last - 1 of a file of counts, in blocks of BLOCK_ENTRIES entries, whatever the file's batches.

    Holds one batch and one block in memory, or one row if that is longer.
    """
    from w2vspark.kernels.counts.ppmi import fill_pmi

    row_sums, shares = _sums(job, file_names(job.counts_uri))
    sizes = np.zeros(last - first, np.int64)  # entries of each row
    waiting: list[tuple[np.ndarray, np.ndarray]] = []
    begin = first  # the block's first row
    for batch in scan_listed(job.counts_uri, COOCCURRENCES.names, files=[file]):
        rows, columns, weights = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
        if not rows.size:
            continue
        out = np.empty(rows.size, np.int32), np.empty(rows.size, np.float32)
        count = fill_pmi(rows, columns, weights, first, row_sums, shares, job.config.positive, sizes, *out)
        waiting.append((out[0][:count], out[1][:count]))
        whole = int(rows[-1])  # the rows before this one are complete
        ends = np.cumsum(sizes[begin - first : whole - first])
        if ends.size and ends[-1] >= BLOCK_ENTRIES:
            columns_left, values_left = (np.concatenate(arrays) for arrays in zip(*waiting, strict=True))
            while ends.size and ends[-1] >= BLOCK_ENTRIES:
                cut = int(np.searchsorted(ends, BLOCK_ENTRIES)) + 1
                entries = ends[cut - 1]
                yield SparseBlock(begin, ends[:cut].copy(), columns_left[:entries], values_left[:entries])
                begin, ends = begin + cut, ends[cut:] - entries
                columns_left, values_left = columns_left[entries:], values_left[entries:]
            waiting = [(columns_left.copy(), values_left.copy())]
    if begin < last:
        waiting.append((np.empty(0, np.int32), np.empty(0, np.float32)))
        columns, values = (np.concatenate(arrays) for arrays in zip(*waiting, strict=True))
        yield SparseBlock(begin, np.cumsum(sizes[begin - first :]), columns, values)


@lru_cache(maxsize=1)
def _sums(job: PpmiJob, _files: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the rows, and the shares of the contexts: float64 (words,) each."""
    from w2vspark.kernels.counts.ppmi import context_shares

    row_sums = read_row_sums(job.counts_uri, job.words)
    of_contexts = read_column_sums(job) if job.columns_uri else row_sums
    return row_sums, context_shares(of_contexts, job.config.smoothing, job.config.shift)


def read_column_sums(job: PpmiJob) -> np.ndarray:
    """The sums of the counts' columns, float64 (words,): the files of column_sums, added up in their order."""
    sums = np.zeros(job.words)
    for file in listed_files(job.columns_uri, SUMS):
        sums += read_listed(job.columns_uri, files=[file])["weight"].to_numpy()
    return sums


def _numbers(batches: Iterator[pa.RecordBatch]) -> Iterator[Any]:
    for batch in batches:
        yield from batch.column(0).to_pylist()
