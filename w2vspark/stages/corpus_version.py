"""What tells one state of the corpus from another: files with sizes and times, or a table's snapshot."""

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import asdict

from pyspark.sql import SparkSession

from w2vspark.base.errors import InputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.spark.session import runtime_settings
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.storage.files import list_files

# What the names of views begin with whose names tell what is in them (stages.frames).
FRAME = "w2vspark_frame_"
# How a table that keeps its history is asked for its newest state.
SNAPSHOTS = {
    "delta": "DESCRIBE HISTORY {name} LIMIT 1",
    "iceberg": "SELECT snapshot_id FROM {name}.snapshots ORDER BY committed_at DESC LIMIT 1",
}


def corpus_version(config: InputConfig, session: Callable[[], SparkSession]) -> str:
    """A fingerprint of the corpus and of how it is read. Spark is started only for a catalog table.

    For a table: Delta's version, Iceberg's snapshot, or the files behind it; for a view its query and the files. Where
    none can be told (JDBC), a new one every time, so that nothing stale is used. Raises InputError for a path or table
    that is not there.
    """
    read = asdict(config) | {"text_column": text_column(config)}
    if not config.table:
        return fingerprint(input=read, files=_files(config.path))
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
    get_logger().warning(key_values(stage="corpus", table=config.table, version="cannot be told: counted anew"))
    return fingerprint(input=read, unknown=uuid.uuid4().hex)


def _files(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """The files below some paths, each with its size and time."""
    files = sorted({file for path in paths for file in list_files(path)})
    return [(file.uri, file.size, file.modified_ns) for file in files]


def _query(session: SparkSession, name: str) -> str:
    """What reading a table or view computes, in Spark's words, without the numbers that it gives to columns.

    The queries of views behind a view are in it. current_date() is a date here, and rand() has a seed: such a view is
    another one when these change.
    """
    with runtime_settings(session, **{"spark.sql.debug.maxToStringFields": str(2**31 - 1)}):
        (row,) = session.sql(f"EXPLAIN EXTENDED SELECT * FROM {name}").collect()
    optimized = str(row[0]).partition("== Optimized Logical Plan ==")[2].partition("== Physical Plan ==")[0]
    return re.sub(r"#\d+L?", "", optimized)
