"""Peak resident memory of the driver's Python and of the biggest training worker, on real text and on a large model.

wiki100 at D = 100, and an artificial corpus of 500,000 words by Zipf's law at D = 300: two matrices of 1.2 GB in all.
Both run with spark.driver.maxResultSize=10m, so that they fail when more than 10 MB of results reach the driver.
The peer is the promise: the formula for a worker, and the estimate that --dry-run prints.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from common import CONFIG, Report, Row, Skip, run_script, tell, wiki_files
from ours import manifest, run_w2vspark, training_window, warm_up
from processes import python, run_measured
from zipf import write_zipf

MB = 1e6
DRIVER_MB, WORKER_EXTRA_MB, ESTIMATE_WITHIN = 400.0, 400.0, 0.25
WORDS, QUICK_WORDS, DIMENSIONS, TOKENS_PER_WORD = 500_000, 20_000, 300, 11
INTERVAL = 0.05
SMALL_RESULTS = 'spark.options={"spark.driver.maxResultSize" = "10m"}'
_ESTIMATE = re.compile(r"training workers? ([\d,]+) MB")


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Both corpora, or the one that --only names."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        words = QUICK_WORDS if arguments.quick else WORDS
        tell(f"writing a corpus of {words:,} words")
        large = write_zipf(folder / "text", words, TOKENS_PER_WORD * words)
        warm_up()
        if arguments.only in (None, "wiki100"):
            try:
                rows.append(peaks("wiki100, D = 100", wiki_files(arguments.quick), folder / "wiki100"))
            except Skip as reason:
                report.at_most("wiki100, D = 100", None, DRIVER_MB, str(reason))
        if arguments.only in (None, "large"):
            title = f"{words:,} words, D = {DIMENSIONS}"
            rows.append(peaks(title, large, folder / "large", f"training.dimensions={DIMENSIONS}"))
    if not rows:
        raise Skip("there was nothing to measure")
    report.table("peak resident memory, MB of a million bytes", rows)
    for row in rows:
        report.at_most(f"{row['']}: driver's Python, MB", row["driver"], DRIVER_MB)
        report.at_most(f"{row['']}: worker, MB", row["worker"], row["worker may"])
        off = abs(row["estimate"] / row["worker"] - 1)
        report.at_most(f"{row['']}: estimate, off by", off, ESTIMATE_WITHIN)


def peaks(title: str, files: Sequence[Path], output: Path, *settings: str) -> Row:
    """One epoch, watched; the worker's peak counts from the first round on, when a worker may also hold what encoding
    left."""
    settings = ("training.epochs=1", SMALL_RESULTS, *settings)
    run = run_w2vspark(files, output, *settings, interval=INTERVAL)
    made = manifest(output)
    training, words = made["config"]["training"], made["tables"]["vectors"]
    slices = training["shards"] * max(1, round(training["rounds_per_epoch"]))
    rows = 2 * words * -(-training["dimensions"] // 8) * 8 * 4
    tokens = made["vocabulary"]["tokens"]
    began, _ = training_window(run)
    allowed = (training["lanes"] + 2) * rows + 2 * 4 * tokens / slices + WORKER_EXTRA_MB * MB
    return {
        "": title,
        "words": words,
        "tokens": tokens,
        "model": rows / MB,
        "lanes": training["lanes"],
        "driver": run.peak("driver") / MB,
        "worker": run.peak("worker", since=began) / MB,
        "at its start": run.resident("worker", began) / MB,
        "worker may": allowed / MB,
        "estimate": estimate(files, output, settings),
        "JVM": run.peak("java") / MB,
    }


def estimate(files: Sequence[Path], output: Path, settings: Sequence[str]) -> float:
    """MB of a training worker as --dry-run tells them, now that the words are counted."""
    paths = json.dumps([str(file) for file in files])
    chosen = [f"input.path={paths}", f"output.path={output}", "spark.master=local[2]", *settings]
    options = [part for setting in chosen for part in ("--set", setting)]
    run = run_measured(python("-m", "w2vspark.cli", "run", str(CONFIG), *options, "--dry-run"))
    text = "\n".join(line for _, line in run.output)
    found = _ESTIMATE.search(text)
    if found is None or "counted" not in text:
        raise RuntimeError(f"--dry-run printed no estimate for a counted corpus:\n{text}")
    return float(found[1].replace(",", ""))


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--only", choices=("wiki100", "large"), help="one of the two corpora")


if __name__ == "__main__":
    sys.exit(run_script("memory", __doc__, measure, options))
