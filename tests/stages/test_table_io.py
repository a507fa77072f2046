"""Schemas, and tables that are refused."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from w2vspark.base import schemas
from w2vspark.base.errors import OutputError
from w2vspark.stages.table_io import spark_schema, write_table


@pytest.mark.parametrize("name", [name for name in dir(schemas) if isinstance(getattr(schemas, name), pa.Schema)])
def test_every_table_survives_the_way_through_spark(spark: SparkSession, tmp_path: Path, name: str) -> None:
    schema = getattr(schemas, name)
    write_table(spark.createDataFrame([], spark_schema(schema)), str(tmp_path / "t"), schema)
    found = pq.read_schema(next((tmp_path / "t").glob("*.parquet")))
    assert [(f.name, str(f.type).replace("element", "item")) for f in found] == [(f.name, str(f.type)) for f in schema]


@pytest.mark.parametrize(
    "wrong", ["id long, word string, count long", "id int, word string", "word string, id int, count long"]
)
def test_a_table_of_other_columns_is_refused(spark: SparkSession, tmp_path: Path, wrong: str) -> None:
    with pytest.raises(OutputError, match=r"expected the columns id int, word string, count bigint, got .*word"):
        write_table(spark.createDataFrame([], wrong), str(tmp_path / "t"), schemas.VOCABULARY)
    assert not (tmp_path / "t").exists()


def test_writing_again_replaces_the_table_and_options_reach_the_writer(spark: SparkSession, tmp_path: Path) -> None:
    for rows in ([(0, "a", 2), (1, "b", 1)], [(0, "c", 3)]):
        df = spark.createDataFrame(rows, spark_schema(schemas.VOCABULARY)).coalesce(1)
        write_table(df, str(tmp_path / "t"), schemas.VOCABULARY, compression="zstd")
    (file,) = (tmp_path / "t").glob("*.parquet")
    assert pq.read_table(file).to_pylist() == [{"id": 0, "word": "c", "count": 3}]
    assert pq.ParquetFile(file).metadata.row_group(0).column(0).compression == "ZSTD"
