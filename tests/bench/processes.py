"""Runs a command and watches its tree of processes: wall and CPU seconds, memory by role, log lines with times."""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import IO

import psutil

LEFTOVER_SECONDS = 30.0  # Spark's JVM outlives the driver's Python for a moment
_PAIR = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*"|\S+)')


@dataclass(slots=True)
class Sample:
    """The tree at one moment, `at` seconds after the start. Roles: driver, java, daemon, worker, other."""

    at: float
    cpu: dict[str, float] = field(default_factory=dict)  # seconds so far, of all processes of a role that ever were
    resident: dict[str, int] = field(default_factory=dict)  # bytes of the biggest process of a role


@dataclass(slots=True)
class Measured:
    """What a command took."""

    wall: float  # seconds until the command itself ended
    cpu: float  # seconds of the whole tree
    samples: list[Sample]
    output: list[tuple[float, str]]  # standard output's lines, with the seconds at which they came
    log: list[tuple[float, str]]  # standard error's

    def peak(self, role: str, since: float = 0.0) -> int:
        """Bytes of the biggest process of a role, from `since` on."""
        return max((sample.resident.get(role, 0) for sample in self.samples if sample.at >= since), default=0)

    def resident(self, role: str, at: float) -> int:
        """Bytes of the biggest process of a role at the last look before a moment."""
        seen = [sample.resident.get(role, 0) for sample in self.samples if sample.at <= at]
        return seen[-1] if seen else 0

    def cpu_between(self, role: str, first: float, last: float) -> float:
        """CPU seconds of a role between two moments, as near as the samples are."""
        before = [sample.cpu.get(role, 0.0) for sample in self.samples if sample.at <= first]
        until = [sample.cpu.get(role, 0.0) for sample in self.samples if sample.at <= last]
        return (until[-1] if until else 0.0) - (before[-1] if before else 0.0)

    def events(self) -> list[tuple[float, dict[str, str]]]:
        """The log lines of the form key=value, with the seconds at which they came."""
        found = [(at, {key: value.strip('"') for key, value in _PAIR.findall(line)}) for at, line in self.log]
        return [(at, pairs) for at, pairs in found if "stage" in pairs]


def run_measured(command: list[str], interval: float = 0.25, environment: dict[str, str] | None = None) -> Measured:
    """Run a command to its end. interval: seconds between two looks at the processes; a look takes some milliseconds.

    Raises RuntimeError with the last lines of its log when it fails. CPU seconds are the larger of what was last seen
    of every process and what the system counted for those that were waited for.
    """
    waited_before = _waited_cpu()
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
        env=os.environ | (environment or {}), start_new_session=True,
    )  # fmt: skip
    output: list[tuple[float, str]] = []
    log: list[tuple[float, str]] = []
    assert process.stdout is not None and process.stderr is not None
    readers = [_start_reader(process.stdout, output, began), _start_reader(process.stderr, log, began)]
    watcher = _Watcher(process.pid)
    try:
        samples = [watcher.look(began)]
        while process.poll() is None:
            time.sleep(interval)
            samples.append(watcher.look(began))
        wall = time.monotonic() - began
        while watcher.alive() and time.monotonic() - began < wall + LEFTOVER_SECONDS:
            time.sleep(interval)
            samples.append(watcher.look(began))
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        raise
    for reader in readers:
        reader.join(timeout=LEFTOVER_SECONDS)
    if process.returncode != 0:
        last = "\n".join(line for _, line in (log or output)[-20:])
        raise RuntimeError(f"exit code {process.returncode} of {' '.join(command)}:\n{last}")
    cpu = max(sum(samples[-1].cpu.values()), _waited_cpu() - waited_before)
    return Measured(wall, cpu, samples, output, log)


def python(*arguments: str) -> list[str]:
    """A command for this environment's Python."""
    return [sys.executable, *arguments]


class _Watcher:
    """Follows a process and all that descend from it, also once they have lost their parent."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._processes: dict[int, psutil.Process] = {}
        self._seen: dict[int, tuple[str, float]] = {}  # role and CPU seconds, when last seen

    def look(self, began: float) -> Sample:
        """A sample of now."""
        sample = Sample(time.monotonic() - began)
        self._find()
        for pid, process in list(self._processes.items()):
            try:
                with process.oneshot():
                    role, times, resident = self._role(process), process.cpu_times(), process.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended; what it used is remembered
                del self._processes[pid]
                continue
            self._seen[pid] = role, times.user + times.system
            sample.resident[role] = max(sample.resident.get(role, 0), resident)
        for role, seconds in self._seen.values():
            sample.cpu[role] = sample.cpu.get(role, 0.0) + seconds
        return sample

    def alive(self) -> bool:
        """Whether any of them ran at the last look."""
        return bool(self._processes)

    def _find(self) -> None:
        if psutil.pid_exists(self._root):
            parents = [psutil.Process(self._root)]
        else:  # what it started has a new parent: follow what is known
            parents = list(self._processes.values())
        for parent in parents:
            try:
                for process in (parent, *parent.children(recursive=True)):
                    self._processes.setdefault(process.pid, process)
            except psutil.NoSuchProcess:
                continue

    def _role(self, process: psutil.Process) -> str:
        if process.pid == self._root:
            return "driver"
        if _is_spark_python(process):
            # The daemon is started by the JVM and forks the workers, which keep its command line.
            parent = process.parent()
            return "worker" if parent is not None and _is_spark_python(parent) else "daemon"
        return "java" if process.name() == "java" else "other"


def _is_spark_python(process: psutil.Process) -> bool:
    return any(word in ("pyspark.daemon", "pyspark.worker") for word in process.cmdline())


def _waited_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _start_reader(stream: IO[str], lines: list[tuple[float, str]], began: float) -> threading.Thread:
    def read() -> None:
        for line in stream:
            lines.append((time.monotonic() - began, line.rstrip("\n")))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    return reader
