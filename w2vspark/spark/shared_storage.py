"""Check the executors before the work begins: whether they can read the output folder and run the same code."""

import shutil
import socket
import sys
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark import storage
from w2vspark.base.errors import EnvironmentFailure, W2VSparkError
from w2vspark.fingerprints.fingerprint import library_versions, package_fingerprint
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.session import task_slots
from w2vspark.spark.worker_errors import ONE_ENVIRONMENT

_ANSWER = pa.schema([pa.field("host", pa.string()), pa.field("problem", pa.string())])
_TASKS = 16
_SAME = frozenset({"llvmlite", "numba", "numpy", "pyarrow"})  # fingerprints have the driver's versions for all workers


def check_executors(session: SparkSession, output: str) -> None:
    """Raise EnvironmentFailure when an executor cannot read `output`, or has another w2vspark or other libraries.

    A local master shares the driver's disk. If it also shares the driver's Python, as in our own sessions, nothing is
    checked.
    """
    if task_slots(session) is not None and _has_our_python(session):
        return
    probe = storage.join(output, "staging", f"_probe-{uuid.uuid4().hex}.json")
    code = package_fingerprint()
    storage.write_text(probe, code)
    try:
        ask = partial(answer, probe=probe, code=code, versions=library_versions(_SAME))
        answers = session.range(0, _TASKS, 1, _TASKS).mapInArrow(ask, spark_schema(_ANSWER)).distinct().collect()
    finally:
        storage.delete_file(probe)
    problems = sorted(f"executor on {row['host']}: {row['problem']}" for row in answers if row["problem"])
    if problems:
        raise EnvironmentFailure("; ".join(problems))


def _has_our_python(session: SparkSession) -> bool:
    if not isinstance(session, SparkSession):  # Spark Connect does not tell
        return False
    python = session.sparkContext.pythonExec
    return Path(shutil.which(python) or python).parent == Path(sys.executable).parent


def answer(
    batches: Iterator[pa.RecordBatch], probe: str, code: str, versions: dict[str, str]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow on an executor: one row for each batch, with the host and what is wrong there ("" = nothing)."""
    for _ in batches:
        row = {"host": [socket.gethostname()], "problem": [_problem(probe, code, versions)]}
        yield pa.RecordBatch.from_pydict(row, schema=_ANSWER)


def _problem(probe: str, code: str, versions: dict[str, str]) -> str:
    try:
        if not storage.exists(probe):
            return (
                f"cannot read {probe}; output.path must be storage that the driver and all executors share, such as "
                "hdfs://, s3a:// or a mounted folder"
            )
    except W2VSparkError as error:  # of the file system, such as missing credentials
        return str(error)
    here = library_versions(_SAME)
    for name, wanted in versions.items():
        if here[name] != wanted:
            found = here[name] or "none"
            return f"has {name} {found}, the driver {wanted}; {ONE_ENVIRONMENT}"
    if package_fingerprint() != code:
        return f"runs another version of w2vspark than the driver; {ONE_ENVIRONMENT}"
    return ""
