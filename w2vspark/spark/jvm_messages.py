"""Remove useless messages from what a local run's JVM writes to standard error."""

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from w2vspark.base.terminal import bars_are_drawn, write_above

# Java's launcher prints it, because Spark asks for this module. No logger and no option of Java can turn it off.
NOISE = b"WARNING: Using incubator modules: jdk.incubator.vector"
STANDARD_ERROR = 2
END_SECONDS = 5.0  # for the last lines of a JVM that did not start
_ONE_AT_A_TIME = threading.Lock()  # standard error is the process's


@contextmanager
def noise_filtered() -> Iterator[None]:
    """Leave out NOISE from the standard error of a JVM that starts in this block, as long as the JVM lives.

    Other lines stay as they are. An error in the block is raised after the JVM's last lines are written.
    """
    with _ONE_AT_A_TIME:
        try:
            own = os.dup(STANDARD_ERROR)
        except OSError:  # this process has none
            yield
            return
        reading, writing = os.pipe()
        pump = threading.Thread(
            target=_pass_lines, args=(reading, os.dup(own)), name="w2vspark-jvm-messages", daemon=True
        )
        _flush()
        os.dup2(writing, STANDARD_ERROR)
        os.close(writing)
        pump.start()
        started = False
        try:
            yield
            started = True
        finally:
            _flush()
            os.dup2(own, STANDARD_ERROR)
            os.close(own)
            if not started:
                pump.join(END_SECONDS)


def _flush() -> None:
    if sys.stderr is not None:
        with suppress(OSError, ValueError):  # nobody reads it, or it is closed
            sys.stderr.flush()


def _pass_lines(reading: int, target: int) -> None:
    """Copy all lines except NOISE to a descriptor, until all writers have closed. Then close both descriptors.

    While bars are drawn on a terminal, whole lines appear above them.
    """
    rest, terminal = b"", os.isatty(target)
    while read := os.read(reading, 1 << 16):
        *lines, rest = (rest + read).split(b"\n")
        text = b"".join(line + b"\n" for line in lines if line != NOISE)
        if terminal and bars_are_drawn():
            if text:
                write_above(text.decode(errors="replace"))
            continue
        if not NOISE.startswith(rest):  # a line that is not complete yet, such as a progress bar
            text, rest = text + rest, b""
        _write(target, text)
    _write(target, rest)
    os.close(reading)
    os.close(target)


def _write(target: int, text: bytes) -> None:
    while text:
        try:
            text = text[os.write(target, text) :]
        except BlockingIOError:  # another process made it non-blocking
            select.select([], [target], [], 1.0)
        except OSError:  # nobody reads it any more; the JVM must not wait for us
            return
