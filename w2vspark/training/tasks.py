"""The functions that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from w2vspark.base import cpu_target
from w2vspark.base.config import TrainingConfig
from w2vspark.training.plan import Round


@dataclass(frozen=True, slots=True)
class RoundJob:
    """All that a task needs to know, as plain values; tables are named by their URIs and read by the task."""

    training: TrainingConfig  # resolved: no "auto"
    round: Round
    total_tokens: int  # of the whole run, all epochs
    words: int  # size of the vocabulary
    vocabulary_uri: str
    encoded_uri: str
    parameters_uri: str | None  # the last round's; None = initial values
    changes_uri: str  # the folder that takes the shards' changes until they are combined
    places: tuple[int, ...]  # keys of the partitions that combine
    threads: int  # that this task may use; never changes the result


def train_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of PARAMETERS (one shard: nothing to combine) or of CHANGE_FILES."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.shards import train_shard

    pa.set_cpu_count(job.threads)
    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from train_shard(shard, job)


def combine_shards(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of CHANGE_FILES -> rows of PARAMETERS, for each place that this task was given."""
    cpu_target.pin(job.training.cpu_target)
    from w2vspark.training.shards import combine_files

    pa.set_cpu_count(1)
    rows = [row for batch in batches for row in batch.to_pylist()]
    for place in sorted({row["place"] for row in rows}):
        yield from combine_files([row for row in rows if row["place"] == place], job)
