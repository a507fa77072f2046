"""Spark's report of a failed task, as the error that the user can mend."""

import pytest

from w2vspark.base.errors import EnvironmentFailure, InputError, TrainingError, W2VSparkError
from w2vspark.spark.worker_errors import worker_errors

HEAD = "An error occurred while calling o9.parquet.\n: org.apache.spark.SparkException: Job aborted: Lost task (vm): "
SPILLED = "java.io.IOException: No space left on device\n\tat org.apache.spark.shuffle.sort.ShuffleWriter.write(X.java)"
IN_SPILL = (
    "org.apache.spark.memory.SparkOutOfMemoryError: error while calling spill() on org.a.S@1: Disk quota exceeded"
)
NO_FOLDER = (
    "java.io.IOException: Failed to create local dir in /scratch/blockmgr-1/0c.\n\tat org.apache.spark.storage.X"
)
TABLE = (
    "org.apache.hadoop.fs.FSError: java.io.IOException: No space left on device\n\tat org.apache.hadoop.fs.Raw.write(R)"
)
PYTHON = (
    "Traceback (most recent call last):\n  File \"x.py\"\nOSError: [Errno 28] No space left on device: '/big/x'\n\tat"
)
DRIVER = "\n\nDriver stacktrace:\n\tat org.apache.hadoop.fs.Some.method(S.java)\n"
OURS = '  File "x.py"\nw2vspark.base.errors.TrainingError: a value is not finite; lower the rate\n\n\tat org.apache'
MISSING = (
    "Traceback (most recent call last):\n  File \"x.py\"\nModuleNotFoundError: No module named 'pyarrow'\n\n\tat org"
)
UNREADABLE = "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///x.gz. SQLSTATE: KD001\n\tat org"


@pytest.mark.parametrize(
    ("report", "kind", "expected"),
    [
        (HEAD + SPILLED + DRIVER, EnvironmentFailure, r"spark\.local\.dir .*is full \(No space left.*free space there"),
        (HEAD + IN_SPILL + DRIVER, EnvironmentFailure, r"spark\.local\.dir .*is full \(Disk quota exceeded\)"),
        (
            HEAD + NO_FOLDER + DRIVER,
            EnvironmentFailure,
            r"spark\.local\.dir .*\(Failed to create local dir in /scratch/",
        ),
        (HEAD + TABLE + DRIVER, EnvironmentFailure, r"output\.path is full \(No space left on device\); free space"),
        (
            HEAD + PYTHON + DRIVER,
            EnvironmentFailure,
            r"disk is full \(.*No space left on device: '/big/x'\); free space",
        ),
        (HEAD + OURS + DRIVER, TrainingError, r"^a value is not finite; lower the rate$"),
        (
            HEAD + MISSING + DRIVER,
            EnvironmentFailure,
            r"^a worker's Python has no module pyarrow; ship .*PYSPARK_PYTHON",
        ),
        (HEAD + UNREADABLE + DRIVER, InputError, r"^file:///x\.gz: cannot be read; check that the file is whole"),
    ],
)
def test_a_report_becomes_the_error_that_it_is(report: str, kind: type[W2VSparkError], expected: str) -> None:
    with pytest.raises(kind, match=expected) as caught, worker_errors():
        raise RuntimeError(report)
    assert "\n" not in str(caught.value) and str(caught.value.__cause__) == report


def test_other_errors_pass_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="something else"), worker_errors():
        raise RuntimeError("something else")
