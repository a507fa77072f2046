"""Tables of parameters: blocks of matrices' rows, in listed files."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from w2vspark.base import storage
from w2vspark.base.errors import OutputError
from w2vspark.stages.listed_files import how_to_make, listed_files

BLOCK_ROWS = 4096  # at most in a block


def scan_blocks(uri: str, matrix: str, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The blocks of a matrix that begin in rows first … last - 1, in their order.

    Yields a block's first row and its values, float32 (rows, floats of a row), read-only. Raises OutputError when a
    file is missing or unreadable.
    """
    wanted = [("first_id", ">=", first), ("first_id", "<", last)]
    for file in listed_files(uri, matrix):
        if file["first_id"] < last and file["first_id"] + file["rows"] > first:
            batches = storage.scan_table(
                storage.join(uri, file["file"]), ["first_id", "rows", "values"], wanted, batches_ahead=0
            )
            for batch in _of_table(batches, uri):
                for start, rows, values in zip(*batch.columns, strict=True):
                    yield start.as_py(), np.frombuffer(values.as_buffer(), np.float32).reshape(rows.as_py(), -1)


def scan_rows(
    uri: str, matrix: str, first: int, last: int, columns: int
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Rows first … last - 1 of a matrix in order: the first row of each part, and float32 (rows, columns).

    Raises OutputError as scan_blocks does.
    """
    for start, block in scan_blocks(uri, matrix, max(0, first - BLOCK_ROWS + 1), last):
        begin, end = max(first, start), min(last, start + len(block))
        if begin < end:
            yield begin, block[begin - start : end - start, :columns]


def _of_table(batches: Iterator[pa.RecordBatch], uri: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except OutputError as error:
        raise OutputError(f"{uri}: a file of it is damaged or missing; {how_to_make(uri)} ({error})") from error
