"""From compressed text to published vectors: wall and CPU seconds against gensim's and MLlib's, stage by stage.

All on two cores, each as a process of its own, five epochs; `w2vspark warm-up` has run before, all else is fresh.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, Row, need, run_script, tell, wiki_files
from ours import PREPARING, fixed_cost, run_w2vspark, slowest_shards, stage_seconds, warm_up
from processes import Measured, python, run_measured

PEERS = str(PROJECT / "tests" / "bench" / "peers.py")
AGAINST_GENSIM, AIM, AGAINST_MLLIB = 0.25, 0.18, 0.2
# Shares of gensim's wall seconds of the whole: machines differ by more than these do.
PREPARING_SHARE, ROUND_SHARE, ONE_SHARD_ROUND_SHARE = 0.067, 0.01, 0.0067


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Ours, our stages, gensim, MLlib."""
    need("gensim")
    files = wiki_files(arguments.quick)
    quick = ("training.epochs=1", "training.rounds_per_epoch=2") if arguments.quick else ()
    epochs = 1 if arguments.quick else 5
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        output = folder / "ours"
        ours = run_w2vspark(files, output, *quick)
        stages, in_training = our_stages(ours), sum(slowest_shards(output).values())
        # The tables before training are there already: only rounds are made.
        one_shard, two_shards = (
            fixed_cost(
                run_w2vspark(
                    files, output, f"training.shards={shards}", "training.rounds_per_epoch=5", "training.epochs=1"
                ),
                output,
            )
            for shards in (1, 2)
        )
        gensim = run_peer("gensim", folder, files, epochs)
        mllib = None if arguments.without_mllib else run_peer("mllib", folder, files, epochs)
    preparing = sum(stages[stage] for stage in PREPARING)
    rows: list[Row] = [{"": "w2vspark", "wall s": ours.wall, "CPU s": ours.cpu}]
    rows.append({"": "gensim", "wall s": gensim.wall, "CPU s": gensim.cpu, "ours / it": ours.wall / gensim.wall})
    if mllib:
        rows.append({"": "MLlib", "wall s": mllib.wall, "CPU s": mllib.cpu, "ours / it": ours.wall / mllib.wall})
    rows[0]["ours / it"] = 1.0
    report.table("compressed text to vectors", rows)
    report.table(
        "stages of w2vspark",
        [
            *({"": stage, "wall s": seconds} for stage, seconds in stages.items()),
            {"": "rest: Python's start, lock, Spark's end", "wall s": ours.wall - sum(stages.values())},
            {"": "preparing (counting, vocabulary, encoding, bucket counts)", "wall s": preparing},
            {"": "inside the training calls", "wall s": in_training},
            {"": "fixed cost of a round, one shard", "wall s": one_shard},
            {"": "fixed cost of a round, two shards", "wall s": two_shards},
        ],
    )
    report.at_most("wall, share of gensim's", ours.wall / gensim.wall, AGAINST_GENSIM, f"aim {AIM}")
    report.at_most(
        "wall, share of MLlib's", ours.wall / mllib.wall if mllib else None, AGAINST_MLLIB,
        "" if mllib else "--without-mllib",
    )  # fmt: skip
    for what, seconds, share in (
        ("preparing", preparing, PREPARING_SHARE),
        ("fixed cost of a one-shard round", one_shard, ONE_SHARD_ROUND_SHARE),
        ("fixed cost of a round of two shards", two_shards, ROUND_SHARE),
    ):
        report.at_most(f"{what}, share of gensim's wall", seconds / gensim.wall, share)


def our_stages(run: Measured) -> dict[str, float]:
    """Seconds of Spark's start, and of each stage."""
    stages = stage_seconds(run)
    return {"spark": stages.pop("spark")} | stages


def run_peer(peer: str, folder: Path, files: list[Path], epochs: int) -> Measured:
    """One of peers.py from start to end."""
    tell(f"{peer}, {len(files)} files, {epochs} epochs")
    output = str(folder / peer)
    return run_measured(python(PEERS, peer, output, *map(str, files), "--epochs", str(epochs)))


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--without-mllib", action="store_true", help="leave the slow peer out; its target stays open")


if __name__ == "__main__":
    sys.exit(run_script("end_to_end", __doc__, measure, options))
