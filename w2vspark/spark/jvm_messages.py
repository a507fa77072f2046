"""The messages of a local run's JVM on standard error, without those that say nothing to the user."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Java's launcher prints it, since Spark asks for this module; no logger and no option of Java's leaves it out.
NOISE = b"WARNING: Using incubator modules: jdk.incubator.vector"
STANDARD_ERROR = 2
END_SECONDS = 5.0  # for the last lines of a JVM that did not start


@contextmanager
def noise_filtered() -> Iterator[None]:
    """Give a JVM that is started in this block a standard error that leaves out NOISE, for as long as it lives.

    Other lines pass as they are. A failure in the block is raised after the JVM's last lines were written.
    """
    try:
        own = os.dup(STANDARD_ERROR)
    except OSError:  # this process has none
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
    """Copy all but NOISE to a descriptor, until nobody writes any more. Closes both descriptors."""
    rest = b""
    while read := os.read(reading, 1 << 16):
        *lines, rest = (rest + read).split(b"\n")
        text = b"".join(line + b"\n" for line in lines if line != NOISE)
        if not NOISE.startswith(rest):  # a line that is not whole yet, as a progress bar is
            text, rest = text + rest, b""
        _write(target, text)
    _write(target, rest)
    os.close(reading)
    os.close(target)


def _write(target: int, text: bytes) -> None:
    while text:
        try:
            text = text[os.write(target, text) :]
        except OSError:  # nobody reads it any more; the JVM must not wait for us all the same
            return
