"""Peak memory of every stage of the methods that train on counts, as the text doubles: half of wiki100, all, all twice.

A stage's peak is that of the biggest worker while it runs, with what earlier stages left in it. No run may send more
than 10 MB of results to the driver.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, Row, run_script, twice, wiki_files
from ours import run_w2vspark, warm_up
from processes import Measured

MB = 1e6
METHODS: dict[str, tuple[str, ...]] = {
    "glove": ("training.epochs=2",),
    "ppmi-svd": (),
    "lsa": ("input.format=text", "input.id_column="),
}
SMALL_RESULTS = 'spark.options={"spark.driver.maxResultSize" = "10m"}'
DRIVER_MB = 400.0
GROWTH = 1.3  # of the biggest worker, from all of the text to twice as much
INTERVAL = 0.05


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """A run of each method for each size of text."""
    files = wiki_files(arguments.quick)
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        sizes = {"half": files[: len(files) // 2], "all": files, "twice": twice(files, folder)}
        for method in arguments.methods:
            runs = {
                size: run_w2vspark(
                    some, folder / f"{method}-{size}", *METHODS[method], SMALL_RESULTS, interval=INTERVAL,
                    config=PROJECT / "conf" / f"{method}.toml",
                )
                for size, some in sizes.items()
            }  # fmt: skip
            peaks = {size: stage_peaks(run) for size, run in runs.items()}
            rows: list[Row] = [
                {"worker, MB": stage, **{size: of_size[stage] for size, of_size in peaks.items()}}
                for stage in peaks["all"]
            ]
            report.table(method, rows)
            most = {size: max(of_size.values()) for size, of_size in peaks.items()}
            report.at_most(f"{method}: biggest worker, twice the text to once", most["twice"] / most["all"], GROWTH)
            driver = max(run.peak("driver") for run in runs.values()) / MB
            report.at_most(f"{method}: driver's Python, MB", driver, DRIVER_MB)


def stage_peaks(run: Measured) -> dict[str, float]:
    """MB of the biggest worker in each stage."""
    began: dict[str, float] = {}
    ended: dict[str, float] = {}
    for at, event in run.events():
        if event.get("event") == "start":
            began.setdefault(event["stage"], at)
        elif event.get("event") == "end":
            ended[event["stage"]] = at
    return {
        stage: max(s.resident.get("worker", 0) for s in run.samples if at <= s.at <= ended[stage] + INTERVAL) / MB
        for stage, at in began.items()
        if stage in ended
    }


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="some of them (all)")


if __name__ == "__main__":
    sys.exit(run_script("counted_memory", __doc__, measure, options))
