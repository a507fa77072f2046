"""The functions that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

import gc
import sys
from collections.abc import Iterator

import pyarrow as pa

from w2vspark.base import cpu_target
from w2vspark.training.plan import RoundJob


def train_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of PARAMETERS (one shard: nothing to combine) or of CHANGE_FILES."""
    _begin(job, job.threads)
    from w2vspark.training.shards import train_shard

    pa.default_memory_pool().release_unused()  # what earlier stages left in this worker
    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from train_shard(shard, job)


def want_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of ROWS_WANTED."""
    _begin(job, 1)
    from w2vspark.training.slice_rows import wanted_rows

    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from wanted_rows(shard, job)


def send_wanted_rows(
    batches: Iterator[pa.RecordBatch], job: RoundJob, targets: tuple[int, ...]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROWS_WANTED -> rows of ROWS_SENT, for each place that this task was given."""
    _begin(job, 1)
    from w2vspark.training.slice_rows import send_rows

    rows = [row for batch in batches for row in batch.to_pylist()]
    for place in sorted({row["place"] for row in rows}):
        yield from send_rows([row for row in rows if row["place"] == place], job, targets)


def train_sent_rows(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ROWS_SENT -> rows of CHANGE_FILES, for each shard that this task was given."""
    _begin(job, job.threads)
    from w2vspark.training.slice_rows import SentRows, train_rows

    rows: dict[int, list[SentRows]] = {}
    for batch in batches:
        names, first_ids = batch["matrix"].to_pylist(), batch["first_id"].to_pylist()
        for at, shard in enumerate(batch["shard"].to_pylist()):
            rows.setdefault(shard, []).append((names[at], first_ids[at], batch["values"][at].as_buffer()))
    for shard in sorted(rows):
        yield from train_rows(shard, rows[shard], job)


def combine_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of CHANGE_FILES -> rows of PARAMETERS, for each place that this task was given."""
    _begin(job, 1)
    from w2vspark.training.shards import combine_files

    rows = [row for batch in batches for row in batch.to_pylist()]
    for place in sorted({row["place"] for row in rows}):
        yield from combine_files([row for row in rows if row["place"] == place], job)


def _begin(job: RoundJob, threads: int) -> None:
    """What comes before any kernel is imported."""
    cpu_target.pin(job.training.cpu_target)
    pa.set_cpu_count(threads)
    if gc.get_freeze_count() == 0 and "numba" in sys.modules:
        # Spark collects garbage after every task: some 60 ms for what numba and the kernels are made of.
        gc.freeze()
