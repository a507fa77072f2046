"""SIGTERM: raised once in the main thread, like Ctrl-C."""

import os
import signal
import socket
import threading
import time

import pytest

from w2vspark.base.terminated import Terminated, signals_wait, sigterm_raises


def test_sigterm_raises_within_the_block_and_is_as_before_behind_it() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(Terminated) as caught, sigterm_raises():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert isinstance(caught.value, KeyboardInterrupt) and caught.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_second_sigterm_does_not_disturb_the_clearing_up() -> None:
    cleared = []
    with pytest.raises(Terminated), sigterm_raises():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
            cleared.append(True)
    assert cleared


def test_a_process_that_waits_for_an_answer_hears_it() -> None:
    ours, theirs = socket.socketpair()
    threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGTERM]).start()
    began = time.monotonic()
    with pytest.raises(Terminated), sigterm_raises(), ours, theirs:
        ours.recv(1)  # as py4j waits for the JVM
    assert time.monotonic() - began < 10


def test_other_threads_install_nothing() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), []

    def run() -> None:
        with sigterm_raises():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_end_of_a_block_and_a_second_one_does_not(number: signal.Signals) -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), sigterm_raises():
        with signals_wait():
            signal.raise_signal(number)
            done.append(1)
        done.append(2)
    assert done == [1]
    with pytest.raises(KeyboardInterrupt), sigterm_raises(), signals_wait():
        signal.raise_signal(number)
        signal.raise_signal(number)
        done.append(3)
    assert done == [1]
    with signals_wait():
        done.append(4)
    assert done == [1, 4] and signal.getsignal(signal.SIGINT) is signal.default_int_handler
