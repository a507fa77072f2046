"""The function of GloVe's rounds that Spark's Python workers run. It pins the CPU target before it imports kernels."""

from collections.abc import Iterator

import pyarrow as pa

from w2vspark.training.glove.plan import GloveJob
from w2vspark.training.tasks import begin_task


def train_glove(batches: Iterator[pa.RecordBatch], job: GloveJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: shard numbers -> rows of PARAMETER_FILES."""
    begin_task(job.training.cpu_target, job.threads)
    from w2vspark.training.glove.shard import train_glove_shard

    for batch in batches:
        for shard in batch.column(0).to_pylist():
            yield from train_glove_shard(shard, job)
