"""The fingerprint of the corpus: of its files with sizes and times, or of a table's snapshot."""

import re
import uuid
from collections.abc import Callable, Iterable

from pyspark.sql import SparkSession

from w2vspark.base.errors import InputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.config.config import deciding
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.spark.session import runtime_settings
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.storage.files import InputFile, list_files

# The beginning of the names of views that end with a hash of their rows (stages.frames).
FRAME = "w2vspark_frame_"
# Queries for the newest state of a table that keeps its history.
SNAPSHOTS = {
    "delta": "DESCRIBE HISTORY {name} LIMIT 1",
    "iceberg": "SELECT snapshot_id FROM {name}.snapshots ORDER BY committed_at DESC LIMIT 1",
}


def corpus_version(
    config: InputConfig, session: Callable[[], SparkSession], listed: list[InputFile] | None = None
) -> str:
    """The fingerprint of the corpus and of how it is read. Spark is started only for a catalog table.

    listed: the corpus's files, if they are known; None = they are listed here.

    A table counts by its version (Delta), its snapshot (Iceberg) or its files, a view by its query and files. If none
    of these is known (JDBC), the fingerprint is a new one every time, so that no old table is used. Raises InputError
    for a path or table that does not exist.
    """
    read = deciding(config) | {"text_column": text_column(config)}
    if not config.table:
        return fingerprint(input=read, files=_files(config.path) if listed is None else _facts(listed))
    if config.table.startswith(FRAME):
        return fingerprint(input=read)
    spark = session()
    if not spark.catalog.tableExists(config.table):
        raise InputError(
            f"input.table {config.table}: there is no such table; check its name and the catalog's settings"
        )
    name = ".".join(f"`{part}`" for part in config.table.replace("`", "").split("."))
    described = {row["col_name"]: row["data_type"] for row in spark.sql(f"DESCRIBE TABLE EXTENDED {name}").collect()}
    provider = str(described.get("Provider", "")).lower()
    if provider in SNAPSHOTS:
        newest = spark.sql(SNAPSHOTS[provider].format(name=name)).first()
        return fingerprint(input=read, snapshot=str(newest))
    files = _files(spark.table(config.table).inputFiles())
    if files:
        return fingerprint(input=read, files=files, view=described.get("View Text"), query=_query(spark, name))
    get_logger().warning(key_values(stage="corpus", table=config.table, version="unknown: counted again"))
    return fingerprint(input=read, unknown=uuid.uuid4().hex)


def _files(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """The files below some paths, each with its size and time."""
    return _facts(sorted({file for path in paths for file in list_files(path)}))


def _facts(files: Iterable[InputFile]) -> list[tuple[str, int, int]]:
    return [(file.uri, file.size, file.modified_ns) for file in files]


def _query(session: SparkSession, name: str) -> str:
    """Spark's optimized plan for reading a table or view, without the numbers of its columns.

    It includes the queries of the views that a view uses. In it, current_date() is a date and rand() has a seed, so
    such a view counts as another one when these change.
    """
    with runtime_settings(session, **{"spark.sql.debug.maxToStringFields": str(2**31 - 1)}):
        (row,) = session.sql(f"EXPLAIN EXTENDED SELECT * FROM {name}").collect()
    optimized = str(row[0]).partition("== Optimized Logical Plan ==")[2].partition("== Physical Plan ==")[0]
    return re.sub(r"#\d+L?", "", optimized)
