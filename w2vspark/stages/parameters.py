"""Tables of parameters: blocks of matrices' rows, in Parquet files that the workers themselves write and read.

Through Spark's writer such rows cost as much CPU as all the rest of a round. So tasks return the names of the files
that they wrote, and when all have ended the driver lists them beside the files. Whatever else is in the folder, from
an attempt that failed or was overtaken by another, is never read.
"""

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from pyspark.sql import DataFrame

from w2vspark.base import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import METRICS_MATRIX

BLOCK_ROWS = 4096  # at most in a block
_LIST = "_files.json"


def write_parameters(frame: DataFrame, uri: str) -> list[dict[str, Any]]:
    """Run the tasks that write a table of parameters in place of what is at ``uri``; what they returned.

    frame: of schemas.PARAMETER_FILES, a row for every file.
    """
    storage.delete_folder(uri)
    rows = [row.asDict() for row in frame.collect()]
    files = [{name: row[name] for name in _LISTED} for row in rows if row["matrix"] != METRICS_MATRIX]
    text = json.dumps(sorted(files, key=itemgetter("matrix", "first_id")), indent=1)
    storage.write_text(storage.join(uri, _LIST), text + "\n")
    return rows


def scan_blocks(uri: str, matrix: str, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The blocks of a matrix that begin in rows first … last - 1, in their order.

    Yields a block's first row and its values, float32 (rows, floats of a row), read-only. Raises OutputError when a
    file is missing or unreadable.
    """
    wanted = [("first_id", ">=", first), ("first_id", "<", last)]
    for file in _listed(uri):
        if file["matrix"] == matrix and file["first_id"] < last and file["first_id"] + file["rows"] > first:
            path = storage.join(uri, file["file"])
            for batch in storage.scan_table(path, ["first_id", "rows", "values"], wanted, batches_ahead=0):
                for start, rows, values in zip(*(batch.column(i) for i in range(3)), strict=True):
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


_LISTED = ("matrix", "first_id", "rows", "file")


def _listed(uri: str) -> list[dict[str, Any]]:
    path = storage.join(uri, _LIST)
    try:
        found: list[dict[str, Any]] = json.loads(storage.read_text(path))
    except FileNotFoundError as error:
        raise OutputError(f"{uri}: lacks {_LIST}, the list of its files; run again with --from rounds") from error
    except ValueError as error:
        raise OutputError(f"{path}: is not JSON ({error}); run again with --from rounds") from error
    return found
