"""Table strata: co-occurrences cut into a grid, as GloVe's workers read them.

Rows are cut into ranges with equal numbers of entries, columns dealt like cards into as many classes: column c is
number c // classes of class c % classes. Strata of different ranges and classes share no row of the model. Contexts are
stored class by class: a class's contexts are neighbours, in the order of their ids.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import CONTEXT, PARAMETER_FILES
from w2vspark.spark.arrow import spark_schema
from w2vspark.stages.cooccurrence_rows import scan_counts, scan_row_entries
from w2vspark.stages.parameters import scan_rows
from w2vspark.stages.sparse_rows import SparseBlock, SparseWriter


@dataclass(frozen=True, slots=True)
class StrataJob:
    """All that a task needs to know, as plain values."""

    cooccurrences_uri: str
    table_uri: str
    ranges: tuple[tuple[int, int], ...]  # the first row of each, and the one behind the last
    cpu_target: str

    @property
    def classes(self) -> int:
        """Classes of columns, as many as ranges of rows."""
        return len(self.ranges)


def class_name(number: int | str) -> str:
    """The name of a class's columns in the list of files: a sparse matrix with all rows."""
    return f"class-{number}"


def class_size(number: int, classes: int, columns: int) -> int:
    """Columns of a class."""
    return (columns - number + classes - 1) // classes


def class_starts(words: int, classes: int) -> list[int]:
    """Where each class begins among the stored contexts, and the end."""
    return [0, *np.cumsum([class_size(number, classes, words) for number in range(classes)]).tolist()]


def context_rows(
    first: int, last: int, uri: str, words: int, classes: int, columns: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The contexts of words first … last - 1, float32 (rows, columns), in one part: a stages.vectors.RowSource."""
    found = np.empty((last - first, columns), np.float32)
    for number, start in enumerate(class_starts(words, classes)[:-1]):
        begin = -((number - first) // classes)  # the class's first one in the range, and the one behind its last
        end = -((number - last) // classes)
        rows = found[number + begin * classes - first :: classes]
        for at, part in scan_rows(uri, CONTEXT, start + begin, start + end, columns):
            rows[at - start - begin : at - start - begin + len(part)] = part
    yield first, found


def row_ranges(cooccurrences_uri: str, words: int, entries: int, count: int) -> tuple[tuple[int, int], ...]:
    """Rows cut into `count` runs with as equal numbers of entries as their order allows, from the counts' row sums."""
    goals = np.array([entries * number // count for number in range(1, count)])
    cuts, before = [0], 0
    for first, sizes in scan_row_entries(cooccurrences_uri):
        ends = before + np.cumsum(sizes)
        while len(cuts) < count and goals[len(cuts) - 1] <= ends[-1]:
            cuts.append(first + int(np.searchsorted(ends, goals[len(cuts) - 1])) + 1)
        before = int(ends[-1])
    cuts += [words] * (count + 1 - len(cuts))
    return tuple((cuts[number], max(cuts[number], cuts[number + 1])) for number in range(count))


def strata(session: SparkSession, job: StrataJob) -> DataFrame:
    """The grid as a lazy frame of PARAMETER_FILES: a task for each range of rows writes a file for each class."""
    numbers = session.range(0, len(job.ranges), 1, len(job.ranges))
    return numbers.mapInArrow(partial(write_ranges, job=job), spark_schema(PARAMETER_FILES))


def write_ranges(batches: Iterator[pa.RecordBatch], job: StrataJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of ranges -> rows of PARAMETER_FILES."""
    cpu_target.pin(job.cpu_target)
    from w2vspark.kernels.glove.strata import deal_columns

    for batch in batches:
        for number in batch.column(0).to_pylist():
            first, last = job.ranges[number]
            with ExitStack() as stack:
                writers = [
                    stack.enter_context(SparseWriter(job.table_uri, class_name(of), first)) for of in range(job.classes)
                ]
                for block in scan_counts(job.cooccurrences_uri, first, last):
                    dealt = deal_columns(block.ends, block.columns, block.values, job.classes)
                    for writer, (ends, columns, values) in zip(writers, dealt, strict=True):
                        writer.write(SparseBlock(block.first, ends, columns, values))
            yield from (writer.listed() for writer in writers)


def grid_of(written: list[dict[str, Any]], ranges: tuple[tuple[int, int], ...]) -> list[list[int]]:
    """The number of entries of each range in each class. written: all rows of PARAMETER_FILES from the tasks."""
    number = {first: at for at, (first, last) in enumerate(ranges) if first < last}
    grid = [[0] * len(ranges) for _ in ranges]
    for file in written:
        if file["rows"]:
            grid[number[file["first_id"]]][int(file["matrix"].removeprefix(class_name("")))] = file["tokens"]
    return grid
