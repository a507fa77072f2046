"""The estimates of --dry-run --cluster against real runs, on a cluster of one executor with two cores.

A word2vec run on a quarter of wiki100, and a decomposition of counts on a quarter of Wikipedia's articles as JSON. The
rates are those that `w2vspark warm-up` measures just before. On a machine that others use too, look at the CPU seconds.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import CONFIG, Report, Row, run_script, shared_data, tell, wiki_files
from ours import run_w2vspark, stage_seconds
from processes import Measured, python, run_measured

EXECUTOR = "local-cluster[1,2,1536]"
CLUSTER = "executors=1,cores=2"
WITHIN = 1.5  # the larger of estimate and measurement, divided by the smaller


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Both runs."""
    tell("w2vspark warm-up")
    run_measured(python("-m", "w2vspark.cli", "warm-up"))
    articles = sorted((shared_data() / "articles").glob("*.jsonl.gz"))
    cases = {
        "skipgram-ns": (wiki_files(arguments.quick)[:4], ()),
        "ppmi-svd": (articles[:1], ('input.format="json"',)),
    }
    for method, (files, settings) in cases.items():
        with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
            compare(report, method, files, [f"training.method={method}", *settings], Path(name) / "output")


def compare(report: Report, method: str, files: Sequence[Path], settings: Sequence[str], output: Path) -> None:
    """Estimate a run, run it, and compare."""
    planned = estimate(files, output, settings)
    cpus = planned["task_cpus"]
    run = run_w2vspark(files, output, *settings, f'spark.options={{"spark.task.cpus" = "{cpus}"}}', master=EXECUTOR)
    stages, estimated, busy = stage_seconds(run), by_stage(planned), cpu_by_stage(run)
    rows = [
        {"stage": stage, "estimated": estimated.get(stage), "measured": stages[stage], "CPU s": busy.get(stage)}
        for stage in stages
    ]
    report.table(f"{method}, {len(files)} files, spark.task.cpus = {cpus}: seconds", rows)
    work = sum(cost["amount"] / cost["measured_rate"] for cost in planned["costs"])
    measured = sum(seconds for stage, seconds in busy.items() if stage != "spark")
    wall = sum(stages.values())
    report.table(
        f"{method}, in all",
        [
            {"": "wall seconds of all stages", "estimated": planned["seconds"], "measured": wall},
            {
                "": "CPU seconds of the stages, without Spark's start and queries",
                "estimated": work,
                "measured": measured,
            },
        ],
    )
    report.at_most(f"{method}: wall seconds, factor", factor(planned["seconds"], wall), WITHIN)


def cpu_by_stage(run: Measured) -> dict[str, float]:
    """CPU seconds of all processes in each stage, by its log."""
    began: dict[str, float] = {}
    found = {}
    for at, event in run.events():
        stage = event["stage"]
        if event.get("event") == "start":
            began[stage] = at
        elif event.get("event") == "end" and stage in began:
            found[stage] = sum(run.cpu_between(role, began[stage], at) for role in run.samples[-1].cpu)
    return found


def estimate(files: Sequence[Path], output: Path, settings: Sequence[str]) -> dict[str, Any]:
    """What --dry-run --cluster says before anything is counted."""
    chosen = [f"input.path={json.dumps([str(file) for file in files])}", f"output.path={output}", *settings]
    options = [part for setting in chosen for part in ("--set", setting)]
    words = ["run", str(CONFIG), *options, "--dry-run", "--json", "--cluster", CLUSTER]
    said: Measured = run_measured(python("-m", "w2vspark.cli", *words))
    found: dict[str, Any] = json.loads("".join(line for _, line in said.output))["estimate"]
    return found


def by_stage(planned: dict[str, Any]) -> Row:
    """Estimated seconds by stage; "spark" is Spark's start."""
    found: Row = {"spark": planned["start_seconds"]}
    for cost in planned["costs"]:
        found[cost["table"]] = found.get(cost["table"], 0.0) + cost["seconds"]
    return found


def factor(estimated: float, measured: float) -> float:
    """How far an estimate is off: 1 is exact, 2 is twice or half."""
    return max(estimated, measured) / min(estimated, measured)


if __name__ == "__main__":
    sys.exit(run_script("planner", __doc__, measure))
