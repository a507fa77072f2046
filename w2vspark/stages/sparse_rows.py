"""Sparse matrices between two stages: blocks of neighbouring rows, in listed files that the workers write and read."""

import uuid
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from w2vspark.base import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import PARAMETER_FILES, SPARSE_ROWS
from w2vspark.stages.listed_files import how_to_make, listed_files
from w2vspark.stages.table_io import one_row

BLOCK_ENTRIES = 4_000_000  # of a block, some 32 MB; a single row may have more


class SparseBlock(NamedTuple):
    """Neighbouring rows: the entries of row first + i are those from ends[i - 1] (or 0) to ends[i]."""

    first: int
    ends: np.ndarray  # int64 (rows,)
    columns: np.ndarray  # int32, rising in a row
    values: np.ndarray  # float32


def write_sparse_rows(uri: str, name: str, first: int, blocks: Iterator[SparseBlock]) -> pa.RecordBatch:
    """Write neighbouring blocks of a matrix to a new file, a row group each; it as a row of schemas.PARAMETER_FILES.

    uri: the table's folder; name: the matrix; first: the first block's first row, also where there is no block. The
    file's name is new at every attempt. Raises ValueError where a block does not follow the one before.
    """
    file = f"{name}-{uuid.uuid4().hex}.parquet"
    end = first
    with (
        storage.open_for_writing(storage.join(uri, file)) as sink,
        pq.ParquetWriter(
            sink, SPARSE_ROWS, compression="none", use_dictionary=False, write_statistics=["first_row"]
        ) as writer,
    ):
        for block in blocks:
            if block.first != end:
                raise ValueError(f"the block of {name!r} at row {block.first} does not follow row {end - 1}")
            of_block = {"ends": block.ends, "columns": block.columns, "values": block.values}
            writer.write_batch(one_row(SPARSE_ROWS, first_row=block.first, rows=block.ends.size, **of_block))
            end += block.ends.size
    return one_row(PARAMETER_FILES, matrix=name, first_id=first, rows=end - first, file=file)


def scan_sparse_rows(uri: str, name: str, first: int, last: int) -> Iterator[SparseBlock]:
    """The blocks that hold rows first … last - 1 of a matrix, in their order, one in memory at a time.

    Whole blocks, also where they begin before `first` or end behind `last`. Raises OutputError where a file is missing
    or unreadable, or a row is in no file.
    """
    expected = first
    for file in listed_files(uri, name):
        if not file["rows"] or file["first_id"] >= last or file["first_id"] + file["rows"] <= first:
            continue
        for batch in storage.scan_table(storage.join(uri, file["file"]), SPARSE_ROWS.names, batches_ahead=0):
            for begin, rows, ends, columns, values in zip(*batch.columns, strict=True):
                start = begin.as_py()
                if start >= last or start + rows.as_py() <= first:
                    continue
                if start > expected:
                    raise OutputError(f"{uri}: lacks row {expected} of {name!r}; {how_to_make(uri)}")
                expected = start + rows.as_py()
                yield SparseBlock(
                    start,
                    np.frombuffer(ends.as_buffer(), np.int64),
                    np.frombuffer(columns.as_buffer(), np.int32),
                    np.frombuffer(values.as_buffer(), np.float32),
                )
    if expected < last:
        raise OutputError(f"{uri}: lacks row {expected} of {name!r}; {how_to_make(uri)}")


def block_entries(uri: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """First row and number of entries of every block of a matrix, int64 each, in the blocks' order.

    Reads where rows end, and no entry. Raises OutputError as scan_sparse_rows does.
    """
    firsts, entries = [], []
    for file in listed_files(uri, name):
        for batch in storage.scan_table(storage.join(uri, file["file"]), ["first_row", "ends"], batches_ahead=0):
            for begin, ends in zip(*batch.columns, strict=True):
                of_rows = np.frombuffer(ends.as_buffer(), np.int64)
                firsts.append(begin.as_py())
                entries.append(of_rows[-1] if of_rows.size else 0)
    return np.array(firsts, np.int64), np.array(entries, np.int64)
