"""What a randomised SVD does, pass by pass: its settings without `auto`, and how the matrix is cut.

All of it is a function of the matrix and the configuration, never of cores or executors.
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
        why="Columns of the random projection, over training.dimensions; more is more exact.",
    )
    power_iterations: int | Auto = key(
        "auto", rule=between(0, 1000), why="Further passes over the matrix; more is more exact."
    )


# What `auto` stands for. PPMI's spectrum falls slowly: with these the first half of the singular values is right within
# 1 %, and the last one within 10 % (tests/bench/svd.py). More is more exact, and scores no better.
OVERSAMPLING, OVERSAMPLING_SHARE = 10, 0.1  # so many columns at least, and this share of the dimensions
POWER_ITERATIONS = 3

SLICE_ENTRIES, MOST_SLICES = 8_000_000, 32  # of the matrix, for one task of a pass: a third of a second of work
REDUCER_BYTES, MOST_REDUCERS = 4 << 20, 32  # of a pass's result, that one task adds up
COLUMN_SLICE_BYTES = 1_000_000_000  # of dense rows that a worker holds: more columns are multiplied slice by slice
LEFT_BYTES = 128_000_000  # of rows that a worker makes at once
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
        """Over the matrix, until its singular vectors are known."""
        return int(self.settings.power_iterations) + 1


@dataclass(frozen=True, slots=True)
class PassJob:
    """What a task of one pass needs to know. Dense is what the matrix is multiplied by: random, or basis transform."""

    of: SvdJob
    number: int
    basis_uri: str  # the table of the last pass; "" = random numbers
    transform_uri: str  # float64, from the basis's columns to those of dense
    width: int  # columns of dense
    row_slices: Ranges  # rows of the matrix for each task
    column_slices: Ranges  # columns of dense that are multiplied at a time
    reducers: int  # tasks that add up
    table_uri: str
    partial_uri: str  # a folder for what is on its way between tasks
    singular_values: tuple[float, ...] = ()  # once they are known

    @property
    def shape(self) -> MatrixShape:
        """Of dense, and of the pass's result: all passes have the same blocks, though they may lose columns."""
        return MatrixShape(BASIS, self.of.columns, self.of.width)

    def blocks(self, reducer: int) -> list[tuple[int, int]]:
        """First row and row count of the blocks that a reducer adds up."""
        blocks = self.shape.blocks
        return blocks[len(blocks) * reducer // self.reducers : len(blocks) * (reducer + 1) // self.reducers]


def resolved_svd(dimensions: int, svd: SvdConfig, exponent: float) -> SvdConfig:
    """The settings without `auto`. exponent: what it stands for there, as the method has it."""
    oversampling = max(OVERSAMPLING, int(OVERSAMPLING_SHARE * dimensions))
    return SvdConfig(
        exponent=exponent if svd.exponent == "auto" else svd.exponent,
        oversampling=oversampling if svd.oversampling == "auto" else svd.oversampling,
        power_iterations=POWER_ITERATIONS if svd.power_iterations == "auto" else svd.power_iterations,
    )


def row_slices(firsts: np.ndarray, entries: np.ndarray, rows: int, least: int = 1) -> Ranges:
    """Cut the matrix into slices of whole blocks with about as many entries, one for each task.

    least: so many slices, if there are enough blocks.
    firsts, entries: int64 (blocks,), as stages.sparse_rows.block_entries reads them.
    """
    count = max(least, min(MOST_SLICES, -(-int(entries.sum()) // SLICE_ENTRIES)))
    bounds = [*firsts.tolist(), rows]
    ranges = equal_ranges(entries, min(count, len(entries)))
    return tuple((bounds[first], bounds[last]) for first, last in ranges if first < last)


def column_slices(rows: int, width: int, matrices: int) -> Ranges:
    """Columns that are multiplied at a time, where so many dense matrices of so many rows are in memory."""
    most = max(8, COLUMN_SLICE_BYTES // (4 * matrices * rows) // 8 * 8)
    return tuple((first, min(width, first + most)) for first in range(0, width, most))


def reducer_count(shape: MatrixShape) -> int:
    """How many tasks add up a pass's result: of the matrix alone, since sums of products are grouped by them."""
    return max(1, min(MOST_REDUCERS, len(shape.blocks), shape.bytes // REDUCER_BYTES))


def svd_worker_bytes(columns: int, width: int) -> int:
    """Memory that a worker of a pass needs at its peak."""
    return PROCESS_BYTES + min(COLUMN_SLICE_BYTES, 2 * 4 * columns * width) + 3 * 8 * SLICE_ENTRIES // 4
