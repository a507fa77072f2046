"""Runs `w2vspark run` as a user does, and reads what it logged and published."""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import CONFIG, tell
from processes import Measured, python, run_measured

from w2vspark import storage
from w2vspark.output import publish

PREPARING = ("word_counts", "vocabulary", "encoded", "bucket_counts")


def run_w2vspark(
    files: Sequence[Path],
    output: Path,
    *settings: str,
    master: str = "local[2]",
    interval: float = 0.25,
    config: Path = CONFIG,
) -> Measured:
    """One run on local[2]; settings: texts as --set takes them."""
    paths = json.dumps([str(file) for file in files])
    chosen = [f"input.path={paths}", f"output.path={output}", f"spark.master={master}", *settings]
    tell(f"w2vspark run, {len(files)} files {' '.join(settings)}")
    options = [part for setting in chosen for part in ("--set", setting)]
    return run_measured(python("-m", "w2vspark.cli", "run", str(config), *options), interval)


def warm_up() -> None:
    """`w2vspark warm-up`, which a user calls once: compiled kernels, and Spark's loaded classes."""
    tell("w2vspark warm-up")
    run_measured(python("-m", "w2vspark.cli", "warm-up"))


def stage_seconds(run: Measured) -> dict[str, float]:
    """Seconds of every stage that the run made, by its log; "spark" is Spark's start."""
    found = {}
    for _, event in run.events():
        if event["stage"] not in ("round", "pass") and event.get("event") == "end" and "seconds" in event:
            found[event["stage"]] = float(event["seconds"])
    return found


def round_seconds(run: Measured) -> dict[int, float]:
    """Wall seconds of every round, by its log."""
    return {
        int(event["round"]): float(event["seconds"])
        for _, event in run.events()
        if event["stage"] == "round" and event.get("event") == "end"
    }


def training_window(run: Measured) -> tuple[float, float]:
    """When the rounds began and when they ended, in seconds since the run's start."""
    times = {
        event.get("event"): at
        for at, event in run.events()
        if event["stage"] == "rounds" and event.get("event") in ("start", "end")
    }
    return times["start"], times["end"]


def metrics(output: Path) -> list[dict[str, Any]]:
    """The metrics table of the current version."""
    rows: list[dict[str, Any]] = storage.read_table(publish.resolve(str(output)).table("metrics")).to_pylist()
    return rows


def manifest(output: Path) -> dict[str, Any]:
    """The manifest of the current version."""
    return publish.resolve(str(output)).manifest


def slowest_shards(output: Path) -> dict[int, float]:
    """Seconds inside the training call of each round's slowest shard."""
    found: dict[int, float] = {}
    for row in metrics(output):
        found[row["round"]] = max(found.get(row["round"], 0.0), row["seconds"])
    return found


def fixed_cost(run: Measured, output: Path) -> float:
    """Seconds of a round beside its training: the median over all rounds but the first, which starts the workers."""
    trained = slowest_shards(output)
    return statistics.median(wall - trained[number] for number, wall in round_seconds(run).items() if number > 1)
