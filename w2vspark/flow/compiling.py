"""Compile the kernels while Spark starts and counts words: numba needs some 15 s, once, on one core."""

import io
import os
import pickle
import subprocess
import sys
import tempfile
import time
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
    """A process that compiles the kernels of some steps, unless this machine has compiled them before."""

    def __init__(self, work: Work, config: Config, steps: tuple[Step, ...]) -> None:
        """Start the process. steps: the steps of the work whose kernels are needed."""
        targets = [getattr(settings, "cpu_target", "") for settings in config.tables.values()]
        makers = [step.make for step in steps]
        made_of = {"code": code_of(*makers), "versions": versions_of(*makers), "targets": targets}
        self._stamp = cache_folder() / f"compiled-{fingerprint(python=sys.executable, **made_of)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._errors = tempfile.TemporaryFile()
        self._began = time.perf_counter()
        if self._stamp.exists():
            return
        log_start("kernels")
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            pickle.dump((work, config, [step.table for step in steps]), stdin)

    def is_going_on(self) -> bool:
        """Whether the process is still compiling."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until the kernels are compiled. If that fails, the workers compile them, or say why they cannot."""
        if self._process is None:
            return
        try:
            code = self._process.wait(MOST_SECONDS)
        except subprocess.TimeoutExpired:
            self.end()
            return
        self._process = None
        log_end("kernels", made=code == 0, seconds=round(time.perf_counter() - self._began, 3))
        if code == 0:
            self._stamp.parent.mkdir(parents=True, exist_ok=True)
            self._stamp.touch()
        else:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").splitlines()
            get_logger().warning(key_values(event="kernels_not_compiled_ahead", why=lines[-1] if lines else code))

    def end(self) -> None:
        """End the process, if it is still running."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def make_tiny_tables(work: Work, config: Config, tables: list[str]) -> None:
    """Make some tables of a tiny corpus in this process. This calls every kernel of their steps, and so compiles it.

    tables: of steps that use kernels. The tables that these steps need are made too, and the rows to publish.
    """
    with tempfile.TemporaryDirectory(prefix="w2vspark-tiny-") as folder:
        session: Any = InProcessSession()
        run = Run(work, config, folder, Progress(io.StringIO()), Staging(folder, _Held()), started_session=session)
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
                run.is_there(step.table, attempt, step.make(run))
        if all(step.table in run.records for step in steps if step.kernels):  # not with --until
            for table in work.tables(work.resolved(run)):
                rows = table.rows(run)
                if isinstance(rows, TaskRows):
                    rows.frame.mapInArrow(rows.make, spark_schema(rows.schema)).collect()


class _Held:
    """A claim on a folder that nobody else knows."""

    term = 1

    def check(self) -> None:
        """Nobody else can take it over."""
