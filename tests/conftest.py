"""One Spark session for all tests."""

from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from w2vspark.base.config import SparkConfig
from w2vspark.stages.session import build_session


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    warehouse = str(tmp_path_factory.mktemp("warehouse"))
    options = {"spark.sql.shuffle.partitions": "2", "spark.sql.warehouse.dir": warehouse}
    config = SparkConfig(master="local[2]", options=options)
    session = build_session(config, "w2vspark tests")
    yield session
    session.stop()
