"""What all benchmarks share: options, the machine, tables of figures, targets and the verdict."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
CONFIG = PROJECT / "conf" / "word2vec.toml"
PACKAGES = ("pyspark", "numba", "numpy", "pyarrow", "gensim")
QUICK = "--quick: a small try of the script itself. These figures prove nothing, and targets are not judged."
QUICK_FILES = 2

Row = dict[str, Any]


class Skip(Exception):
    """What a benchmark needs is not here; the text says what, and how to get it."""


@dataclass(frozen=True, slots=True)
class Target:
    """A figure that must not be missed. value None: it was not measured, and `note` says why."""

    name: str
    value: float | None
    limit: float
    kind: str  # "at least" or "at most"
    note: str = ""

    @property
    def verdict(self) -> str:
        """met, MISSED or not checked. A figure that is not a number misses."""
        if self.value is None:
            return "not checked"
        met = self.value >= self.limit if self.kind == "at least" else self.value <= self.limit
        return "met" if met else "MISSED"


class Report:
    """Prints tables and targets as they come, and keeps the raw figures for --json."""

    def __init__(self, name: str, quick: bool) -> None:
        self._quick = quick
        self._figures: Row = {"benchmark": name, "quick": quick, "machine": machine()}
        self._tables: dict[str, list[Row]] = {}
        self._targets: list[Target] = []
        print(f"{name}\n" + "  ".join(f"{key} {value}" for key, value in self._figures["machine"].items()))
        if quick:
            print(QUICK)

    def table(self, title: str, rows: Sequence[Row]) -> None:
        """One table; the first row's keys are the columns' heads. None prints as "-"."""
        self._tables[title] = list(rows)
        head = list(rows[0])
        print(f"\n{title}")
        print_table(head, [[shown(row.get(key)) for key in head] for row in rows])

    def at_least(self, name: str, value: float | None, limit: float, note: str = "") -> None:
        """A target that a figure must reach."""
        self._targets.append(Target(name, value, limit, "at least", note))

    def at_most(self, name: str, value: float | None, limit: float, note: str = "") -> None:
        """A target that a figure must not exceed."""
        self._targets.append(Target(name, value, limit, "at most", note))

    def end(self, json_file: str | None) -> int:
        """Print the targets with their verdicts, write the figures; returns the exit code."""
        verdicts = [(target, "not judged" if self._quick else target.verdict) for target in self._targets]
        if self._targets:
            print("\ntargets")
            rows = [
                [target.name, shown(target.value), f"{target.kind} {shown(target.limit)}", verdict, target.note]
                for target, verdict in verdicts
            ]
            print_table(["", "measured", "target", "verdict", ""], rows)
        if json_file:
            targets = [asdict(target) | {"verdict": verdict} for target, verdict in verdicts]
            text = json.dumps(self._figures | {"tables": self._tables, "targets": targets}, indent=2)
            Path(json_file).write_text(text + "\n", encoding="utf-8")
        return 1 if any(verdict == "MISSED" for _, verdict in verdicts) else 0


def run_script(
    name: str,
    about: str | None,
    measure: Callable[[Report, argparse.Namespace], None],
    add_options: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """The frame of every script: options, report, verdict. Returns 0, or 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog=f"python tests/bench/{name}.py", description=about)
    parser.add_argument("--quick", action="store_true", help="a small try that proves nothing")
    parser.add_argument("--json", metavar="FILE", help="write the figures there as well")
    if add_options:
        add_options(parser)
    arguments = parser.parse_args()
    try:
        report = Report(name, arguments.quick)
        measure(report, arguments)
    except Skip as reason:
        print(f"skipped: {reason}")
        return 0
    return report.end(arguments.json)


def shared_data() -> Path:
    """The folder with benchmark data. Raises Skip where there is none."""
    folder = Path(os.environ.get("W2VSPARK_SHARED") or PROJECT.parent / "shared").resolve()
    if not (folder / "data").is_dir():
        raise Skip(f"no benchmark data in {folder}; name its folder in W2VSPARK_SHARED")
    return folder / "data"


def wiki_files(quick: bool) -> list[Path]:
    """The compressed text files of wiki100, or a few of them. Raises Skip where they are missing."""
    files = sorted((shared_data() / "wiki100").glob("*.gz"))
    if not files:
        raise Skip(f"{shared_data() / 'wiki100'} has no .gz file")
    return files[:QUICK_FILES] if quick else files


def twice(files: Sequence[Path], folder: Path) -> list[Path]:
    """The files, and as many links to them in a folder: the same text twice."""
    links = [folder / f"again-{file.name}" for file in files]
    for link, file in zip(links, files, strict=True):
        link.symlink_to(file)
    return [*files, *links]


def need(package: str) -> None:
    """Raises Skip where a peer is not installed."""
    try:
        version(package)
    except PackageNotFoundError:
        raise Skip(f"the peer {package} is not installed; pip install {package}") from None


def machine() -> dict[str, str]:
    """What the figures were measured on, and how busy it was before."""
    import psutil

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    found = {
        "cpu": _cpu_model(),
        "cores": str(cores),
        "memory": f"{psutil.virtual_memory().total / 1e9:.0f} GB",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "-"
    return found


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:  # not Linux
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


def tell(text: str) -> None:
    """What is going on, to standard error: the tables come much later."""
    print(f"… {text}", file=sys.stderr, flush=True)


def shown(value: Any) -> str:
    """A figure as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}" if abs(value) < 10 else f"{value:,.1f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns of text: the first to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())
