"""Arrow schemas and columns as tasks make them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from w2vspark import storage
from w2vspark.base import schemas
from w2vspark.base.errors import DamagedTable
from w2vspark.spark.arrow import binary_values, one_row, open_stream, spark_schema, spark_uri, vector_lists
from w2vspark.storage import sealed

SCHEMAS = [name for name in dir(schemas) if isinstance(getattr(schemas, name), pa.Schema)]


@pytest.mark.parametrize("name", SCHEMAS)
def test_spark_knows_every_schema(name: str) -> None:
    schema = getattr(schemas, name)
    found = spark_schema(schema)
    assert found.names == schema.names
    assert [field.nullable for field in found] == [field.nullable for field in schema]


def test_a_type_that_no_table_uses_is_refused() -> None:
    with pytest.raises(KeyError):
        spark_schema(pa.schema({"id": pa.uint8()}))


def test_rows_become_lists_and_arrays_become_binary_values() -> None:
    rows = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert vector_lists(rows).to_pylist() == rows.tolist()
    assert vector_lists(rows[:0]).to_pylist() == []
    assert binary_values(rows, np.array([16, 0, 32])).to_pylist() == [rows[0].tobytes(), b"", rows[1:].tobytes()]


def test_a_batch_of_one_row_has_nulls_where_nothing_is_given() -> None:
    values = np.arange(3, dtype=np.int32)
    (row,) = one_row(schemas.ROWS_WANTED, key=5, shard=1, matrix="words", ids=values).to_pylist()
    assert row == {"key": 5, "shard": 1, "matrix": "words", "ids": values.tobytes()}
    (row,) = one_row(schemas.PARAMETER_FILES, matrix="words", first_id=0, rows=3).to_pylist()
    assert {name for name, value in row.items() if value is not None} == {"matrix", "first_id", "rows"}


def test_a_stream_is_opened_where_it_begins(tmp_path: Path) -> None:
    path, offsets = str(tmp_path / "x.arrow"), []
    batches = [one_row(schemas.ROWS_WANTED, key=place, shard=0, matrix="m", ids=np.arange(place)) for place in (1, 2)]
    with storage.open_for_writing(path) as sink:
        for batch in batches:
            offsets.append(sink.tell())
            with pa.ipc.new_stream(sink, batch.schema) as writer:
                sealed.write_batch(writer, batch)
    for offset, batch in zip(offsets, batches, strict=True):
        with open_stream(path, offset) as stream:
            assert sealed.next_batch(stream, path) == batch
            with pytest.raises(DamagedTable, match=r"x\.arrow: a batch is missing"):
                sealed.next_batch(stream, path)
    for offset in (offsets[1] + 3, Path(path).stat().st_size):
        with pytest.raises(DamagedTable, match=r"x\.arrow: is damaged"), open_stream(path, offset):
            pass
    with pytest.raises(DamagedTable, match=r"y\.arrow: is missing"), open_stream(str(tmp_path / "y.arrow"), 0):
        pass
    with pytest.raises(FileNotFoundError, match="z"), open_stream(path, 0):
        (tmp_path / "z").read_bytes()  # an error of what is done with the stream stays what it is


def test_a_local_path_stays_local_for_spark() -> None:
    assert spark_uri("/data/x") == "file:///data/x" and spark_uri("s3://b/x") == "s3://b/x"
