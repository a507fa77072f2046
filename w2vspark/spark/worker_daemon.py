"""pyspark's daemon, which starts the Python workers of a local run. Spark names it by spark.python.daemon.module.

It prints no traceback for a task that Spark itself has ended: when a task fails in the JVM, or is cancelled, its Python
worker finds the socket closed, and the traceback of that would stand on the user's terminal beside the error.

It keeps what it knows of ZIP archives. A worker of Spark 4.0 calls importlib.invalidate_caches() before each task, and
before Python 3.12 (gh-103200) that reads the list of all files in pyspark.zip again: 0.1 s of CPU a task. No archive
changes while a session runs; one that is added to the path is read.
"""

import sys
import traceback
import zipimport
from types import SimpleNamespace

from pyspark import daemon

_ENDED = (BrokenPipeError, ConnectionResetError)


def print_unless_ended() -> None:
    """Prints the traceback of the exception that is handled now, but for a socket that the other side has closed."""
    if not isinstance(sys.exc_info()[1], _ENDED):
        traceback.print_exc()


if __name__ == "__main__":
    if sys.version_info < (3, 12):
        zipimport.zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign]
    quiet = {**vars(traceback), "print_exc": print_unless_ended}
    daemon.traceback = SimpleNamespace(**quiet)  # type: ignore[assignment, attr-defined]
    daemon.manager()
