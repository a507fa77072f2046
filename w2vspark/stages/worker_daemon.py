"""pyspark's daemon, which starts the Python workers, without a traceback for a task that Spark itself has ended.

Spark names it by spark.python.daemon.module. When a task fails in the JVM, or is cancelled, its Python worker finds the
socket closed; the traceback of that would stand on the user's terminal beside the error.
"""

import sys
import traceback
from types import SimpleNamespace

from pyspark import daemon

_ENDED = (BrokenPipeError, ConnectionResetError)


def print_unless_ended() -> None:
    """Prints the traceback of the exception that is handled now, but for a socket that the other side has closed."""
    if not isinstance(sys.exc_info()[1], _ENDED):
        traceback.print_exc()


if __name__ == "__main__":
    quiet = {**vars(traceback), "print_exc": print_unless_ended}
    daemon.traceback = SimpleNamespace(**quiet)  # type: ignore[assignment, attr-defined]
    daemon.manager()
