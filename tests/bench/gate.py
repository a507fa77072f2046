"""What the gate and the report cost beside the run that they follow, on wiki100 with three test sets.

The second of two runs is measured: it has a version to be compared with. The map is left out. Both are told in wall
seconds, because they follow each other in one process.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, Row, run_script, shared_data, tell, wiki_files

SHARE = 0.10  # of the seconds of the run without gate and report
AFTER = ("gate", "scores", "report")


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Two runs with other seeds, on one output."""
    evaluation = shared_data() / "eval"
    settings = {
        "input.path": [str(file) for file in wiki_files(arguments.quick)],
        "gate.pairs": [str(evaluation / name) for name in ("wordsim353.tsv", "simlex999.tsv")],
        "gate.analogies": [str(evaluation / "google.tsv")],
        "report.map": False,
    }
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        for seed in (1, 2):
            tell(f"seed {seed}")
            said = run(settings | {"output.path": str(Path(folder, "output")), "training.seed": seed})
    seconds: Row = said["seconds"]
    report.table("seconds of the second run", [seconds])
    report.table("scores", [{key: row[key] for key in ("task", "metric", "value")} for row in said["scores"]])
    after = sum(seconds.get(name, 0.0) for name in AFTER)
    report.at_most("gate and report, share of the run's other seconds", after / (seconds["all"] - after), SHARE)


def run(settings: Row) -> Row:
    """Run the command; return what it prints with --json."""
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    command = [sys.executable, "-m", "w2vspark.cli", "run", *words, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)
    if done.returncode:
        raise SystemExit(done.stderr)
    said: Row = json.loads(done.stdout)
    return said


if __name__ == "__main__":
    sys.exit(run_script("gate", __doc__, measure))
