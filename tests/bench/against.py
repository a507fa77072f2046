"""CPU seconds of whole runs, of this source tree and of another checkout of it in turn: what a change costs.

python tests/bench/against.py OTHER, as in: git worktree add ../before v0.1; python tests/bench/against.py ../before
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, run_script, shared_data, tell, wiki_files
from processes import Measured, python, run_measured

GROWTH = 1.05  # at most, of the medians
# The configuration in conf/ of each case, whether it reads documents in JSON, and more settings.
CASES: dict[str, tuple[str, bool, list[str]]] = {
    "skip-gram": ("word2vec.toml", False, []),
    "skip-gram, 4 shards": ("word2vec.toml", False, ["training.shards=4", "training.epochs=2"]),
    "glove": ("glove.toml", False, ["training.epochs=4"]),
    "ppmi-svd": ("ppmi-svd.toml", False, []),
    "lsa": ("lsa.toml", True, ["input.format=json", "input.id_column=id"]),
}


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Pairs of runs of each case; the first pair compiles the kernels and does not count."""
    rows = []
    for name, (config, documents, settings) in CASES.items():
        files = sorted((shared_data() / "articles").glob("*.gz")) if documents else wiki_files(arguments.quick)
        pairs = []
        for number in range(1 + (1 if arguments.quick else arguments.pairs)):
            other, ours = (run(tree, config, files, settings) for tree in (arguments.other, PROJECT))
            tell(f"{name}, pair {number}: {other.cpu:.1f} and {ours.cpu:.1f} CPU s")
            pairs.append((other.cpu, ours.cpu))
        ratios = sorted(ours / other for other, ours in pairs[1:])
        medians = [statistics.median(side) for side in zip(*pairs[1:], strict=True)]
        ratio = statistics.median(ratios)
        rows.append({"": name, "other CPU s": medians[0], "this CPU s": medians[1], "ratio": ratio, "least": ratios[0]})
        rows[-1]["most"] = ratios[-1]
        report.at_most(f"{name}: this tree's CPU seconds / the other's", ratio, GROWTH)
    report.table("CPU seconds of all processes, medians of pairs of runs", rows)


def run(tree: Path, config: str, files: list[Path], settings: list[str]) -> Measured:
    """One run with the package of a source tree."""
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        paths = json.dumps([str(file) for file in files])
        chosen = [f"input.path={paths}", f"output.path={folder}/output", "spark.master=local[2]", *settings]
        options = [part for setting in chosen for part in ("--set", setting)]
        kernels = Path(tempfile.gettempdir(), "w2vspark-kernels" + str(tree).replace(os.sep, "-"))  # each has its own
        environment = {**os.environ, "PYTHONPATH": str(tree), "NUMBA_CACHE_DIR": str(kernels)}
        # Without -P the package of the current folder would be run, whichever tree is meant.
        command = python("-P", "-m", "w2vspark.cli", "run", str(tree / "conf" / config), *options)
        return run_measured(command, environment=environment)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The other tree, and how many pairs count."""
    parser.add_argument("other", metavar="OTHER", type=lambda text: Path(text).resolve(), help="its folder")
    parser.add_argument("--pairs", type=int, default=5, help="that count (5)")


if __name__ == "__main__":
    sys.exit(run_script("against", __doc__, measure, add_options))
