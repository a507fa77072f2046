"""Memory, seconds and bytes read of publishing a model with subwords, at local[2].

The model is artificial: 1 million words, 2 million buckets, D = 300, divided by --scale. The bounds on a task's memory
are divided alike, so that a task scans its model as often as at full size. --scale 1 needs 4 GB of disk.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, run_script, tell
from processes import python, run_measured

from w2vspark.spark.arrow import TASK_BYTES
from w2vspark.training.word2vec.composed import BUFFER_BYTES, MEANS_BYTES, composing_bytes

MB = 1e6
SCRIPT = str(PROJECT / "tests" / "bench" / "subword_model.py")
WORDS, BUCKETS, DIMENSIONS = 1_000_000, 2_000_000, 300
TASK_MB = 1200.0  # at full size
INTERVAL = 0.02


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Makes the model, and publishes it in a process that is watched."""
    scale = 100 if arguments.quick else arguments.scale
    words, buckets = WORDS // scale, BUCKETS // scale
    bounds = {"buffer_bytes": BUFFER_BYTES // scale, "means_bytes": MEANS_BYTES // scale}
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        tell(f"making a model of {words:,} words and {buckets:,} buckets")
        sizes = ["--words", str(words), "--buckets", str(buckets), "--dimensions", str(DIMENSIONS)]
        run_measured(python(SCRIPT, "make", folder, *sizes))
        ngrams = json.loads((Path(folder) / "model.json").read_text())["ngrams"]
        tell("publishing it")
        options = [part for name, value in bounds.items() for part in (f"--{name.replace('_', '-')}", str(value))]
        run = run_measured(python(SCRIPT, "publish", folder, *options), INTERVAL)
    found = json.loads(run.output[-1][1])
    matrix = 4 * DIMENSIONS * (words + ngrams)
    whole = max(1, WORDS * DIMENSIONS * 4 // TASK_BYTES) * matrix  # a task for each TASK_BYTES reads it all
    estimate = composing_bytes(words, ngrams, DIMENSIONS, **bounds)
    row = {
        "words": words,
        "buckets in use": ngrams,
        "matrix, MB": matrix / MB,
        "tasks": found["tasks"],
        "worker, MB": run.peak("worker") / MB,
        "estimate, MB": estimate / MB,
        "seconds": found["seconds"],
        "CPU s": run.cpu,
        "scanned, MB": found["scanned"] / MB,
        "times the matrix": found["scanned"] / matrix,
    }
    report.table(f"publishing, D = {DIMENSIONS}", [row])
    report.at_most("worker, MB", row["worker, MB"], estimate / MB)
    report.at_most("scanned, MB; at most as tasks that read all", row["scanned, MB"], whole / MB)
    full = composing_bytes(WORDS, BUCKETS, DIMENSIONS) / MB
    report.at_most("estimate at full size, MB", full, TASK_MB)


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--scale", type=int, default=10, help="what the model is divided by (10)")


if __name__ == "__main__":
    sys.exit(run_script("subword_publishing", __doc__, measure, options))
