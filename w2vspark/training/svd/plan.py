"""The plan of a randomised SVD: its settings without `auto`, and how the matrix is cut.

The plan depends on the matrix and the configuration alone, never on cores or executors.
"""

from dataclasses import dataclass

import numpy as np

from w2vspark.config.keys import Auto, Settings, between, key
from w2vspark.spark.placement import equal_ranges
from w2vspark.spark.session import PROCESS_BYTES
from w2vspark.training.plan import MatrixShape


@dataclass(frozen=True, slots=True, kw_only=True)
class SvdConfig(Settings):
    """The randomised SVD (Halko, Martinsson & Tropp 2011)."""

    section = "svd"

    exponent: float | Auto = key("auto", rule=between(0, 2), why="Vectors are U S ** exponent.")
    oversampling: int | Auto = key(
        "auto",
        rule=between(0, 10_000),
        why="Columns of the random projection beyond training.dimensions; more columns are more exact.",
    )
    power_iterations: int | Auto = key(
        "auto", rule=between(0, 1000), why="Additional passes over the matrix; more passes are more exact."
    )


# The values of `auto`. PPMI's spectrum falls slowly: with these values the first half of the singular values is right
# within 1 %, and the last one within 10 % (tests/bench/svd.py). Higher values are more exact, but score no better.
OVERSAMPLING, OVERSAMPLING_SHARE = 10, 0.1  # the minimum of columns, and of their share of the dimensions
POWER_ITERATIONS = 3

SLICE_ENTRIES, MOST_SLICES = 8_000_000, 32  # entries of the matrix in a slice: a third of a second of work for a task
REDUCER_BYTES, MOST_REDUCERS = 4 << 20, 32  # bytes of a pass's result that one reducer adds up
COLUMN_SLICE_BYTES = 1_000_000_000  # of dense rows in a worker; if there are more, columns are multiplied in slices
LEFT_BYTES = 128_000_000  # of rows of LEFT that a worker makes at once
BASIS = "basis"  # the matrix's name in a pass's table

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class SvdJob:
    """The whole decomposition, as plain values."""

    matrix_uri: str
    matrix: str  # its name in its table
    rows: int
    columns: int
    dimensions: int
    settings: SvdConfig  # resolved: no "auto"
    seed: int
    cpu_target: str

    @property
    def width(self) -> int:
        """Columns of the random projection."""
        return min(self.dimensions + int(self.settings.oversampling), self.rows, self.columns)

    @property
    def passes(self) -> int:
        """Passes over the matrix, until its singular vectors are known."""
        return int(self.settings.power_iterations) + 1


@dataclass(frozen=True, slots=True)
class PassJob:
    """All that a task of one pass needs to know. The matrix is multiplied by dense: random, or basis @ transform."""

    of: SvdJob
    number: int
    basis_uri: str  # the table of the last pass; "" = random numbers
    transform_uri: str  # float64, from the basis's columns to dense's columns
    width: int  # columns of dense
    row_slices: Ranges  # rows of the matrix for each task
    column_slices: Ranges  # columns of dense that are multiplied at a time
    reducers: int  # tasks that add up
    table_uri: str
    partial_uri: str  # a folder for the files that tasks send to each other
    singular_values: tuple[float, ...] = ()  # once they are known

    @property
    def shape(self) -> MatrixShape:
        """The shape of dense and of the pass's result. All passes have the same blocks, even if columns are lost."""
        return MatrixShape(BASIS, self.of.columns, self.of.width)

    def blocks(self, reducer: int) -> list[tuple[int, int]]:
        """First row and row count of the blocks that a reducer adds up."""
        blocks = self.shape.blocks
        return blocks[len(blocks) * reducer // self.reducers : len(blocks) * (reducer + 1) // self.reducers]


def resolved_svd(dimensions: int, svd: SvdConfig, exponent: float) -> SvdConfig:
    """The settings without `auto`. exponent: the method's value for `auto`."""
    oversampling = max(OVERSAMPLING, int(OVERSAMPLING_SHARE * dimensions))
    return SvdConfig(
        exponent=exponent if svd.exponent == "auto" else svd.exponent,
        oversampling=oversampling if svd.oversampling == "auto" else svd.oversampling,
        power_iterations=POWER_ITERATIONS if svd.power_iterations == "auto" else svd.power_iterations,
    )


def row_slices(firsts: np.ndarray, entries: np.ndarray, rows: int, least: int = 1) -> Ranges:
    """Cut the matrix into slices of whole blocks, one for each task, with about the same number of entries.

    least: the minimum number of slices, if there are enough blocks. firsts, entries: int64 (blocks,), from
    stages.sparse_rows.block_entries.
    """
    count = max(least, min(MOST_SLICES, -(-int(entries.sum()) // SLICE_ENTRIES)))
    bounds = [*firsts.tolist(), rows]
    ranges = equal_ranges(entries, min(count, len(entries)))
    return tuple((bounds[first], bounds[last]) for first, last in ranges if first < last)


def column_slices(rows: int, width: int, matrices: int) -> Ranges:
    """Cut columns into slices, so that `matrices` dense matrices with `rows` rows fit into COLUMN_SLICE_BYTES."""
    most = max(8, COLUMN_SLICE_BYTES // (4 * matrices * rows) // 8 * 8)
    return tuple((first, min(width, first + most)) for first in range(0, width, most))


def reducer_count(shape: MatrixShape) -> int:
    """The number of reducers. It depends on the matrix alone, because it decides how sums of products are grouped."""
    return max(1, min(MOST_REDUCERS, len(shape.blocks), shape.bytes // REDUCER_BYTES))


def svd_worker_bytes(columns: int, width: int) -> int:
    """Bytes that a worker of a pass needs at its peak."""
    return PROCESS_BYTES + min(COLUMN_SLICE_BYTES, 2 * 4 * columns * width) + 3 * 8 * SLICE_ENTRIES // 4
