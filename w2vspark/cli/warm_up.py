"""`w2vspark warm-up`: compile the kernels and save Spark's loaded classes, so that local runs start fast."""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from w2vspark.base.errors import EnvironmentFailure
from w2vspark.cli.measuring import COLD, MEASURED, PROBLEM, TEXT
from w2vspark.flow.costs import START
from w2vspark.flow.rates import rates_path, read_rates, write_rates
from w2vspark.methods import METHODS
from w2vspark.spark.class_archive import archive_path, writing_options
from w2vspark.spark.session import JAVA_OPTIONS, is_hotspot, require_java

LINES, WORDS = 2000, 211
# All runs are in one process, so that Spark starts once. The first failure ends it. Then the machine is measured.
RUNS = """
import json, sys
from w2vspark.cli.command_line import main
from w2vspark.cli.measuring import measure
runs, folder = json.loads(sys.argv[1])
failed = next(filter(None, map(main, runs)), 0)
if folder and not failed:
    measure(folder)
sys.exit(failed)
"""
SPARK_STARTED = re.compile(r" stage=spark event=end .*seconds=([\d.]+)$", re.MULTILINE)
TIMEOUT_SECONDS = 600


def warm_up() -> tuple[str, str]:
    """Train on an artificial text in another process, whose JVM saves its classes.

    Returns the path of the archive with these classes ("" = this JVM makes none), and a text for the user.

    It keeps an archive of the classes that is already there, and rates that were measured on this machine. Delete a
    file to have a new one made.

    Raises EnvironmentFailure if the training fails, or if the JVM does not save its classes.
    """
    java_version = require_java()
    archive = archive_path(java_version)
    new = archive.with_suffix(f".{os.getpid()}")
    can_archive = is_hotspot(java_version)
    java_options = " ".join(writing_options(new)) if can_archive and not archive.exists() else ""
    try:
        archive.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFailure(
            f"{archive.parent} cannot be made ({error}); set XDG_CACHE_HOME to a folder that can be written"
        ) from error
    try:
        with tempfile.TemporaryDirectory(prefix="w2vspark-warm-up-") as folder:
            why_not = _train(Path(folder), java_options, measures=not _has_rates())
        if java_options:
            if not new.exists():
                raise EnvironmentFailure(
                    f"the kernels are compiled, but the JVM did not write {new}; it needs 200 MB of space, and a Java "
                    "with its default class-data archive"
                )
            new.replace(archive)
    finally:
        new.unlink(missing_ok=True)
    kept = f"Spark's classes are in {archive}, {archive.stat().st_size / 1e6:.0f} MB\n" if can_archive else ""
    rates = f"the rates of this machine, for --dry-run --cluster, are in {rates_path()}\n"
    measured = f"this machine was not measured, so --dry-run --cluster cannot plan: {why_not}\n" if why_not else rates
    return str(archive) if can_archive else "", f"the kernels are compiled\n{kept}{measured}"


def _has_rates() -> bool:
    """Whether this machine was measured by these versions."""
    try:
        read_rates()
    except EnvironmentFailure:
        return False
    return True


def _train(folder: Path, java_options: str, measures: bool) -> str:
    """Train, and measure this machine; returns why that could not be done, or "".

    A warm-up on a busy machine has still compiled the kernels.
    """
    text = folder / TEXT
    text.write_text("".join(f"{' '.join(f'w{line * at % WORDS}' for at in range(1, 50))}\n" for line in range(LINES)))
    always = {
        "input.path": text,
        "output.path": folder / "output",  # the same for all, so that later runs use the tables of earlier ones
        "training.dimensions": 10,
        "spark.master": "local[1]",  # two slots would compile the same kernels twice
        "spark.options": f'{{"{JAVA_OPTIONS}" = {json.dumps(java_options)}}}',
    }
    runs = [
        [
            "run",
            *(
                word
                for key, value in (always | method.warm_up | {"training.method": method.name}).items()
                for word in ("--set", f"{key}={value}")
            ),
        ]
        for method in METHODS.values()
        if method.warm_up is not None
    ]
    command = [sys.executable, "-c", RUNS, json.dumps([runs, str(folder) if measures else ""])]
    # The JVM outlives the command, and holds its output open until the archive is written.
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("SPARK_REMOTE", "PYSPARK_"))}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False, cwd=folder, env=ours
        )
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(
            f"the warm-up did not end within {TIMEOUT_SECONDS} s; try again on an idle machine"
        ) from error
    if done.returncode:
        raise EnvironmentFailure(f"the training of the warm-up failed:\n{done.stderr}")
    if not measures:
        return ""
    start = SPARK_STARTED.search(done.stderr)
    assert start is not None  # the first run has logged it
    rates = json.loads((folder / MEASURED).read_text())
    if PROBLEM in rates:
        return str(rates[PROBLEM])
    write_rates(rates | {START: float(start[1]) + rates.pop(COLD)})
    return ""
