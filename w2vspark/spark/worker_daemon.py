"""pyspark's daemon, which starts the Python workers of a local run. Spark finds it by spark.python.daemon.module.

It prints no traceback for a task that Spark has ended. When a task fails in the JVM or is cancelled, its Python worker
finds the socket closed. The traceback of that would appear on the user's terminal beside the real error.

It keeps the lists of files in ZIP archives. A worker of Spark 4.0 calls importlib.invalidate_caches() before each task,
and before Python 3.12 (gh-103200) that reads the list of pyspark.zip again: 0.1 s of CPU for each task. No archive
changes while a session runs, and an archive that is added to the path is still read.
"""

import sys
import traceback
import zipimport
from types import SimpleNamespace

from pyspark import daemon

_ENDED = (BrokenPipeError, ConnectionResetError)


def print_unless_ended() -> None:
    """Print the traceback of the current exception, except when the other side has closed the socket."""
    if not isinstance(sys.exc_info()[1], _ENDED):
        traceback.print_exc()


if __name__ == "__main__":
    if sys.version_info < (3, 12):
        zipimport.zipimporter.invalidate_caches = lambda self: None  # type: ignore[method-assign]
    quiet = {**vars(traceback), "print_exc": print_unless_ended}
    daemon.traceback = SimpleNamespace(**quiet)  # type: ignore[assignment, attr-defined]
    daemon.manager()
