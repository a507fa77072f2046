"""Placement keys against Spark's own hash and shuffle."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from w2vspark.spark.placement import placement_keys


@pytest.mark.parametrize("partitions", [1, 2, 7, 128])
def test_rows_with_a_key_land_in_its_partition(spark: SparkSession, partitions: int) -> None:
    keys = placement_keys(partitions)
    assert len(set(keys)) == partitions
    wanted = [(partition, key) for partition, key in enumerate(keys)] * 2
    rows = spark.createDataFrame(wanted, "wanted int, key int").repartition(partitions, "key")
    found = rows.select("wanted", F.spark_partition_id().alias("partition")).collect()
    assert len(found) == 2 * partitions
    assert all(row["wanted"] == row["partition"] for row in found)
