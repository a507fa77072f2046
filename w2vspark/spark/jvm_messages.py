"""Remove useless messages from what a local run's JVM writes to standard error."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Java's launcher prints it, because Spark asks for this module. No logger and no option of Java can turn it off.
NOISE = b"WARNING: Using incubator modules: jdk.incubator.vector"
STANDARD_ERROR = 2
END_SECONDS = 5.0  # for the last lines of a JVM that did not start


@contextmanager
def noise_filtered() -> Iterator[None]:
    """Leave out NOISE from the standard error of a JVM that starts in this block, as long as the JVM lives.

    Other lines stay as they are. An error in the block is raised after the JVM's last lines are written.
    """
    try:
        own = os.dup(STANDARD_ERROR)
    except OSError:  # this process has no standard error
        yield
        return
    reading, writing = os.pipe()
    pump = threading.Thread(target=_pass_lines, args=(reading, own), name="w2vspark-jvm-messages", daemon=True)
    sys.stderr.flush()
    os.dup2(writing, STANDARD_ERROR)
    os.close(writing)
    pump.start()
    started = False
    try:
        yield
        started = True
    finally:
        sys.stderr.flush()
        os.dup2(own, STANDARD_ERROR)
        if not started:
            pump.join(END_SECONDS)


def _pass_lines(reading: int, target: int) -> None:
    """Copy all lines except NOISE to a descriptor, until all writers have closed. Then close both descriptors."""
    rest = b""
    while read := os.read(reading, 1 << 16):
        *lines, rest = (rest + read).split(b"\n")
        text = b"".join(line + b"\n" for line in lines if line != NOISE)
        if not NOISE.startswith(rest):  # an unfinished line, for example a progress bar
            text, rest = text + rest, b""
        _write(target, text)
    _write(target, rest)
    os.close(reading)
    os.close(target)


def _write(target: int, text: bytes) -> None:
    while text:
        try:
            text = text[os.write(target, text) :]
        except OSError:  # nobody reads it any more, but the JVM must not wait for us
            return
