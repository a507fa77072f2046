"""Our own tables in Spark: tasks write and read the Parquet files themselves, and the driver lists them.

Spark's writer would need many times the CPU for such rows, and nothing would check what is read back. So tasks return
the names of the files that they wrote. When all tasks have ended, the driver writes the list (storage.listed).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import METRICS_MATRIX, PARAMETER_FILES
from w2vspark.spark.arrow import ROWS_PER_BATCH, columns_of, one_row, spark_schema
from w2vspark.spark.session import VALIDATE_SCHEMA, runtime_settings
from w2vspark.storage.listed import ROWS, ListedFile, NewFile, listed_files, scan_listed, write_list

ROW_GROUP_BYTES = 64 << 20  # in a row group, before it is compressed
FILE_BYTES = 256 << 20  # in a file, before it is compressed
FILES_OF_TASK = 1 << 20  # at most

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class TaskRows:
    """The rows of a table that is not made yet: a frame, and the function that turns its batches into rows.

    The two are separate, so that the task that makes rows can also write them. To send the rows through the JVM would
    cost more than to make and write them.
    """

    frame: DataFrame
    make: Callable[[Batches], Batches]  # a module's function, with its other arguments bound by functools.partial
    schema: pa.Schema

    def to_frame(self) -> DataFrame:
        """The rows as a lazy frame."""
        return self.frame.mapInArrow(self.make, spark_schema(self.schema)).select(*self.schema.names)


def write_listed(frame: DataFrame, uri: str) -> list[dict[str, Any]]:
    """Run the tasks that write a table's files into a new folder, and list the files; return the tasks' rows.

    frame: of schemas.PARAMETER_FILES, a row for every file; rows of METRICS_MATRIX have no file.
    """
    with runtime_settings(frame.sparkSession, **{VALIDATE_SCHEMA: "true"}):
        rows = [row.asDict() for row in frame.collect()]
    write_list(uri, [row for row in rows if row["matrix"] != METRICS_MATRIX])
    return rows


def write_table(rows: DataFrame | TaskRows, uri: str, schema: pa.Schema, row_group_bytes: int = ROW_GROUP_BYTES) -> int:
    """Write a table into a new folder, in the order of the frame's partitions; return its number of rows.

    row_group_bytes: bytes in a row group, before it is compressed. An empty table has one file. Raises OutputError when
    the columns have other names, types or another order than the schema; nullability is not compared.
    """
    made = rows if isinstance(rows, TaskRows) else TaskRows(rows, _as_they_are, schema)
    expected = columns_of(spark_schema(schema))
    got = columns_of(spark_schema(rows.schema) if isinstance(rows, TaskRows) else rows.schema)
    if expected != got:
        raise OutputError(f"{uri}: expected the columns {expected}, got {got}; the stage must select its output schema")
    write = partial(write_rows, uri=uri, make=made.make, schema=schema, row_group_bytes=row_group_bytes)
    frame = made.frame.mapInArrow(write, spark_schema(PARAMETER_FILES))
    with runtime_settings(frame.sparkSession, **{VALIDATE_SCHEMA: "true"}):
        found = [row.asDict() for row in frame.collect()]
    if not found:
        (empty,) = _write_file(uri, 0, schema, iter([schema.empty_table()]), row_group_bytes).to_pylist()
        found = [empty]
    write_list(uri, found)
    return sum(int(row["rows"]) for row in found)


def write_rows(
    batches: Batches, uri: str, make: Callable[[Batches], Batches], schema: pa.Schema, row_group_bytes: int
) -> Batches:
    """mapInArrow: a partition's batches -> rows of PARAMETER_FILES, for the files with the rows that `make` made."""
    context = TaskContext.get()
    first = (context.partitionId() if context else 0) * FILES_OF_TASK
    tables = tables_of_batches(make(batches), schema, min(row_group_bytes, FILE_BYTES), uri)
    for number, of_file in enumerate(_files(tables)):
        yield _write_file(uri, first + number, schema, of_file, row_group_bytes)


def listed_frame(
    session: SparkSession,
    uri: str,
    schema: pa.Schema,
    files: Sequence[ListedFile] | None = None,
    where: Sequence[tuple[str, str, Any]] | None = None,
) -> DataFrame:
    """The rows of a listed table as a lazy frame, with a task for each file.

    files: the files to read; None = those of the folder's list. where: as the filters of storage.read_table.
    """
    listed = listed_files(uri) if files is None else list(files)
    read = partial(read_files, uri=uri, schema=schema, files=listed, where=where)
    return session.range(0, len(listed), 1, len(listed)).mapInArrow(read, spark_schema(schema))


def read_files(
    batches: Batches,
    uri: str,
    schema: pa.Schema,
    files: list[ListedFile],
    where: Sequence[tuple[str, str, Any]] | None,
) -> Batches:
    """mapInArrow: numbers of files -> their rows."""
    for batch in batches:
        for number in batch.column(0).to_pylist():
            for rows in scan_listed(uri, schema.names, where, files=[files[number]]):
                yield from pa.Table.from_batches([rows]).cast(schema).to_batches(ROWS_PER_BATCH)


def _as_they_are(batches: Batches) -> Batches:
    return batches


def tables_of_batches(batches: Batches, schema: pa.Schema, row_group_bytes: int, uri: str) -> Iterator[pa.Table]:
    """Join batches into tables of about `row_group_bytes` bytes, with the types of the schema."""
    waiting: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        if batch.schema.names != schema.names:
            raise OutputError(f"{uri}: expected the columns {schema.names}, got {batch.schema.names}")
        waiting.append(batch)
        size += batch.nbytes
        if size >= row_group_bytes:
            yield pa.Table.from_batches(waiting).cast(schema)
            waiting, size = [], 0
    if any(batch.num_rows for batch in waiting):
        yield pa.Table.from_batches(waiting).cast(schema)


def _files(tables: Iterator[pa.Table]) -> Iterator[Iterator[pa.Table]]:
    """Group tables into files of at most FILE_BYTES; a larger table is a file of its own."""
    ahead = next(tables, None)

    def of_file() -> Iterator[pa.Table]:
        nonlocal ahead
        size = 0
        while ahead is not None and (not size or size + ahead.nbytes <= FILE_BYTES):
            size += ahead.nbytes
            yield ahead
            ahead = next(tables, None)

    while ahead is not None:
        yield of_file()


def _write_file(
    uri: str, number: int, schema: pa.Schema, tables: Iterator[pa.Table], row_group_bytes: int
) -> pa.RecordBatch:
    """Write the rows of some tables to a new file; return the file as a row of PARAMETER_FILES."""
    with NewFile(uri, f"part-{number:010}", schema, **write_options(schema)) as file:
        for table in tables:
            groups = max(1, table.nbytes // row_group_bytes)
            file.write(table, -(-max(1, len(table)) // groups))
    return one_row(PARAMETER_FILES, matrix=ROWS, first_id=number, rows=file.rows, **file.listed())


def write_options(schema: pa.Schema) -> dict[str, Any]:
    """Options of pyarrow's ParquetWriter: no dictionary, compression or statistics for floats, which rarely repeat."""
    floats: list[str] = []
    others: list[str] = []
    for field in schema:
        is_list = pa.types.is_list(field.type)
        kind = field.type.value_type if is_list else field.type
        leaf = f"{field.name}.list.element" if is_list else field.name
        (floats if pa.types.is_floating(kind) else others).append(leaf)
    compression = dict.fromkeys(floats, "none") | dict.fromkeys(others, "snappy")
    return {"use_dictionary": others, "write_statistics": others, "compression": compression}
