"""What a worker does in GloVe's rounds: read a shard's strata and rows, train its lanes, write its rows."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import CONTEXT, METRICS_MATRIX, PARAMETER_FILES, WORDS
from w2vspark.spark.arrow import one_row
from w2vspark.stages.parameters import BLOCK_ROWS, scan_blocks
from w2vspark.stages.sparse_rows import scan_sparse_rows
from w2vspark.storage.listed import file_names
from w2vspark.training.blocks import write_blocks
from w2vspark.training.glove.plan import GloveJob
from w2vspark.training.glove.strata import grid_column_name, grid_column_starts
from w2vspark.training.plan import BLOCK_BYTES, shuffled

if TYPE_CHECKING:
    from w2vspark.kernels.glove.records import Records


def train_glove_shard(shard: int, job: GloveJob) -> Iterator[pa.RecordBatch]:
    """Train one shard; yields rows of PARAMETER_FILES: its metrics, and its new words and contexts."""
    from w2vspark.kernels.glove import records as kernel

    rows, columns = job.grid_rows(shard), job.grid_columns(shard)
    ranges = [job.ranges[number] for number in rows]
    starts = grid_column_starts(job.words, len(job.ranges))
    sides = (WORDS, ranges), (CONTEXT, [(starts[number], starts[number + 1]) for number in columns])
    words, contexts = (
        [_load(job, side, matrix, *bounds) for bounds in ranges] for side, (matrix, ranges) in enumerate(sides)
    )
    strata = _kept_strata if job.training.shards == 1 else _read_strata  # a single shard always needs the same strata
    records = strata(job.strata_uri, file_names(job.strata_uri), tuple(ranges), tuple(columns))
    objective = kernel.Objective(
        float(job.glove.x_max), job.glove.alpha, float(job.training.learning_rate), job.training.dimensions
    )
    began = time.perf_counter()
    losses: list[float] = []
    with ThreadPoolExecutor(max_workers=job.threads) as pool:
        for step in shuffled(job.lanes, job.training.seed, job.round.number):

            def train(lane: int, step: int = step) -> float:
                of = (lane + step) % job.lanes
                stream = kernel.stream_of(job.training.seed, job.round.epoch, rows[lane], columns[of])
                return kernel.train_records(words[lane], contexts[of], records[lane][of], objective, stream)

            losses += pool.map(train, range(job.lanes))
    seconds = time.perf_counter() - began
    count = sum(stratum.columns.size for of_row in records for stratum in of_row)
    metrics = {"shard": shard, "tokens": count, "seconds": seconds, "learning_rate": objective.rate}
    metrics |= {"loss": sum(losses) / max(1, count)}
    yield one_row(PARAMETER_FILES, matrix=METRICS_MATRIX, first_id=shard, rows=0, **metrics)
    for side, ((matrix, ranges), memory) in enumerate(zip(sides, (words, contexts), strict=True)):
        for (first, last), held in zip(ranges, memory, strict=True):
            if first < last:
                yield write_blocks(job.table_uri, matrix, _blocks(first, held, side, job.training.dimensions))


def _load(job: GloveJob, side: int, matrix: str, first: int, last: int) -> np.ndarray:
    """Load rows first … last - 1 of a matrix into memory. Raises DamagedTable if the table lacks one."""
    from w2vspark.kernels.glove import records as kernel

    dimensions = job.training.dimensions
    rows = kernel.make_rows(last - first, dimensions)
    if job.parameters_uri is None:
        block = np.empty((last - first, kernel.row_width(dimensions)), np.float32)
        kernel.fill_initial(job.training.seed, side, first, dimensions, block)
        kernel.put_rows(block, side, dimensions, rows)
        return rows
    at = first
    for start, block in scan_blocks(job.parameters_uri, matrix, first, last):
        if start != at or start + len(block) > last or block.shape[1] != kernel.row_width(dimensions):
            break
        kernel.put_rows(block, side, dimensions, rows[start - first : start - first + len(block)])
        at += len(block)
    if at != last:
        raise DamagedTable(f"{job.parameters_uri}: the block of {matrix!r} at row {at} is missing or does not fit")
    return rows


def _blocks(first: int, rows: np.ndarray, side: int, dimensions: int) -> Iterator[tuple[int, np.ndarray]]:
    from w2vspark.kernels.glove import records as kernel

    size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * kernel.row_width(dimensions))))
    for at in range(0, len(rows), size):
        yield first + at, kernel.take_rows(rows[at : at + size], side, dimensions)


def _read_strata(
    uri: str, _files: tuple[str, ...], ranges: tuple[tuple[int, int], ...], columns: tuple[int, ...]
) -> list[list["Records"]]:
    """The records of each stratum, by grid row and column."""
    from w2vspark.kernels.glove.records import make_records

    def read(first: int, last: int, number: int) -> "Records":
        return make_records([block[1:] for block in scan_sparse_rows(uri, grid_column_name(number), first, last)])

    return [[read(*bounds, column) for column in columns] for bounds in ranges]


_kept_strata = lru_cache(maxsize=1)(_read_strata)
