"""The functions that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from w2vspark.base import cpu_target
from w2vspark.training.plan import RoundJob


def train_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of PARAMETERS (one shard: nothing to combine) or of CHANGE_FILES."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.shards import train_shard

    pa.set_cpu_count(job.threads)
    pa.default_memory_pool().release_unused()  # what earlier stages left in this worker
    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from train_shard(shard, job)


def want_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of ROWS_WANTED."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.slice_rows import wanted_rows

    pa.set_cpu_count(1)
    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from wanted_rows(shard, job)


def send_wanted_rows(
    batches: Iterator[pa.RecordBatch], job: RoundJob, targets: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROWS_WANTED -> rows of ROWS_SENT, for each place that this task was given."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.slice_rows import send_rows

    pa.set_cpu_count(1)
    rows = [row for batch in batches for row in batch.to_pylist()]
    for place in sorted({row["place"] for row in rows}):
        yield from send_rows([row for row in rows if row["place"] == place], job, targets)


def train_sent_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROWS_SENT -> rows of CHANGE_FILES, for each shard that this task was given."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.slice_rows import train_rows

    pa.set_cpu_count(job.threads)
    rows: dict[int, list[dict[str, Any]]] = {}
    for batch in batches:
        for row in batch.to_pylist():
            rows.setdefault(row["shard"], []).append(row)
    for shard in sorted(rows):
        yield from train_rows(shard, rows[shard], job)


def combine_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of CHANGE_FILES -> rows of PARAMETERS, for each place that this task was given."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.shards import combine_files

    pa.set_cpu_count(1)
    rows = [row for batch in batches for row in batch.to_pylist()]
    for place in sorted({row["place"] for row in rows}):
        yield from combine_files([row for row in rows if row["place"] == place], job)
