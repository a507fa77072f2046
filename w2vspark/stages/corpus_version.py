"""What tells one state of the corpus from another: files with sizes and times, or a table's snapshot."""

import uuid
from collections.abc import Callable

from pyspark.sql import SparkSession

from w2vspark.base.config import InputConfig
from w2vspark.base.errors import InputError
from w2vspark.base.fingerprint import fingerprint
from w2vspark.base.log import get_logger, key_values
from w2vspark.base.storage import list_files

# How a table that keeps its history is asked for its newest state.
SNAPSHOTS = {
    "delta": "DESCRIBE HISTORY {name} LIMIT 1",
    "iceberg": "SELECT snapshot_id FROM {name}.snapshots ORDER BY committed_at DESC LIMIT 1",
}


def corpus_version(config: InputConfig, session: Callable[[], SparkSession]) -> str:
    """A fingerprint of the corpus and of how it is read. Spark is started only for a catalog table.

    For a table: Delta's version, Iceberg's snapshot, or the files behind it; where none can be told (a view, JDBC),
    a new one every time, so that nothing stale is used. Raises InputError for a path or table that is not there.
    """
    if not config.table:
        files = sorted({file for path in config.path for file in list_files(path)})
        return fingerprint(input=config, files=[(file.uri, file.size, file.modified_ns) for file in files])
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
        return fingerprint(input=config, snapshot=str(newest))
    files = sorted({file for path in spark.table(config.table).inputFiles() for file in list_files(path)})
    if files:
        return fingerprint(input=config, files=[(file.uri, file.size, file.modified_ns) for file in files])
    get_logger().warning(key_values(stage="corpus", table=config.table, version="cannot be told: counted anew"))
    return fingerprint(input=config, unknown=uuid.uuid4().hex)
