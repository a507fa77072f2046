"""Errors that a task raised in a Python worker, as what they are: Spark wraps them in its own, with a traceback."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from w2vspark.base import errors

_OURS = re.compile(r"^w2vspark\.base\.errors\.(\w+): (.+)$", re.MULTILINE)


@contextmanager
def worker_errors() -> Iterator[None]:
    """Raise the W2VSparkError that a worker raised instead of Spark's report of it; others pass as they are."""
    try:
        yield
    except Exception as error:  # PythonException, Py4JJavaError or SparkConnectGrpcException, by version and action
        if isinstance(error, errors.W2VSparkError):
            raise
        found = _OURS.search(str(error))
        kind = getattr(errors, found[1], None) if found else None
        if found is None or kind is None:
            raise
        raise kind(found[2].strip()) from error
