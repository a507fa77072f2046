"""One Spark session and one S3 server for all tests."""

import os
from collections.abc import Iterator

import pytest
import stores
from pyspark.sql import SparkSession

from w2vspark.spark.session import SparkConfig, build_session

# For the JVMs of commands that tests start. They live for seconds, and without the optimizing compiler such a run takes
# a fifth less CPU. The session of the tests themselves lives long enough to need it.
JVM_OPTIONS = "SPARK_SUBMIT_OPTS"
os.environ.setdefault(JVM_OPTIONS, "-XX:TieredStopAtLevel=1")


LONGEST = ("tests/docs/test_documentation.py", "tests/test_wheel.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest tests first, so that no worker has one of them alone at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    warehouse = str(tmp_path_factory.mktemp("warehouse"))
    options = {"spark.sql.shuffle.partitions": "2", "spark.sql.warehouse.dir": warehouse}
    config = SparkConfig(master="local[2]", options=options)
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv(JVM_OPTIONS)
        session = build_session(config, "w2vspark tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def s3_environment() -> Iterator[dict[str, str]]:
    with stores.s3_server() as environment:
        yield environment


@pytest.fixture
def bucket(s3_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The URI of an empty bucket, which this process and those that it starts can reach."""
    for key, value in s3_environment.items():
        monkeypatch.setenv(key, value)
    return f"s3://{stores.new_bucket(s3_environment)}"
