"""Table strata: the co-occurrences, cut into a grid for GloVe's workers.

A grid row is a range of matrix rows, and all grid rows have about the same number of entries. If there are n grid
columns, grid column k has the matrix columns k, k + n, k + 2n, … Strata in different grid rows and grid columns share
no row of the model. The contexts of one grid column are stored as neighbours, in the order of their ids.
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
    ranges: tuple[tuple[int, int], ...]  # for each grid row, the first matrix row and one past the last
    cpu_target: str

    @property
    def grid_columns(self) -> int:
        """The number of grid columns, which is also the number of grid rows."""
        return len(self.ranges)


def grid_column_name(number: int | str) -> str:
    """The name of a grid column in the list of files, where it is a sparse matrix with all rows."""
    return f"grid-column-{number}"


def grid_column_size(number: int, grid_columns: int, columns: int) -> int:
    """The number of matrix columns in a grid column."""
    return (columns - number + grid_columns - 1) // grid_columns


def grid_column_starts(words: int, grid_columns: int) -> list[int]:
    """Where each grid column begins among the stored contexts, and where the last one ends."""
    return [0, *np.cumsum([grid_column_size(number, grid_columns, words) for number in range(grid_columns)]).tolist()]


def context_rows(
    first: int, last: int, uri: str, words: int, grid_columns: int, columns: int
) -> Iterator[tuple[int, np.ndarray]]:
    """The contexts of words first … last - 1, float32 (rows, columns), as one block: a stages.vectors.RowSource."""
    found = np.empty((last - first, columns), np.float32)
    for number, start in enumerate(grid_column_starts(words, grid_columns)[:-1]):
        begin = -((number - first) // grid_columns)  # of the grid column: first, and one past the last
        end = -((number - last) // grid_columns)
        rows = found[number + begin * grid_columns - first :: grid_columns]
        for at, part in scan_rows(uri, CONTEXT, start + begin, start + end, columns):
            rows[at - start - begin : at - start - begin + len(part)] = part
    yield first, found


def row_ranges(cooccurrences_uri: str, words: int, entries: int, count: int) -> tuple[tuple[int, int], ...]:
    """Cut the rows into `count` ranges with about the same number of entries each, in the order of the rows."""
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
    """The grid as a lazy frame of PARAMETER_FILES. The task of a grid row writes a file for each grid column."""
    numbers = session.range(0, len(job.ranges), 1, len(job.ranges))
    return numbers.mapInArrow(partial(write_ranges, job=job), spark_schema(PARAMETER_FILES))


def write_ranges(batches: Iterator[pa.RecordBatch], job: StrataJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of grid rows -> rows of PARAMETER_FILES."""
    cpu_target.pin(job.cpu_target)
    from w2vspark.kernels.glove.strata import deal_columns

    for batch in batches:
        for number in batch.column(0).to_pylist():
            first, last = job.ranges[number]
            with ExitStack() as stack:
                writers = [
                    stack.enter_context(SparseWriter(job.table_uri, grid_column_name(column), first))
                    for column in range(job.grid_columns)
                ]
                for block in scan_counts(job.cooccurrences_uri, first, last):
                    dealt = deal_columns(block.ends, block.columns, block.values, job.grid_columns)
                    for writer, (ends, columns, values) in zip(writers, dealt, strict=True):
                        writer.write(SparseBlock(block.first, ends, columns, values))
            yield from (writer.listed() for writer in writers)


def grid_of(written: list[dict[str, Any]], ranges: tuple[tuple[int, int], ...]) -> list[list[int]]:
    """The number of entries of each stratum, by grid row and column. written: the tasks' rows of PARAMETER_FILES."""
    number = {first: at for at, (first, last) in enumerate(ranges) if first < last}
    grid = [[0] * len(ranges) for _ in ranges]
    for file in written:
        if file["rows"]:
            grid[number[file["first_id"]]][int(file["matrix"].removeprefix(grid_column_name("")))] = file["tokens"]
    return grid
