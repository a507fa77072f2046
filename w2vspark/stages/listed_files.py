"""Tables whose Parquet files the workers write themselves, and which the driver lists.

Through Spark's writer such rows cost many times the CPU. So tasks return the names of the files that they wrote, and
when all have ended the driver lists them beside the files. Whatever else is in the folder, from an attempt that failed
or was overtaken by another, is never read.
"""

import json
import re
from operator import itemgetter
from typing import Any

from pyspark.sql import DataFrame

from w2vspark.base import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import METRICS_MATRIX
from w2vspark.stages.session import VALIDATE_SCHEMA, runtime_settings

_LIST = "_files.json"
_COLUMNS = ("matrix", "first_id", "rows", "file")


def write_listed(frame: DataFrame, uri: str) -> list[dict[str, Any]]:
    """Run the tasks that write a table's files in place of what is at ``uri``; what they returned.

    frame: of schemas.PARAMETER_FILES, a row for every file.
    """
    storage.delete_folder(uri)
    with runtime_settings(frame.sparkSession, **{VALIDATE_SCHEMA: "true"}):
        rows = [row.asDict() for row in frame.collect()]
    files = [{name: row[name] for name in _COLUMNS} for row in rows if row["matrix"] != METRICS_MATRIX]
    text = json.dumps(sorted(files, key=itemgetter("matrix", "first_id")), indent=1)
    storage.write_text(storage.join(uri, _LIST), text + "\n")
    return rows


def listed_files(uri: str, matrix: str) -> list[dict[str, Any]]:
    """The files with rows of a matrix, by their first row: first_id, rows and file (its name in the folder).

    Raises OutputError where the list is missing or unreadable.
    """
    try:
        found: list[dict[str, Any]] = json.loads(storage.read_text(storage.join(uri, _LIST)))
    except FileNotFoundError as error:
        raise OutputError(f"{uri}: lacks {_LIST}, the list of its files; {how_to_make(uri)}") from error
    except ValueError as error:
        raise OutputError(f"{uri}: {_LIST} is not JSON ({error}); {how_to_make(uri)}") from error
    return [file for file in found if file["matrix"] == matrix]


def how_to_make(uri: str) -> str:
    """What an error says to do about a staged table that is damaged."""
    stage = re.search(r"/staging/(\w+)/", uri)
    return f"run again with --from {stage[1] if stage else 'rounds'}"
