"""The functions of the SVD that Spark's Python workers run. They pin the CPU target before any kernel is imported."""

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import pyarrow as pa

from w2vspark.training.svd.plan import PassJob
from w2vspark.training.tasks import begin_task


def multiply_parts(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of parts -> rows of PARTIAL_FILES."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import multiply_part

    for batch in batches:
        for part in batch.column(0).to_pylist():
            yield from multiply_part(part, job)


def sum_parts(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of PARTIAL_FILES -> rows of PASS_FILES, for each place that this task was given."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import sum_place

    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter("place", "chunk"))
    for place, parts in groupby(rows, key=itemgetter("place")):
        yield sum_place(place, list(parts), job)


def find_peaks(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of places -> rows of PASS_FILES, without files: the largest values of singular vectors."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import peaks_of

    for batch in batches:
        for place in batch.column(0).to_pylist():
            yield peaks_of(place, job)


def write_vectors(batches: Iterator[pa.RecordBatch], job: PassJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of places, and behind them of parts -> rows of PARAMETER_FILES, of RIGHT and LEFT."""
    begin_task(job.of.cpu_target, 1)
    from w2vspark.training.svd.passes import write_left, write_right

    for batch in batches:
        for number in batch.column(0).to_pylist():
            if number < job.places:
                yield write_right(number, job)
            else:
                yield write_left(number - job.places, job)
