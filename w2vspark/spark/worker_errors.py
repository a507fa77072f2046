"""Find the real error of a task: Spark wraps it in an error of its own, with a traceback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.sql import SparkSession

from w2vspark.base import errors
from w2vspark.storage.uris import FULL_DISK

_UNREADABLE = re.compile(r"\[FAILED_READ_FILE[.A-Z_]*\] (.+?)(?: SQLSTATE.*)?$", re.MULTILINE)
_OURS = re.compile(r"^w2vspark\.base\.errors\.(\w+): (.+)$", re.MULTILINE)

# Messages of Java, about Spark's own files and tables that Spark writes; and of Python, about files of our workers.
_FULL_IN_JAVA = re.compile(
    rf"(?:Exception|Error): (?:[^\n]*: )?(?P<reason>{FULL_DISK}|Failed to create local dir[^\n]*)"
)
_MISSING = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'$", re.MULTILINE)
ONE_ENVIRONMENT = "ship one environment with --archives, or on one machine name its python in PYSPARK_PYTHON"
_FULL_IN_PYTHON = re.compile(rf"^OSError: (.*(?:{FULL_DISK}).*)$", re.MULTILINE)
_WRITES_A_TABLE = re.compile(r"org\.apache\.hadoop\.fs\.|org\.apache\.parquet\.")


@contextmanager
def worker_errors() -> Iterator[None]:
    """Raise the W2VSparkError of a worker instead of Spark's report of it. Other errors pass unchanged.

    Raises InputError for a file that Spark cannot read, EnvironmentFailure for a full disk or a missing module.
    """
    try:
        yield
    except Exception as error:  # PythonException, Py4JJavaError or SparkConnectGrpcException, by version and action
        if isinstance(error, errors.W2VSparkError):
            raise
        found = _OURS.search(str(error))
        kind = getattr(errors, found[1], None) if found else None
        if found is not None and kind is not None:
            raise kind(found[2].strip()) from error
        if missing := _MISSING.search(str(error)):
            raise errors.EnvironmentFailure(
                f"a worker's Python has no module {missing[1]}; {ONE_ENVIRONMENT}"
            ) from error
        if full := _full_disk(str(error)):
            raise errors.EnvironmentFailure(full) from error
        if unreadable := _UNREADABLE.search(str(error)):
            raise errors.InputError(_unreadable(unreadable[1], str(error))) from error
        raise


def _unreadable(message: str, report: str) -> str:
    """Name the file that Spark cannot read, and why. message: Spark's own, which ends with the file's name."""
    file = re.search(r"\S+:/\S+?(?=\.?(\s|$))", message)
    causes: list[str] = re.findall(r"^Caused by: (?:[\w.$]+\.)?(\w+(?:: .+)?)$", report, re.MULTILINE)
    cause = f" ({causes[-1].strip()})" if causes else ""
    name = file[0] if file else message.strip()
    return f"{name}: cannot be read{cause}; check that the file is whole, and that input.format fits it"


def _full_disk(report: str) -> str:
    """The message for a full disk in Spark's report of a failed task; "" if the report has none."""
    if in_python := _FULL_IN_PYTHON.search(report):
        return f"an executor's disk is full ({in_python[1].strip()}); free space there"
    found = _FULL_IN_JAVA.search(report)
    if not found:
        return ""
    stack = re.split("Caused by: |Driver stacktrace:", report[found.end() :])[0]
    if _WRITES_A_TABLE.search(stack):
        return f"the disk of output.path is full ({found['reason']}); free space there, or name a larger one"
    session = SparkSession.getActiveSession()
    folder = session.conf.get("spark.local.dir", None) if session else None
    return (
        f"the disk of spark.local.dir ({folder or 'by default /tmp'}) is full ({found['reason']}), where Spark keeps "
        "what tasks exchange and what memory does not hold; free space there, or name a folder on a larger disk, as in "
        "--set spark.options.spark.local.dir=/large/tmp"
    )
