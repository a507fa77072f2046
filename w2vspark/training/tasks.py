"""The functions of a round that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

import gc
import sys
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from w2vspark.base import cpu_target
from w2vspark.stages.encoded import read_word_ids
from w2vspark.training.trainer import RoundJob


def train_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of PARAMETER_FILES if there is a single shard, else of CHANGE_FILES."""
    begin_task(job.trainer.cpu_target, job.threads)
    from w2vspark.training.shards import train_shard

    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from train_shard(shard, job)


def want_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of ROWS_WANTED."""
    begin_task(job.trainer.cpu_target, 1)
    from w2vspark.training.sent_rows import wanted_rows

    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from wanted_rows(shard, job)


def send_wanted_rows(
    batches: Iterator[pa.RecordBatch], job: RoundJob, targets: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROWS_WANTED -> rows of ROW_FILES, for each reducer of this task."""
    begin_task(job.trainer.cpu_target, 1)
    from w2vspark.training.sent_rows import send_rows

    for rows in _by(batches, "key"):
        yield from send_rows(rows, job, targets)


def train_sent_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROW_FILES -> rows of CHANGE_FILES, for each shard of this task."""
    begin_task(job.trainer.cpu_target, job.threads)
    from w2vspark.training.sent_rows import train_rows

    for rows in _by(batches, "shard"):
        yield from train_rows(rows[0]["shard"], rows, job)


def combine_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of CHANGE_FILES -> rows of PARAMETER_FILES, for each reducer of this task."""
    begin_task(job.trainer.cpu_target, 1)
    from w2vspark.training.shards import combine_files

    for rows in _by(batches, "key"):
        yield from combine_files(rows, job)


def _by(batches: Iterator[pa.RecordBatch], column: str) -> Iterator[list[dict[str, Any]]]:
    """All rows, in groups with the same value in a column."""
    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter(column))
    return (list(group) for _, group in groupby(rows, key=itemgetter(column)))


def begin_task(target: str, threads: int) -> None:
    """Prepare the worker, before any kernel is imported. target: training.cpu_target. threads: of this task."""
    cpu_target.pin(target)
    pa.set_cpu_count(threads)
    read_word_ids.cache_clear()  # frees what earlier tasks left in this worker
    pa.default_memory_pool().release_unused()
    if "numba" in sys.modules:
        _freeze()


@cache
def _freeze() -> None:
    """Exempt existing objects from garbage collection, once per process.

    Spark collects garbage after every task. The objects of numba and the kernels would add 60 ms each time.
    """
    gc.freeze()
