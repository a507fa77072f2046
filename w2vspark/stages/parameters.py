"""Read tables of parameters: blocks of the rows of matrices, in listed files."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from w2vspark.base.errors import DamagedTable
from w2vspark.storage.listed import listed_files, scan_listed
from w2vspark.storage.sealed import checksum

BLOCK_ROWS = 4096  # at most in a block


def scan_blocks(uri: str, matrix: str, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The blocks of a matrix that begin in rows first … last - 1, in their order.

    Yields a block's first row and its values, float32 (rows, floats in a row), read-only. Raises DamagedTable when a
    file is missing or damaged.
    """
    wanted = [("first_id", ">=", first), ("first_id", "<", last)]
    for file in listed_files(uri, matrix):
        if file["first_id"] < last and file["first_id"] + file["rows"] > first:
            columns = ["first_id", "rows", "values", "checksum"]
            for batch in scan_listed(uri, columns, wanted, files=[file], batches_ahead=0):
                for start, rows, values, expected in zip(*batch.columns, strict=True):
                    content = values.as_buffer()
                    if expected.as_py() != block_checksum(matrix, start.as_py(), rows.as_py(), memoryview(content)):
                        raise DamagedTable(f"{uri}: a block of {file['file']} is damaged: its checksum does not fit")
                    yield start.as_py(), np.frombuffer(content, np.float32).reshape(rows.as_py(), -1)


def block_checksum(matrix: str, first: int, rows: int, values: memoryview) -> int:
    """The checksum of a block: of its matrix, first row and number of rows, and of its values, float32 row by row."""
    return checksum(values, checksum(f"{matrix} {first} {rows}".encode()))


def scan_rows(
    uri: str, matrix: str, first: int, last: int, columns: int
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Rows first … last - 1 of a matrix, in order: yields the first row of each run, and float32 (rows, columns).

    Raises DamagedTable as scan_blocks does.
    """
    for start, block in scan_blocks(uri, matrix, max(0, first - BLOCK_ROWS + 1), last):
        begin, end = max(first, start), min(last, start + len(block))
        if begin < end:
            yield begin, block[begin - start : end - start, :columns]
