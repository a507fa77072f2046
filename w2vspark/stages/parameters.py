"""Table parameters: the blocks of rows that a round has written, as workers read them."""

from collections.abc import Iterator
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from w2vspark.base import storage

BLOCK_ROWS = 4096  # at most in a block


def scan_blocks(uri: str, matrix: str, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The blocks of a matrix that begin in rows first … last - 1, in the order of the files.

    Yields a block's first row and its values, float32 (rows, floats of a row), read-only. Raises OutputError as
    storage.read_table does.
    """
    wanted = [("matrix", "==", matrix), ("first_id", ">=", first), ("first_id", "<", last)]
    for batch in storage.scan_table(uri, ["first_id", "rows", "values"], wanted, batches_ahead=0):
        for start, rows, values in zip(*(batch.column(i) for i in range(3)), strict=True):
            yield start.as_py(), np.frombuffer(values.as_buffer(), np.float32).reshape(rows.as_py(), -1)


def scan_rows(
    uri: str, matrix: str, first: int, last: int, columns: int
) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """Rows first … last - 1 of a matrix in order: the first row of each part, and float32 (rows, columns).

    Raises OutputError as storage.read_table does.
    """
    blocks = scan_blocks(uri, matrix, max(0, first - BLOCK_ROWS + 1), last)
    for start, block in sorted(blocks, key=itemgetter(0)):
        begin, end = max(first, start), min(last, start + len(block))
        if begin < end:
            yield begin, block[begin - start : end - start, :columns]
