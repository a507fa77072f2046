"""The lock: one holder, taken over from the dead, its loss noticed."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs
import pytest

from w2vspark.base import lock as lock_module
from w2vspark.base import storage, uris
from w2vspark.base.errors import EnvironmentFailure, OutputError
from w2vspark.base.lock import OutputLock


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    """A process of its own, which talks to us through its pipes."""
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


HOLD = """
    import sys, time
    from w2vspark.base.lock import OutputLock
    with OutputLock(sys.argv[1]):
        print("held", flush=True)
        sys.stdin.readline()
"""
RACE = """
    import sys
    from w2vspark.base.errors import OutputError
    from w2vspark.base.lock import OutputLock
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with OutputLock(sys.argv[1], settle_seconds=0.5) as lock:
            lock.check()
            print("won", flush=True)
            sys.stdin.readline()
    except OutputError as error:
        print("lost", flush=True)
"""


def holder(output: Path) -> dict[str, Any]:
    found = json.loads((output / "lock.json").read_text())
    assert isinstance(found, dict)
    return found


def change(output: Path, **values: Any) -> None:
    storage.write_text(str(output / "lock.json"), json.dumps(holder(output) | values))


def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def test_a_lock_is_held_renewed_and_released(tmp_path: Path) -> None:
    with OutputLock(str(tmp_path / "new"), renew_seconds=0.01) as lock:
        first = holder(tmp_path / "new")
        assert (first["run_id"], first["pid"]) == (lock.run_id, os.getpid())
        eventually(lambda: holder(tmp_path / "new")["renewed"] > first["renewed"])
        assert holder(tmp_path / "new")["started"] == first["started"]
        lock.check()
    assert os.listdir(tmp_path / "new") == []


def test_a_lock_is_released_when_the_run_fails(tmp_path: Path) -> None:
    with pytest.raises(KeyError), OutputLock(str(tmp_path)):
        raise KeyError("training")
    assert os.listdir(tmp_path) == []


def test_a_second_run_is_told_who_holds_the_output(tmp_path: Path) -> None:
    with OutputLock(str(tmp_path)) as lock:
        with pytest.raises(OutputError) as caught, OutputLock(str(tmp_path)):
            pass
        for word in (str(tmp_path), lock.run_id, f"process {os.getpid()}", " s ago", "wait until it has ended"):
            assert word in str(caught.value)
        lock.check()


@pytest.mark.parametrize("before", ["nothing", "a stale lock"])
def test_of_two_processes_at_the_same_moment_exactly_one_gets_the_lock(tmp_path: Path, before: str) -> None:
    if before == "a stale lock":
        with OutputLock(str(tmp_path)):
            stale = (tmp_path / "lock.json").read_text()
        (tmp_path / "lock.json").write_text(stale)
        change(tmp_path, host="elsewhere", renewed=time.time() - 61)
    racers = [start(RACE, str(tmp_path)) for _ in range(2)]
    assert [racer.stdout.readline() for racer in racers if racer.stdout] == ["ready\n"] * 2
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    assert sorted(racer.stdout.readline() for racer in racers if racer.stdout) == ["lost\n", "won\n"]
    for racer in racers:
        racer.communicate("end\n")
    assert os.listdir(tmp_path) == []


def test_a_killed_process_loses_its_lock_at_once(tmp_path: Path) -> None:
    process = start(HOLD, str(tmp_path))
    assert process.stdout
    assert process.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match=f"process {process.pid}"), OutputLock(str(tmp_path)):
        pass
    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, but not reaped: a zombie still has its id
    assert holder(tmp_path)["pid"] == process.pid
    with OutputLock(str(tmp_path), settle_seconds=0) as lock:
        assert holder(tmp_path)["run_id"] == lock.run_id
    process.communicate()


def test_another_process_with_the_dead_ones_id_is_not_taken_for_it(tmp_path: Path) -> None:
    with OutputLock(str(tmp_path), renew_seconds=1000):
        if not holder(tmp_path)["process_start"]:
            pytest.skip("this system does not tell when a process started")
        change(tmp_path, run_id="other", process_start="1")
        with OutputLock(str(tmp_path), settle_seconds=0) as lock:
            lock.check()


def test_without_a_start_time_a_living_id_counts_as_living_and_a_dead_one_as_dead(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    with OutputLock(str(tmp_path), renew_seconds=1000):
        change(tmp_path, run_id="other", process_start="")
        with pytest.raises(OutputError, match="run other"), OutputLock(str(tmp_path)):
            pass
        change(tmp_path, pid=child.pid)
        with OutputLock(str(tmp_path), settle_seconds=0) as lock:
            lock.check()


@pytest.mark.parametrize("key", ["host", "machine"])
def test_a_lock_from_elsewhere_is_taken_over_only_when_it_is_stale(tmp_path: Path, key: str) -> None:
    with OutputLock(str(tmp_path), renew_seconds=1000):
        change(tmp_path, **{key: "elsewhere"}, run_id="other", pid=2**22 + 1, renewed=time.time() - 50)
        with (
            pytest.raises(OutputError, match=r"renewed 5\d s ago.* run this again 60 s after"),
            OutputLock(str(tmp_path)),
        ):
            pass
        change(tmp_path, renewed=time.time() + 1000)
        with pytest.raises(OutputError, match="renewed 0 s ago"), OutputLock(str(tmp_path)):
            pass
        change(tmp_path, renewed=time.time() - 61)
        with OutputLock(str(tmp_path), settle_seconds=0) as lock:
            lock.check()


def test_a_lock_that_was_taken_over_or_deleted_is_noticed_for_good(tmp_path: Path) -> None:
    with OutputLock(str(tmp_path), renew_seconds=1000) as lock:
        change(tmp_path, run_id="other", host="elsewhere")
        with pytest.raises(OutputError, match=r"run other \(host elsewhere.*has taken over.*publishes nothing"):
            lock.check()
    assert holder(tmp_path)["run_id"] == "other"
    (tmp_path / "lock.json").unlink()
    with OutputLock(str(tmp_path), renew_seconds=0.01) as lock:
        ours = (tmp_path / "lock.json").read_text()
        (tmp_path / "lock.json").unlink()
        eventually(lambda: not lock._thread.is_alive())
        (tmp_path / "lock.json").write_text(ours)
        with pytest.raises(OutputError, match="was deleted"):
            lock.check()


def test_a_renewal_never_overwrites_the_lock_of_the_run_that_took_over(tmp_path: Path) -> None:
    with OutputLock(str(tmp_path), renew_seconds=0.01) as lock:
        text = (tmp_path / "lock.json").read_text().replace(lock.run_id, "other")
        eventually(lambda: replaced_and_stopped(tmp_path, lock, text))
    assert (tmp_path / "lock.json").read_text() == text


def replaced_and_stopped(output: Path, lock: OutputLock, text: str) -> bool:
    storage.write_text(str(output / "lock.json"), text)
    return not lock._thread.is_alive()


def test_a_failed_renewal_is_raised_at_the_next_check_until_one_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = threading.Event()
    failed = threading.Event()
    really_write = storage.write_text

    def write(uri: str, text: str) -> None:
        if broken.is_set():
            failed.set()
            raise EnvironmentFailure("the store is away")
        really_write(uri, text)

    monkeypatch.setattr(lock_module.storage, "write_text", write)
    with OutputLock(str(tmp_path), renew_seconds=0.01) as lock:
        broken.set()
        assert failed.wait(10)
        eventually(lambda: lock._failure is not None)
        with pytest.raises(OutputError, match=r"could not be renewed.*the store is away"):
            lock.check()
        broken.clear()
        eventually(lambda: lock._failure is None)
        lock.check()


def test_a_remote_lock_is_written_and_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = pafs.SubTreeFileSystem(str(tmp_path), pafs.LocalFileSystem())
    monkeypatch.setattr(uris, "_remote", lambda base: (remote, "lake"))
    with OutputLock("s3a://lake/out", settle_seconds=0) as lock:
        assert holder(tmp_path / "lake" / "out")["run_id"] == lock.run_id
        with pytest.raises(OutputError, match=r"s3a://lake/out: is being written"), OutputLock("s3a://lake/out"):
            pass
    assert os.listdir(tmp_path / "lake" / "out") == []

    def overtaken(seconds: float) -> None:
        change(tmp_path / "lake" / "out", run_id="other")

    monkeypatch.setattr(lock_module.time, "sleep", overtaken)
    with pytest.raises(OutputError, match="at the same moment"), OutputLock("s3a://lake/out"):
        pass
    assert holder(tmp_path / "lake" / "out")["run_id"] == "other"


@pytest.mark.parametrize("text", ["", "{}", "[1]", "{"])
def test_a_lock_that_cannot_be_read_is_an_error_that_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "lock.json").write_text(text)
    with pytest.raises(OutputError, match=r"lock\.json: is not a lock of w2vspark"), OutputLock(str(tmp_path)):
        pass
