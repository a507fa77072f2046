"""SIGTERM ends a run as Ctrl-C does: what is open is closed, the claim is released, then the process ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(KeyboardInterrupt):
    """The process was told to end: by a scheduler, a container's engine, or kill."""

    exit_code = 143  # 128 + SIGTERM


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within the block, SIGTERM raises Terminated in the main thread, once: a second one must not stop the clearing up.

    Does nothing in other threads, where Python allows no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)  # None: not set by Python


@contextmanager
def signals_wait() -> Iterator[None]:
    """Within the block, the first Ctrl-C or SIGTERM waits until its end; a second one does not.

    For the start of a JVM: one that is half started when its parent ends is left behind for good. Does nothing in other
    threads.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) or signal.SIG_DFL for number in numbers}  # None: not set by Python
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
