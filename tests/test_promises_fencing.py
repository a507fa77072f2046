"""Promise 6: two runs never write into each other, and a paused run that wakes harms nothing."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import planted
import pytest
from commands import ACTIVATED, COMMAND, current, digests, options, run_here

from w2vspark.output.claims import ENVIRONMENT

STALE = 8.0  # seconds without renewal after which a run is taken for dead, but in the test with the real limit
ROUNDS = 8
# On the first run's path as sitecustomize.py: it stops itself behind its last check, before current.json is replaced.
PAUSE = """
import os, signal

rename = os.rename

def pausing(source, target):
    if str(target).endswith("/current.json"):
        print("stage=promotion event=start", flush=True)
        os.kill(os.getpid(), signal.SIGSTOP)
    rename(source, target)

os.rename = pausing
"""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("fencing") / "corpus", planted.documents(200, seed=6))


@pytest.fixture(scope="module")
def alone(spark: object, corpus: Path) -> dict[str, str]:
    """The bytes of a run that had the output for itself."""
    run_here(*command(corpus, corpus.parent / "alone")).assert_done()
    return digests(corpus.parent / "alone")


def command(corpus: Path, output: Path) -> list[str]:
    settings = {"training__shards": 2, "training__rounds_per_epoch": 2, "training__epochs": ROUNDS // 2}
    settings |= {"training__dimensions": 20, "input__path": corpus, "output__path": output}
    return ["run", *options(**settings, spark__master="local[2]")]


class Started:
    """A command in a process group of its own, and its log."""

    def __init__(self, words: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("w") as stream:
            self.process = subprocess.Popen(
                [COMMAND, *words], stdout=stream, stderr=stream, env=ACTIVATED | environment,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, moment: str) -> None:
        deadline = time.monotonic() + 300
        while not re.search(moment, self.log()):
            assert time.monotonic() < deadline, self.log()[-4000:]
            assert self.process.poll() is None or re.search(moment, self.log()), self.log()[-4000:]
            time.sleep(0.02)

    def send(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def end(self) -> int:
        return self.process.wait(timeout=300)


@contextmanager
def started(*words: str, log: Path, **environment: str) -> Iterator[Started]:
    run = Started(list(words), log, environment)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.send(signal.SIGKILL)
            run.process.wait()


# The moment in which the first run is paused, and that of the second run in which the first one wakes.
CASES = [
    pytest.param(r"event=end round=3 of", r"stage=rounds event=start", STALE, id="in a round"),
    pytest.param(
        r"stage=version event=start", r"stage=version event=start", STALE, id="while tables are written",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        r"stage=promotion event=start", r"promoted: ", STALE, id="between check and promotion",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        r"event=end round=3 of", r"event=end round=\d of", 60.0, id="the real 60 s",
        marks=[pytest.mark.slow, pytest.mark.timeout(900)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("paused", "woken", "stale"), CASES)
def test_a_paused_run_that_wakes_stops_and_its_successor_publishes(
    paused: str, woken: str, stale: float, alone: dict[str, str], corpus: Path, tmp_path: Path
) -> None:
    output, words = tmp_path / "output", command(corpus, tmp_path / "output")
    (tmp_path / "sitecustomize.py").write_text(PAUSE)
    environment = {} if stale == 60.0 else {ENVIRONMENT: str(stale)}
    path = {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    hooked = path if "promotion" in paused else {}
    with started(*words, log=tmp_path / "first.log", **environment, **hooked) as first:
        first.wait_for(paused)
        first.send(signal.SIGSTOP)
        time.sleep(0.3 * stale)  # who has just renewed its claim is taken for living
        with started(*words, log=tmp_path / "second.log", **environment) as second:
            second.wait_for(woken)
            first.send(signal.SIGCONT)
            assert second.end() == 0, second.log()[-4000:]
            assert first.end() == 4, first.log()[-4000:]
    errors = [line for line in first.log().splitlines() if line.startswith("w2vspark: error:")]
    assert len(errors) == 1 and "this run stops and publishes nothing" in errors[0], first.log()[-4000:]
    assert "Traceback" not in first.log()
    if "round" in paused:  # the rounds of the first run are not thrown away
        assert "event=end round=1 of" not in second.log() and "event=end round=3 of" not in second.log()
    # What the first run had checked is promoted as it is.
    version = "000001" if "promotion" in paused else "000002"
    assert current(output)["version"] == version and digests(output) == alone
    assert run_here(*words).assert_done().out.startswith("nothing to do")
    run_here("clean", str(output)).assert_done()
    found = json.loads(run_here("versions", str(output), "--json").assert_done().out)["versions"]
    assert [row["version"] for row in found if row["state"] == "current"] == [version]
    assert not any("damaged" in row["state"] or "being written" in row["state"] for row in found)


def test_of_two_runs_that_start_at_the_same_moment_one_publishes(
    alone: dict[str, str], corpus: Path, tmp_path: Path
) -> None:
    output, words = tmp_path / "output", command(corpus, tmp_path / "output")
    with (
        started(*words, log=tmp_path / "first.log") as first,
        started(*words, log=tmp_path / "second.log") as second,
    ):
        codes = first.end(), second.end()
    assert sorted(codes) == [0, 4], (first.log()[-2000:], second.log()[-2000:])
    refused = first if codes[0] == 4 else second
    assert "is being written by run" in refused.log() and "Traceback" not in refused.log()
    assert digests(output) == alone
    shutil.rmtree(output)
