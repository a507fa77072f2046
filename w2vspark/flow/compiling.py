"""Compile the kernels while Spark starts and counts words: numba needs some 15 s, once, on one core."""

import io
import os
import pickle
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import Any

from w2vspark.base.log import get_logger, key_values, log_end, log_start
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import code_of, fingerprint, versions_of
from w2vspark.flow.identity import steps_of
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.work import Step, Work
from w2vspark.output.staging import Staging
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.class_archive import cache_folder
from w2vspark.spark.in_process import InProcessSession
from w2vspark.spark.listed_files import TaskRows

# In its own process: the CPU target must be pinned before numba loads, and this interpreter's lock must stay free.
PROGRAM = """
import pickle, sys
from w2vspark.flow.compiling import make_tiny_tables
make_tiny_tables(*pickle.load(sys.stdin.buffer))
"""
MOST_SECONDS = 600.0  # a run waits no longer; then its workers compile
TINY = "tiny"  # the fingerprint of all tables of a tiny corpus


class Compiling:
    """A process that compiles the kernels of some steps, unless that was done on this machine before.

    Whatever goes wrong with it is logged and stops no run: then the workers compile.
    """

    def __init__(self, work: Work, config: Config, steps: tuple[Step, ...]) -> None:
        """Start the process. steps: those of the work whose kernels are needed."""
        self._process: subprocess.Popen[bytes] | None = None
        self._began = time.perf_counter()
        self._opened = ExitStack()
        self._stamp = cache_folder() / f"compiled-{_identity(config, steps)}"
        try:
            if self._stamp.exists() or not sys.executable:
                return
            log_start("kernels")
            # Made here and not by the process, so that it is deleted even if the process is killed.
            folder = self._opened.enter_context(tempfile.TemporaryDirectory(prefix="w2vspark-tiny-"))
            self._errors = self._opened.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
                env={**os.environ, "PYTHONSAFEPATH": "1"},
            )  # fmt: skip
            assert self._process.stdin is not None
            with self._process.stdin as stdin:
                pickle.dump((work, config, [step.table for step in steps], folder), stdin)
        except (OSError, pickle.PicklingError, AttributeError) as error:  # a full disk; a work that cannot be pickled
            _not_compiled(error)
            self.end()

    def is_going_on(self) -> bool:
        """Whether somebody who needs the kernels has to wait."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until the kernels are compiled."""
        if self._process is None:
            return
        try:
            code = self._process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            _not_compiled(f"it took more than {MOST_SECONDS:.0f} s")
            self.end()
            return
        self._process = None
        log_end("kernels", made=code == 0, seconds=round(time.perf_counter() - self._began, 3))
        if code:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").splitlines()
            _not_compiled(lines[-1] if lines else f"exit code {code}")
            return
        try:
            self._stamp.parent.mkdir(parents=True, exist_ok=True)
            self._stamp.touch()
        except OSError as error:  # a cache that cannot be written: the next run looks again
            get_logger().info(key_values(event="compiled_not_noted", why=error))

    def end(self) -> None:
        """End the process, if it is still there, and delete its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        self._opened.close()


def _identity(config: Config, steps: tuple[Step, ...]) -> str:
    """What tells the compiled kernels of some steps from others on this machine."""
    makers = [step.make for step in steps]
    return fingerprint(
        code=code_of(*makers),
        versions=versions_of(*makers),
        targets=[getattr(settings, "cpu_target", "") for settings in config.tables.values()],
        # Where numba keeps them: beside the source, or where the environment says.
        places=[sys.executable, __file__, os.environ.get("NUMBA_CACHE_DIR", "")],
    )


def _not_compiled(why: object) -> None:
    get_logger().warning(key_values(event="kernels_not_compiled_ahead", why=why))


def make_tiny_tables(work: Work, config: Config, tables: list[str], folder: str) -> None:
    """Make some tables of a tiny corpus in this process. This calls every kernel of their steps, and so compiles it.

    tables: of steps that use kernels. The tables that these steps need are made too, and the rows to publish.
    """
    session: Any = InProcessSession()
    run = Run(work, config, folder, Progress(io.StringIO()), Staging(folder, Held()), started_session=session)
    work.tiny(run)
    wanted = set(tables)
    steps = steps_of(work, run.config)[:-1]
    for step in reversed(steps):
        if step.table in wanted and step.table not in run.records:
            wanted.update(step.needs)
    for step in steps:
        if step.table in wanted and step.table not in run.records:
            run.fingerprints[step.table] = TINY
            attempt = run.uris[step.table] = run.staging.begin(step.table, TINY)
            run.add_table(step.table, attempt, step.make(run))
    if all(step.table in run.records for step in steps if step.kernels):  # not with --until
        for table in work.tables(work.resolved(run)):
            if table.of_candidate:
                continue
            rows = table.rows(run)
            if isinstance(rows, TaskRows):
                rows.frame.mapInArrow(rows.make, spark_schema(rows.schema)).collect()


class Held:
    """A claim on a folder that nobody else knows."""

    term = 1

    def check(self) -> None:
        """Nobody else can take it over."""
