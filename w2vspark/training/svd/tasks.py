"""The functions of the SVD that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from w2vspark.training.svd.plan import PassJob
from w2vspark.training.tasks import begin_task


def multiply_slices(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of row slices -> rows of PARTIAL_FILES."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import multiply_slice

    for batch in batches:
        for row_slice in batch.column(0).to_pylist():
            yield from multiply_slice(row_slice, job)


def sum_slices(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of PARTIAL_FILES -> rows of PASS_FILES, for each reducer of this task."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import sum_slices_for

    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter("reducer", "slice"))
    for reducer, of_reducer in groupby(rows, key=itemgetter("reducer")):
        yield sum_slices_for(reducer, list(of_reducer), job)


def find_peaks(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of reducers -> rows of PASS_FILES without files: each column's value farthest from 0."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import peaks_of

    for batch in batches:
        for reducer in batch.column(0).to_pylist():
            yield peaks_of(reducer, job)


def write_vectors(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of reducers, then of row slices -> rows of PARAMETER_FILES, for RIGHT and LEFT."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import write_left, write_right

    for batch in batches:
        for number in batch.column(0).to_pylist():
            if number < job.reducers:
                yield write_right(number, job)
            else:
                yield write_left(number - job.reducers, job)
