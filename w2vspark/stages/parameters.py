"""Tables of parameters: blocks of matrices' rows, in Parquet files that the workers themselves write and read.

Through Spark's writer such rows cost a quarter of a large model's CPU. So tasks return the names of the files that they
wrote, and when all have ended the driver lists them beside the files. Whatever else is in the folder, from an attempt
that failed or was overtaken by another, is never read.
"""

import json
from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame

from w2vspark.base import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import METRICS_MATRIX
from w2vspark.stages.session import VALIDATE_SCHEMA, runtime_settings

BLOCK_ROWS = 4096  # at most in a block
_LIST = "_files.json"
_COLUMNS = ("matrix", "first_id", "rows", "file")


def write_parameters(frame: DataFrame, uri: str) -> list[dict[str, Any]]:
    """Run the tasks that write a table of parameters in place of what is at ``uri``; what they returned.

    frame: of schemas.PARAMETER_FILES, a row for every file.
    """
    storage.delete_folder(uri)
    with runtime_settings(frame.sparkSession, **{VALIDATE_SCHEMA: "true"}):
        rows = [row.asDict() for row in frame.collect()]
    files = [{name: row[name] for name in _COLUMNS} for row in rows if row["matrix"] != METRICS_MATRIX]
    text = json.dumps(sorted(files, key=itemgetter("matrix", "first_id")), indent=1)
    storage.write_text(storage.join(uri, _LIST), text + "\n")
    return rows


def scan_blocks(uri: str, matrix: str, first: int, last: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    """The blocks of a matrix that begin in rows first … last - 1, in their order.

    Yields a block's first row and its values, float32 (rows, floats of a row), read-only. Raises OutputError when a
    file is missing or unreadable.
    """
    wanted = [("first_id", ">=", first), ("first_id", "<", last)]
    for file in _files(uri):
        if file["matrix"] == matrix and file["first_id"] < last and file["first_id"] + file["rows"] > first:
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


def how_to_make(uri: str) -> str:
    """What an error says to do about a table of parameters that is damaged."""
    return f"run again with --from {'initial' if '/staging/initial/' in uri else 'rounds'}"


def _files(uri: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = json.loads(storage.read_text(storage.join(uri, _LIST)))
    except FileNotFoundError as error:
        raise OutputError(f"{uri}: lacks {_LIST}, the list of its files; {how_to_make(uri)}") from error
    except ValueError as error:
        raise OutputError(f"{uri}: {_LIST} is not JSON ({error}); {how_to_make(uri)}") from error
    return found


def _of_table(batches: Iterator[pa.RecordBatch], uri: str) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except OutputError as error:
        raise OutputError(f"{uri}: a file of it is damaged or missing; {how_to_make(uri)} ({error})") from error
