"""What a worker does in the randomised SVD: multiply a slice of rows, add up the products, write vectors."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import CHANGES, LEFT, PARTIAL_FILES, PASS_FILES, RIGHT
from w2vspark.kernels.algebra.small_matrices import add_gram, add_peaks, multiply
from w2vspark.kernels.algebra.sparse_products import add_products, fill_products, folding_rows
from w2vspark.kernels.random import fill_uniform_rows
from w2vspark.kernels.rows import aligned_rows, stride_of
from w2vspark.spark.arrow import one_row, open_stream
from w2vspark.spark.placement import placement_keys
from w2vspark.stages.parameters import BLOCK_ROWS, scan_blocks
from w2vspark.stages.sparse_rows import scan_sparse_rows
from w2vspark.storage import sealed
from w2vspark.training.blocks import write_blocks
from w2vspark.training.svd.plan import BASIS, PassJob

_RANDOM = 0x57D  # gives the projection random numbers of its own
_SUMMED = pa.schema([CHANGES.field("values")])


def multiply_slice(row_slice: int, job: PassJob) -> Iterator[pa.RecordBatch]:
    """Write A^T (A dense) for a slice of A's rows, one file for each slice of dense's columns; yields PARTIAL_FILES."""
    keys = placement_keys(job.reducers)
    for column_slice, (begin, end) in enumerate(job.column_slices):
        dense = _dense(job, begin, end)
        sums = aligned_rows(*dense.shape)
        for block in scan_sparse_rows(job.of.matrix_uri, job.of.matrix, *job.row_slices[row_slice]):
            add_products(block.ends, block.columns, block.values, dense, sums)
        uri = storage.join(job.partial_uri, f"{row_slice:05d}-{uuid.uuid4().hex}.arrow")  # a new name at every attempt
        offsets = []
        with storage.open_for_writing(uri) as sink:
            for reducer in range(job.reducers):
                offsets.append(sink.tell())
                with pa.ipc.new_stream(sink, _SUMMED) as writer:
                    for first, rows in job.blocks(reducer):
                        values = np.ascontiguousarray(sums[first : first + rows, : end - begin])
                        sealed.write_batch(writer, one_row(_SUMMED, values=values))
        number = row_slice * len(job.column_slices) + column_slice
        for reducer, offset in enumerate(offsets):
            yield one_row(PARTIAL_FILES, key=keys[reducer], reducer=reducer, slice=number, file=uri, offset=offset)


def sum_slices_for(reducer: int, partial: list[dict[str, Any]], job: PassJob) -> pa.RecordBatch:
    """Add up a reducer's blocks over all slices, in their order, and write them; returns a row of PASS_FILES.

    Another file gets Z^T Z of these blocks, followed by dense^T Z in the last pass. partial: rows of PARTIAL_FILES, in
    order.
    """
    sums = np.zeros((2 if job.number == job.of.passes else 1, job.width, job.width))

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        dense = _dense_blocks(job, job.blocks(reducer), 0, job.width) if len(sums) == 2 else None
        with ExitStack() as files:
            streams = [files.enter_context(open_stream(row["file"], row["offset"])) for row in partial]
            for first, rows in job.blocks(reducer):
                block = _summed_block(streams, [row["file"] for row in partial], rows, job)
                add_gram(block, block, True, sums[0])
                if dense is not None:
                    add_gram(next(dense)[1], block, False, sums[1])
                yield first, block

    (written,) = write_blocks(job.table_uri, BASIS, blocks(), _not_finite(job)).to_pylist()
    uri = storage.join(job.partial_uri, f"sums-{reducer:05d}-{uuid.uuid4().hex}")  # a new name at every attempt
    sealed.write_sealed(uri, sums)
    return one_row(PASS_FILES, **written, sums=uri)


def _summed_block(streams: list[pa.RecordBatchStreamReader], uris: list[str], rows: int, job: PassJob) -> np.ndarray:
    total = np.zeros((rows, job.width))
    for number, (stream, uri) in enumerate(zip(streams, uris, strict=True)):
        begin, end = job.column_slices[number % len(job.column_slices)]
        values = np.frombuffer(sealed.next_batch(stream, uri)["values"][0].as_buffer(), np.float32)
        total[:, begin:end] += values.reshape(rows, end - begin)
    return total.astype(np.float32)


def peaks_of(reducer: int, job: PassJob) -> pa.RecordBatch:
    """The value farthest from 0 in each column of dense, in a reducer's rows, as a row of PASS_FILES."""
    peaks, positions = np.zeros(job.width), np.zeros(job.width, np.int64)
    for first, block in _dense_blocks(job, job.blocks(reducer), 0, job.width):
        add_peaks(first, block.astype(np.float64), peaks, positions)
    return one_row(PASS_FILES, matrix=RIGHT, first_id=reducer, rows=0, peaks=peaks)


def write_right(reducer: int, job: PassJob) -> pa.RecordBatch:
    """Write a reducer's blocks of dense, which is RIGHT = V S**p here; returns the file's row of PARAMETER_FILES."""
    dense = _dense_blocks(job, job.blocks(reducer), 0, job.width)
    return write_blocks(job.table_uri, RIGHT, dense, _not_finite(job))


def write_left(row_slice: int, job: PassJob) -> pa.RecordBatch:
    """Fold in a slice's rows, and write them as LEFT = U S**p; returns the file's row of PARAMETER_FILES."""
    first, last = job.row_slices[row_slice]
    left = np.empty((last - first, job.width), np.float32)
    for begin, end in job.column_slices:
        dense = _dense(job, begin, end, job.singular_values[begin:end])
        for block in scan_sparse_rows(job.of.matrix_uri, job.of.matrix, first, last):
            rows = slice(block.first - first, block.first - first + block.ends.size)
            fill_products(block.ends, block.columns, block.values, dense, left[rows, begin:end])
    blocks = ((first + at, left[at : at + BLOCK_ROWS]) for at in range(0, len(left), BLOCK_ROWS))
    return write_blocks(job.table_uri, LEFT, blocks, _not_finite(job))


def _not_finite(job: PassJob) -> str:
    return f"the matrix {job.of.matrix!r} of {job.of.matrix_uri} has values whose products are too large for float32"


_kept: list[tuple[Any, np.ndarray]] = []  # dense rows for this worker's next slice of the same pass


def _dense(job: PassJob, begin: int, end: int, singular_values: tuple[float, ...] = ()) -> np.ndarray:
    """Columns begin … end - 1 of dense, float32 (columns of the matrix, stride).

    singular_values: if given, the columns of RIGHT are divided by them, which gives the factor for LEFT.
    """
    key = (job, begin, end, singular_values)
    if _kept and _kept[0][0] == key:
        return _kept[0][1]
    _kept.clear()
    found = aligned_rows(job.of.columns, stride_of(end - begin))
    for first, block in _dense_blocks(job, job.shape.blocks, begin, end):
        rows = folding_rows(block, np.array(singular_values)) if singular_values else block
        found[first : first + len(block), : end - begin] = rows
    _kept.append((key, found))
    return found


def _dense_blocks(
    job: PassJob, blocks: list[tuple[int, int]], begin: int, end: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield columns begin … end - 1 of neighbouring blocks of dense: first row, and float32 (rows, end - begin)."""
    if not job.basis_uri:
        for first, rows in blocks:
            block = np.empty((rows, job.width), np.float32)
            fill_uniform_rows(job.of.seed, _RANDOM, first, 1.0, job.width, block)
            yield first, np.ascontiguousarray(block[:, begin:end])
        return
    whole = sealed.read_sealed(job.transform_uri, np.float64).reshape(-1, job.width)
    transform = np.ascontiguousarray(whole[:, begin:end])
    expected = iter(blocks)
    for first, stored in scan_blocks(job.basis_uri, BASIS, blocks[0][0], blocks[-1][0] + 1):
        if next(expected, None) != (first, len(stored)) or stored.shape[1] != len(transform):
            raise DamagedTable(f"{job.basis_uri}: the block at row {first} does not fit")
        block = np.empty((len(stored), end - begin), np.float32)
        multiply(stored, transform, block)
        yield first, block
    missing = next(expected, None)
    if missing is not None:
        raise DamagedTable(f"{job.basis_uri}: lacks the block at row {missing[0]}")
