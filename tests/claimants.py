"""Processes that hold claims, for tests of claims: real ones, which can be stopped, resumed and killed."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output.claims import Claim

# Argument 1: the output; 2: seconds until stale; 3: an offset of the wall clock; 4: a boot id, or "" for the real one.
# At the line "start" it claims and says "held TERM RUN", or the error. Then it obeys lines: check; promote TEXT; pause
# TEXT, which promotes, but says "checked" and waits for a line between the check and the write; and end.
SCRIPT = """
import sys, time
output, stale, offset, boot = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
real = time.time
time.time = lambda: real() + offset
from w2vspark.output import claim_holder
from w2vspark.output.claims import Claim
from w2vspark.base.errors import W2VSparkError
if boot:
    claim_holder.boot_id = lambda: boot

def pause(claim, text):
    check = claim.check
    def check_and_wait():
        check()
        print("checked", flush=True)
        sys.stdin.readline()
    claim.check = check_and_wait
    claim.replace_current(text)

DO = {"check": lambda claim, text: claim.check(), "promote": Claim.replace_current, "pause": pause}
def obey(claim):
    for line in sys.stdin:
        word, _, text = line.strip().partition(" ")
        if word == "end":
            return
        try:
            DO[word](claim, text)
            print("done", flush=True)
        except W2VSparkError as error:
            print(f"{type(error).__name__}: {error}", flush=True)

print("ready", flush=True)
while sys.stdin.readline():
    try:
        with Claim(output, stale_seconds=stale) as claim:
            print("held", claim.term, claim.run_id, flush=True)
            obey(claim)
        print("released", flush=True)
    except W2VSparkError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
"""


STALE = 2.0  # seconds until a claim of the tests is stale; renewed six times in that


class Claimant:
    """A process that claims an output."""

    def __init__(
        self, output: str, stale: float = 60, *, offset: float = 0, boot: str = "", prefix: tuple[str, ...] = ()
    ) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SCRIPT, output, str(stale), str(offset), boot],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        assert self.hears() == "ready"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        self._process.communicate()

    @property
    def pid(self) -> int:
        return self._process.pid

    def starts(self) -> Self:
        """Lets it claim; `hears` says how that ended."""
        return self.told("start")

    def holds(self) -> int:
        """Lets it claim, which must succeed; its term."""
        word, _, rest = self.starts().hears().partition(" ")
        assert word == "held", rest
        return int(rest.split()[0])

    def told(self, line: str) -> Self:
        assert self._process.stdin
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self

    def hears(self) -> str:
        """What it says next; the empty text once it has ended."""
        assert self._process.stdout
        limit = threading.Timer(150, self.kill)  # a test that waits for nothing should fail
        limit.start()
        try:
            return self._process.stdout.readline().strip()
        finally:
            limit.cancel()

    def does(self, line: str) -> str:
        return self.told(line).hears()

    def stops(self) -> None:
        os.killpg(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def resumes(self) -> None:
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """As a lack of memory ends it. It stays a zombie."""
        if self._process.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)

    def ends(self) -> None:
        assert self.does("end") == "released"


@contextmanager
def held(output: str, stale: float = 60, **more: object) -> Iterator[Claimant]:
    """A process that holds the output."""
    with Claimant(output, stale, **more) as claimant:  # type: ignore[arg-type]
        claimant.holds()
        yield claimant


def claims(output: str) -> list[str]:
    """Names of the claims that stand."""
    return [name for name in storage.list_names(storage.join(output, "claims")) if name.endswith(".json")]


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return
        time.sleep(0.01)
    raise AssertionError("did not happen")


def current(output: str) -> str:
    """The text of current.json, without the spaces that fill it up in a store."""
    return storage.read_text(storage.join(output, "current.json")).rstrip()


def claim_path(output: str, number: int) -> Path:
    return Path(output, "claims", f"{number:06}.json")


def version(number: int, note: str = "") -> str:
    return json.dumps({"version": f"{number:06}", "note": note})


def said(output: str, number: int) -> dict[str, Any]:
    found = json.loads(storage.read_bytes(storage.join(output, "claims", f"{number:06}.json")))
    assert isinstance(found, dict)
    return found


def refused(output: str, **settings: Any) -> str:
    with pytest.raises(OutputError) as caught, Claim(output, **settings):
        pass
    return str(caught.value)


def pause(claimant: Claimant, stale: float = STALE) -> None:
    """Stops it, and waits until its last renewal tells no more that it lives."""
    claimant.stops()
    time.sleep(stale / 3)
