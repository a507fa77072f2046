"""Sparse matrices between two stages: blocks of neighbouring rows, in listed files that the workers write and read."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import PARAMETER_FILES, SPARSE_ROWS
from w2vspark.spark.arrow import one_row
from w2vspark.storage.listed import NewFile, listed_files, scan_listed

BLOCK_ENTRIES = 4_000_000  # in a block, some 32 MB; a single row may have more


class SparseBlock(NamedTuple):
    """Neighbouring rows. The entries of row first + i are ends[i - 1] (or 0) … ends[i] - 1."""

    first: int
    ends: np.ndarray  # int64 (rows,)
    columns: np.ndarray  # int32, rising within a row
    values: np.ndarray  # float32


class SparseWriter:
    """Writes neighbouring blocks of a matrix to a new file, each as a row group; use it in a `with` statement."""

    def __init__(self, uri: str, name: str, first: int) -> None:
        """uri: the table's folder; name: the matrix; first: the first row of the first block, even without blocks."""
        self._name, self._first, self._end, self._entries = name, first, first, 0
        options = {"compression": "none", "use_dictionary": False, "write_statistics": ["first_row"]}
        self._file = NewFile(uri, name, SPARSE_ROWS, **options)

    def __enter__(self) -> "SparseWriter":
        self._file.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.__exit__(*error)

    def write(self, block: SparseBlock) -> None:
        """Write a block. Raises ValueError when it does not follow the block before."""
        if block.first != self._end:
            raise ValueError(f"the block of {self._name!r} at row {block.first} does not follow row {self._end - 1}")
        of_block = {"ends": block.ends, "columns": block.columns, "values": block.values}
        self._file.write(one_row(SPARSE_ROWS, first_row=block.first, rows=block.ends.size, **of_block))
        self._end += block.ends.size
        self._entries += block.columns.size

    def listed(self) -> pa.RecordBatch:
        """The closed file as a row of schemas.PARAMETER_FILES; the column tokens has its number of entries."""
        of_file = {"matrix": self._name, "first_id": self._first, "rows": self._end - self._first}
        return one_row(PARAMETER_FILES, tokens=self._entries, **of_file, **self._file.listed())


def write_sparse_rows(uri: str, name: str, first: int, blocks: Iterator[SparseBlock]) -> pa.RecordBatch:
    """Write neighbouring blocks of a matrix to a new file; return the file as a row of schemas.PARAMETER_FILES."""
    with SparseWriter(uri, name, first) as writer:
        for block in blocks:
            writer.write(block)
    return writer.listed()


def scan_sparse_rows(uri: str, name: str, first: int, last: int) -> Iterator[SparseBlock]:
    """The blocks that hold rows first … last - 1 of a matrix, in their order, one in memory at a time.

    The blocks are whole: they may begin before `first` or end after `last`. Raises DamagedTable when a file is missing
    or damaged, or when a row is in no file.
    """
    expected = first
    for file in listed_files(uri, name):
        if not file["rows"] or file["first_id"] >= last or file["first_id"] + file["rows"] <= first:
            continue
        for batch in scan_listed(uri, SPARSE_ROWS.names, files=[file], batches_ahead=0):
            for begin, rows, ends, columns, values in zip(*batch.columns, strict=True):
                start = begin.as_py()
                if start >= last or start + rows.as_py() <= first:
                    continue
                if start > expected:
                    raise DamagedTable(f"{uri}: lacks row {expected} of {name!r}")
                expected = start + rows.as_py()
                yield SparseBlock(
                    start,
                    np.frombuffer(ends.as_buffer(), np.int64),
                    np.frombuffer(columns.as_buffer(), np.int32),
                    np.frombuffer(values.as_buffer(), np.float32),
                )
    if expected < last:
        raise DamagedTable(f"{uri}: lacks row {expected} of {name!r}")


def block_entries(uri: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """First row and number of entries of every block of a matrix, int64 each, in the blocks' order.

    Reads only the ends of the rows, no entries. Raises DamagedTable as scan_sparse_rows does.
    """
    firsts, entries = [], []
    for file in listed_files(uri, name):
        for batch in scan_listed(uri, ["first_row", "ends"], files=[file], batches_ahead=0):
            for begin, ends in zip(*batch.columns, strict=True):
                of_rows = np.frombuffer(ends.as_buffer(), np.int64)
                firsts.append(begin.as_py())
                entries.append(of_rows[-1] if of_rows.size else 0)
    return np.array(firsts, np.int64), np.array(entries, np.int64)
