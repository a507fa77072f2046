"""Our own tables in Spark: which files they have, in which order, and what is refused."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from w2vspark.base import schemas
from w2vspark.base.errors import DamagedTable, InputError, OutputError
from w2vspark.base.schemas import METRICS_MATRIX, PARAMETER_FILES, VECTORS, VOCABULARY
from w2vspark.spark import listed_files as module
from w2vspark.spark.arrow import one_row, spark_schema
from w2vspark.spark.listed_files import TaskRows, listed_frame, write_listed, write_rows, write_table
from w2vspark.spark.session import VALIDATE_SCHEMA, runtime_settings
from w2vspark.spark.worker_errors import worker_errors
from w2vspark.storage.listed import LIST, file_names, listed_files, read_list, read_listed

Batches = Iterator[pa.RecordBatch]


def words(first: int, last: int) -> pa.RecordBatch:
    """Rows first … last - 1 of a vocabulary; eight characters a word, 24 bytes a row in memory."""
    columns = [
        range(first, last),
        [f"w{number:07}" for number in range(first, last)],
        range(10_000 - first, 10_000 - last, -1),
    ]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, VOCABULARY, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=VOCABULARY)


def rows_of(session: SparkSession, tasks: int, rows: int = 100, batch_rows: int = 10) -> TaskRows:
    """Task n makes the words from n * rows on; those with odd numbers make none."""

    def make(batches: Batches) -> Batches:
        for number in (number for batch in batches for number in batch.column(0).to_pylist() if number % 2 == 0):
            for first in range(number * rows, number * rows + rows, batch_rows):
                columns = [range(first, first + batch_rows)]
                columns += [[f"w{n:07}" for n in columns[0]], range(10_000 - first, 10_000 - first - batch_rows, -1)]
                arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    schema = VOCABULARY  # a local function goes to the workers by its value
    return TaskRows(session.range(0, tasks, 1, tasks), make, VOCABULARY)


@pytest.mark.parametrize("name", [name for name in dir(schemas) if isinstance(getattr(schemas, name), pa.Schema)])
def test_every_table_survives_the_way_through_spark(spark: SparkSession, tmp_path: Path, name: str) -> None:
    schema, uri = getattr(schemas, name), str(tmp_path / "t")
    assert write_table(spark.createDataFrame([], spark_schema(schema)), uri, schema) == 0
    (file,) = listed_files(uri)  # an empty table is one file
    found = pq.read_schema(tmp_path / "t" / file["file"])
    assert [(f.name, str(f.type).replace("element", "item")) for f in found] == [(f.name, str(f.type)) for f in schema]
    assert read_listed(uri).num_rows == file["rows"] == file["first_id"] == 0


def test_rows_stand_in_the_order_of_the_tasks_and_nothing_else_is_in_the_folder(spark, tmp_path):
    uri = str(tmp_path / "t")
    assert write_table(rows_of(spark, 8), uri, VOCABULARY) == 400
    expected = [row for number in (0, 2, 4, 6) for row in words(number * 100, number * 100 + 100).to_pylist()]
    assert read_listed(uri).to_pylist() == expected
    files = listed_files(uri)
    assert [file["rows"] for file in files] == [100] * 4  # a task without rows writes no file
    # Neither _SUCCESS nor .crc, which Spark's writer leaves.
    assert {path.name for path in (tmp_path / "t").iterdir()} == {LIST, *(file["file"] for file in files)}
    assert rows_of(spark, 8).to_frame().orderBy("id").toArrow().to_pylist() == expected


def test_a_frames_rows_stand_in_the_order_of_its_partitions(spark, tmp_path):
    uri = str(tmp_path / "t")
    frame = rows_of(spark, 6).to_frame().repartitionByRange(3, "count").sortWithinPartitions("count")
    assert write_table(frame, uri, VOCABULARY) == 300
    found = read_listed(uri)["count"].to_pylist()
    assert found == sorted(found) and len(found) == 300
    assert len(listed_files(uri)) == 3


@pytest.mark.parametrize("batches", [[], [0], [0, 0, 5, 0]], ids=str)
def test_batches_without_rows_are_no_file(batches, tmp_path):
    written = list(
        write_rows(iter([words(0, rows) for rows in batches]), str(tmp_path), lambda found: found, VOCABULARY, 1 << 20)
    )
    assert [row.to_pylist()[0]["rows"] for row in written] == [5] * any(batches)
    assert len(list(tmp_path.iterdir())) == len(written)


def test_row_groups_have_so_many_bytes_however_rows_come(tmp_path):
    for batch_rows in (7, 100, 1000):
        folder = tmp_path / str(batch_rows)
        batches = [words(first, min(1000, first + batch_rows)) for first in range(0, 1000, batch_rows)]
        (row,) = write_rows(iter(batches), str(folder), lambda found: found, VOCABULARY, 2400)
        metadata = pq.read_metadata(folder / row["file"][0].as_py())
        sizes = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        assert sum(sizes) == 1000 and max(sizes) <= 200 and min(sizes[:-1]) >= 80, (batch_rows, sizes)
        assert row["rows"][0].as_py() == 1000
    (row,) = write_rows(iter([words(0, 1000)]), str(folder), lambda found: found, VOCABULARY, 1 << 20)
    assert pq.read_metadata(folder / row["file"][0].as_py()).num_row_groups == 1


def test_a_task_with_many_rows_writes_several_files_that_fit_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILE_BYTES", 24 * 250)
    batches = [words(first, first + 10) for first in range(0, 1000, 10)]
    written = list(write_rows(iter(batches), str(tmp_path), lambda found: found, VOCABULARY, 24 * 100))
    files = [row.to_pylist()[0] for row in written]
    assert [file["rows"] for file in files] == [200] * 5
    assert [file["first_id"] for file in files] == list(range(5))
    found = pa.concat_tables([pq.read_table(tmp_path / file["file"]) for file in files])
    assert found.to_pylist() == words(0, 1000).to_pylist()
    # A batch that is larger than a file may be is a file of its own.
    written = list(
        write_rows(iter([words(0, 600), words(600, 610)]), str(tmp_path), lambda found: found, VOCABULARY, 1 << 30)
    )
    assert [row["rows"][0].as_py() for row in written] == [600, 10]


def test_the_files_of_several_tasks_stand_task_by_task(spark, tmp_path):
    uri = str(tmp_path / "t")
    rows = rows_of(spark, 5)

    def make(batches: Batches, of_task: Any = rows.make) -> Batches:
        from w2vspark.spark import listed_files

        size, listed_files.FILE_BYTES = listed_files.FILE_BYTES, 24 * 30 + 40  # a worker has no monkeypatch
        try:
            yield from of_task(batches)
        finally:
            listed_files.FILE_BYTES = size

    assert write_table(TaskRows(rows.frame, make, VOCABULARY), uri, VOCABULARY, 24 * 10) == 300
    assert [file["rows"] for file in listed_files(uri)] == [30, 30, 30, 10] * 3
    assert read_listed(uri)["id"].to_pylist() == [*range(100), *range(200, 300), *range(400, 500)]


@pytest.mark.parametrize(
    "wrong", ["id long, word string, count long", "id int, word string", "word string, id int, count long"]
)
def test_a_table_of_other_columns_is_refused(spark: SparkSession, tmp_path: Path, wrong: str) -> None:
    with pytest.raises(OutputError, match=r"expected the columns id int, word string, count bigint, got .*word"):
        write_table(spark.createDataFrame([], wrong), str(tmp_path / "t"), VOCABULARY)
    assert not (tmp_path / "t").exists()


def test_rows_of_a_task_with_another_schema_are_refused(spark, tmp_path):
    frame = spark.range(0, 1, 1, 1)
    with pytest.raises(OutputError, match=r"expected the columns id int, .*, got id int, .*vector array<float>"):
        write_table(TaskRows(frame, lambda found: found, VECTORS), str(tmp_path / "t"), VOCABULARY)
    assert not (tmp_path / "t").exists()
    # What the task says and what it makes: the worker's error arrives as what it is.
    with (
        pytest.raises(OutputError, match=r"t: expected the columns \['id', 'word', 'count'\], got \['id'\]"),
        worker_errors(),
    ):
        write_table(TaskRows(frame, lambda found: found, VOCABULARY), str(tmp_path / "t"), VOCABULARY)
    assert not (tmp_path / "t" / LIST).exists()


@pytest.mark.parametrize("value", ["x", None, 1 << 40], ids=["another type", "null", "too large"])
def test_values_that_do_not_fit_the_schema_are_an_error(value, tmp_path):
    columns = [pa.array([value]), ["a"], [1]]
    batch = pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names=VOCABULARY.names)
    with pytest.raises((ValueError, pa.ArrowException)):
        list(write_rows(iter([batch]), str(tmp_path), lambda found: found, VOCABULARY, 1 << 20))


def test_nullability_is_not_compared(spark, tmp_path):
    frame = spark.createDataFrame([(0, "a", 2)], "id int, word string, count long")
    assert frame.schema["id"].nullable and not VOCABULARY.field("id").nullable
    write_table(frame, str(tmp_path / "t"), VOCABULARY)
    assert read_listed(str(tmp_path / "t")).to_pylist() == [{"id": 0, "word": "a", "count": 2}]


def test_what_a_task_that_failed_left_is_not_listed(spark, tmp_path):
    uri = str(tmp_path / "t")

    def fail(batches: Batches) -> Batches:
        for number in (number for batch in batches for number in batch.column(0).to_pylist()):
            if number == 1:
                raise InputError("task 1 fails")
            yield pa.RecordBatch.from_pydict({"id": [7], "word": ["x"], "count": [1]}, schema=schema)

    schema = VOCABULARY
    with pytest.raises(InputError, match="task 1 fails"), worker_errors():
        write_table(TaskRows(spark.range(0, 2, 1, 2), fail, VOCABULARY), uri, VOCABULARY)
    assert not (tmp_path / "t" / LIST).exists()
    with pytest.raises(DamagedTable, match=LIST):
        read_listed(uri)
    # A task's other attempt, which Spark gave up or did not wait for.
    list(write_rows(iter([words(50, 60)]), uri, lambda found: found, VOCABULARY, 1 << 20))
    left = {path.name for path in (tmp_path / "t").iterdir()}
    assert left
    assert write_table(rows_of(spark, 1), uri, VOCABULARY) == 100
    assert read_listed(uri).to_pylist() == words(0, 100).to_pylist()
    assert not left & set(file_names(uri))


def test_a_table_that_is_written_again_has_the_new_files_alone(spark, tmp_path):
    uri = str(tmp_path / "t")
    for first in ([(0, "a", 2), (1, "b", 1)], [(0, "c", 3)]):
        write_table(spark.createDataFrame(first, spark_schema(VOCABULARY)), uri, VOCABULARY)
    assert read_listed(uri).to_pylist() == [{"id": 0, "word": "c", "count": 3}]


def test_floats_are_stored_as_they_are_and_other_columns_are_packed(tmp_path):
    columns = [np.arange(5, dtype=np.int32), ["a"] * 5, np.arange(5), [[1.5, 2.5]] * 5]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, VECTORS, strict=True)], schema=VECTORS
    )
    (row,) = write_rows(iter([batch]), str(tmp_path), lambda found: found, VECTORS, 1 << 20)
    group = pq.read_metadata(tmp_path / row["file"][0].as_py()).row_group(0)
    found = {group.column(number).path_in_schema: group.column(number) for number in range(group.num_columns)}
    assert {name.partition(".")[0]: column.compression for name, column in found.items()} == {
        "id": "SNAPPY", "word": "SNAPPY", "count": "SNAPPY", "vector": "UNCOMPRESSED",
    }  # fmt: skip
    assert [column.has_dictionary_page for column in found.values()] == [True, True, True, False]
    assert found["id"].is_stats_set  # readers skip row groups by them


def test_large_arrow_types_of_a_cluster_become_those_of_the_schema(spark, tmp_path):
    uri = str(tmp_path / "t")
    with runtime_settings(spark, **{"spark.sql.execution.arrow.useLargeVarTypes": "true"}):
        write_table(spark.createDataFrame([(0, "a", 2)], spark_schema(VOCABULARY)), uri, VOCABULARY)
        found = listed_frame(spark, uri, VOCABULARY).collect()
    assert read_listed(uri).schema.types == VOCABULARY.types
    assert [row.asDict() for row in found] == [{"id": 0, "word": "a", "count": 2}]


def test_a_frame_has_the_rows_that_the_filter_lets_through_in_their_order(spark, tmp_path):
    uri = str(tmp_path / "t")
    write_table(rows_of(spark, 8), uri, VOCABULARY, 24 * 20)
    expected = read_listed(uri).to_pylist()
    (tmp_path / "t" / "part-of-another-attempt.parquet").write_bytes(b"PAR1")
    frame = listed_frame(spark, uri, VOCABULARY)
    assert frame.toArrow().to_pylist() == expected
    assert frame.rdd.getNumPartitions() == 4
    assert frame.schema == spark_schema(VOCABULARY)
    where = [("id", ">=", 250), ("id", "<", 430)]
    found = listed_frame(spark, uri, VOCABULARY, where=where).toArrow().to_pylist()
    assert found == [row for row in expected if 250 <= row["id"] < 430] and len(found) == 80
    assert listed_frame(spark, uri, VOCABULARY, where=[("word", "==", "none")]).collect() == []
    some = listed_frame(spark, uri, VOCABULARY, files=listed_files(uri)[1:3]).toArrow().to_pylist()
    assert some == expected[100:300]


def test_a_frame_of_a_damaged_table_raises_damage(spark, tmp_path):
    uri = str(tmp_path / "t")
    with pytest.raises(DamagedTable, match=f"t: lacks {LIST}"):
        listed_frame(spark, uri, VOCABULARY)
    write_table(rows_of(spark, 1), uri, VOCABULARY)
    file = tmp_path / "t" / file_names(uri)[0]
    content = bytearray(file.read_bytes())
    content[40] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedTable, match="t: a file of it is damaged"), worker_errors():
        listed_frame(spark, uri, VOCABULARY).collect()
    file.unlink()
    with pytest.raises(DamagedTable, match=f"t: {file.name} is missing"), worker_errors():
        listed_frame(spark, uri, VOCABULARY).collect()


def test_files_that_tasks_wrote_themselves_are_listed_and_metrics_are_not(spark, tmp_path):
    uri = str(tmp_path / "t")
    (written,) = write_rows(iter([words(0, 10)]), uri, lambda found: found, VOCABULARY, 1 << 20)
    of_file = written.to_pylist()[0]
    files = [of_file | {"matrix": matrix, "first_id": first} for matrix, first in (("b", 9), ("a", 3), ("b", 2))]
    metrics = one_row(PARAMETER_FILES, matrix=METRICS_MATRIX, first_id=1, rows=0, shard=1, loss=0.5, tokens=7)
    rows = [*files, *metrics.to_pylist()]
    frame = spark.createDataFrame(rows, spark_schema(PARAMETER_FILES)).repartition(3)
    before = spark.conf.get(VALIDATE_SCHEMA, None)
    found = write_listed(frame, uri)
    assert sorted(found, key=str) == sorted(rows, key=str)
    assert [(file["matrix"], file["first_id"]) for file in read_list(uri)] == [("a", 3), ("b", 2), ("b", 9)]
    assert read_listed(uri, matrix="a").to_pylist() == words(0, 10).to_pylist()
    assert spark.conf.get(VALIDATE_SCHEMA, None) == before


def test_a_task_that_returns_other_columns_than_it_says_writes_no_list(spark, tmp_path):
    def wrong(batches: Batches) -> Batches:
        yield from batches

    frame = spark.range(0, 1, 1, 1).mapInArrow(partial(wrong), spark_schema(PARAMETER_FILES))
    with pytest.raises(Exception, match=r"id|aborted"):  # Spark 4.0 has no check of its own
        write_listed(frame, str(tmp_path / "t"))
    assert not (tmp_path / "t").exists()
