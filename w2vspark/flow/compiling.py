"""Kernels that are compiled while Spark starts and counts: numba takes some 20 s once, on one core."""

import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

from w2vspark.base.log import get_logger, key_values, log_end
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import code_of, fingerprint, versions_of
from w2vspark.spark.class_archive import cache_folder

# The process gets a function and its argument: numba must find its CPU target pinned, and compiling must not wait for
# this process's lock.
PROGRAM = """
import pickle, sys
functions, config = pickle.load(sys.stdin.buffer)
for function in functions:
    function(config)
"""
MOST_SECONDS = 600.0  # that a run waits; then its workers compile


class Compiling:
    """A process that compiles what a run needs, unless that was done on this machine before."""

    def __init__(self, functions: tuple[Callable[[Config], None], ...], config: Config) -> None:
        """Start the process. functions: each of a module; they compile by calling kernels."""
        targets = [getattr(settings, "cpu_target", "") for settings in config.tables.values()]
        made_of = {"code": code_of(*functions), "versions": versions_of(*functions), "targets": targets}
        self._stamp = cache_folder() / f"compiled-{fingerprint(python=sys.executable, **made_of)}"
        self._errors = None if self._stamp.exists() else tempfile.TemporaryFile()
        self._process = None
        self._began = time.perf_counter()
        if self._errors is None:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=self._errors,
            env={**os.environ, "PYTHONSAFEPATH": "1"},
        )  # fmt: skip
        assert self._process.stdin is not None
        with self._process.stdin as stdin:
            pickle.dump((functions, config), stdin)

    def is_going_on(self) -> bool:
        """Whether somebody who needs the kernels has to wait."""
        return self._process is not None and self._process.poll() is None

    def wait(self) -> None:
        """Wait until the kernels are compiled. Where that fails, the workers compile them, and tell why they cannot."""
        if self._process is None or self._errors is None:
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
        """End the process, if it is still there."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
