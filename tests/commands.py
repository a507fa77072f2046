"""The real command in a process of its own, or in this one (where it finds the tests' Spark session); and what it
published, read with pyarrow alone."""

import hashlib
import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from w2vspark.cli.command_line import main

PYTHON = sys.executable
# As in an activated environment: spark-submit looks for python and Spark on the PATH.
ACTIVATED = {**os.environ, "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])}
COMMAND = str(Path(sys.executable).with_name("w2vspark"))
SEVERAL_RUNS = """
import json, sys
from w2vspark.cli.command_line import main
sys.exit(max([main(run) for run in json.loads(sys.argv[1])]))
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    def assert_done(self) -> "Outcome":
        """The outcome itself, once its exit code is 0."""
        assert self.code == 0, self.err[-6000:]
        return self

    def assert_one_error(self, code: int, *parts: str) -> None:
        """It ended with the code, one line of error that holds the parts, and no traceback."""
        errors = [line for line in self.err.splitlines() if line.startswith("w2vspark: error:")]
        assert self.code == code, self.err[-6000:]
        assert len(errors) == 1, self.err[-6000:]
        assert "Traceback" not in self.err + self.out, self.err[-6000:]
        for part in parts:
            assert part in errors[0], errors[0]


def options(**settings: object) -> list[str]:
    """input__path="x" -> ["--set", "input.path=x"]; lists as TOML writes them."""
    words = []
    for key, value in settings.items():
        text = json.dumps(value) if isinstance(value, list | bool) else str(value)
        words += ["--set", f"{key.replace('__', '.')}={text}"]
    return words


def run_here(*arguments: str) -> Outcome:
    """`w2vspark …` in this process. Needs the fixture `spark` where the command gets as far as Spark."""
    logger = logging.getLogger("w2vspark")
    before = logger.handlers, logger.level, logger.propagate
    out, err = io.StringIO(), io.StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
    return Outcome(code, out.getvalue(), err.getvalue())


def run_command(
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    program: Sequence[str] = (),
    folder: Path | None = None,
) -> Outcome:
    """The installed command (or another program) in a process of its own."""
    done = subprocess.run(
        [*(program or [COMMAND]), *arguments], capture_output=True, text=True, timeout=500, check=False,
        env={**ACTIVATED, **(environment or {})}, stdin=subprocess.DEVNULL, cwd=folder,
    )  # fmt: skip
    return Outcome(done.returncode, done.stdout, done.stderr)


def run_several(runs: Sequence[Sequence[str]], environment: Mapping[str, str] | None = None) -> Outcome:
    """Several commands one after another in one new process, so that they share its Spark session."""
    return run_command(
        json.dumps([list(run) for run in runs]), environment=environment, program=[PYTHON, "-c", SEVERAL_RUNS]
    )


@contextmanager
def start_several(
    runs: Sequence[Sequence[str]], log: Path
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[[], str]]]:
    """As run_several, but gives the running process, and a function that reads its log; it ends with the block."""
    with log.open("w") as stream:
        process = subprocess.Popen(
            [PYTHON, "-c", SEVERAL_RUNS, json.dumps([list(run) for run in runs])], stdout=stream, stderr=stream,
            env=ACTIVATED, stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        yield process, log.read_text
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def stack_lines(said: str) -> list[str]:
    """The lines of stacks, Java's or Python's, that a command wrote."""
    return [line for line in said.splitlines() if re.match(r"\s+at [\w$.]+[./]|Traceback |  File \"|Caused by: ", line)]


def wait_for_all(processes: Sequence[psutil.Process]) -> None:
    """Waits for what a command started: a JVM ends, and may still write, after the command."""
    assert psutil.wait_procs(processes, timeout=60)[1] == []


@contextmanager
def held(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process and all below it stand still: their files are what a SIGKILL at this moment would leave."""
    first = psutil.Process(process.pid)
    family: list[psutil.Process] = []
    while below := [each for each in [first, *first.children(recursive=True)] if each not in family]:
        for each in below:
            with suppress(psutil.NoSuchProcess):
                each.suspend()
        family += below
    try:
        yield
    finally:
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.resume()


NOT_TRAINED = ("vocabulary", "metrics", "scores", "manifest.json", "artefacts")


def current(output: Path) -> dict[str, object]:
    """What current.json says."""
    found: dict[str, object] = json.loads((output / "current.json").read_text())
    return found


def version_folder(output: Path) -> Path:
    """Where current.json points."""
    return output / str(current(output)["path"])


def manifest(output: Path) -> dict[str, dict[str, object]]:
    """The current version's manifest."""
    found: dict[str, dict[str, object]] = json.loads((version_folder(output) / "manifest.json").read_text())
    return found


def digests(output: Path) -> dict[str, str]:
    """A hash of each published table that training made: all its rows, in the order of what names them."""
    folder = version_folder(output)
    made = sorted(entry.name for entry in folder.iterdir() if entry.name not in NOT_TRAINED)
    return {table: _digest(folder / table) for table in made}


def _digest(folder: Path) -> str:
    table = pq.read_table(folder)
    names = [field.name for field in table.schema if not pa.types.is_list(field.type) and field.name != "score"]
    rows = table.sort_by([(name, "ascending") for name in names])
    digest = hashlib.sha256()
    for name in rows.schema.names:
        column = rows[name].combine_chunks()
        if pa.types.is_list(column.type):
            digest.update(np.diff(column.offsets.to_numpy()).tobytes() + column.flatten().to_numpy().tobytes())
        else:
            digest.update(json.dumps(column.to_pylist()).encode())
    return digest.hexdigest()
