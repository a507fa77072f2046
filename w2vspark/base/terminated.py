"""SIGTERM ends a run as Ctrl-C does: the run closes its files and releases its claim, then the process ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """A scheduler, a container engine or `kill` told the process to end."""

    exit_code = 143  # 128 + SIGTERM


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Make SIGTERM raise Terminated in the main thread while the block runs.

    Only the first SIGTERM does: a second one must not interrupt the clean-up. Does nothing in other threads, where
    Python allows no signal handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)  # None: Python did not set it


@contextmanager
def signals_wait() -> Iterator[None]:
    """Delay the first Ctrl-C or SIGTERM until the block ends; a second one acts at once.

    For the start of a JVM: a JVM that has only half started when its parent ends runs on for ever. Does nothing in
    other threads than the main one.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}  # None: Python did not set it
    caught: list[int] = []

    def wait(number: int, _frame: FrameType | None) -> None:
        caught.append(number)
        for each in numbers:
            signal.signal(each, before[each])

    for number in numbers:
        signal.signal(number, wait)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, before[number])
        if caught:
            signal.raise_signal(caught[0])


def _raise(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated
