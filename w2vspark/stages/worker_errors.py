"""Errors of tasks as what they are: Spark wraps them in its own, with a traceback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from w2vspark.base import errors

_UNREADABLE = re.compile(r"\[FAILED_READ_FILE[.A-Z_]*\] (.+?)(?: SQLSTATE.*)?$", re.MULTILINE)
_OURS = re.compile(r"^w2vspark\.base\.errors\.(\w+): (.+)$", re.MULTILINE)


@contextmanager
def worker_errors() -> Iterator[None]:
    """Raise the W2VSparkError that a worker raised instead of Spark's report of it; others pass as they are.

    InputError stands for a file that Spark cannot read.
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
        if unreadable := _UNREADABLE.search(str(error)):
            fix = "check that it is whole, and of the format that input.format says"
            raise errors.InputError(f"{unreadable[1]} {fix}") from error
        raise
