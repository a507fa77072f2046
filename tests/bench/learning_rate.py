"""The study behind learning_rate = "auto": which rate suits how many replicas (shards x lanes).

Simulates rounds, shards and lanes on this machine without Spark, by the functions that Spark's workers call, and prints
the scores of every rate. The row with a star has the rate that "auto" resolves to. A study has no target and no peer.
"""

import argparse
import sys
import time
from dataclasses import replace

from common import Report, Row, run_script, shared_data, tell, wiki_files
from inprocess import Text, read_text, simulate
from quality import SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.vectors import WordVectors

RATES = (0.025, 0.035, 0.05, 0.075, 0.1)


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Every number of replicas with every rate; then, for each number, the rate of `auto` against the best."""
    text = read_text(wiki_files(arguments.quick))
    scorer = Scorer(shared_data() / "eval")
    replicas = [2, 4] if arguments.quick else arguments.replicas
    rows: list[Row] = []
    for number in replicas:
        auto = automatic(text, number, arguments)
        own = float(auto.learning_rate)
        rates = [] if arguments.quick else [rate for rate in arguments.rates if abs(rate - own) > 1e-3]
        for rate in sorted([own, *rates]):
            row = {"replicas": number, "shards": auto.shards, "lanes": auto.lanes, "rounds": auto.rounds_per_epoch}
            row |= {"rate": rate, "": "*" if rate == own else ""}
            rows.append(row | scored(text, replace(auto, learning_rate=rate), scorer, arguments.seeds))
    report.table(f"{text.tokens:,} words, {auto.epochs} epochs, {auto.combine}", rows)
    report.table("the rate of auto against the best by the three scores' mean", [best(rows, n) for n in replicas])


def automatic(text: Text, replicas: int, arguments: argparse.Namespace) -> Word2VecTraining:
    """The settings for so many replicas: as many lanes as given, the rest shards, the rate that `auto` stands for."""
    lanes = min(arguments.lanes, replicas)
    shards = max(1, replicas // lanes)
    rounds = 1 if shards == 1 else 2 if shards == 2 else 10 if shards <= 8 else 20
    config = Word2VecTraining(
        shards=shards, lanes=lanes, rounds_per_epoch=rounds, dimensions=arguments.dimensions, combine=arguments.combine,
        epochs=1 if arguments.quick else 5,
    )  # fmt: skip
    return resolve(config, text.tokens, len(text.words))


def scored(text: Text, training: Word2VecTraining, scorer: Scorer, seeds: int) -> Row:
    """Mean scores over the seeds, and the CPU seconds of all."""
    began = time.process_time()
    found = []
    for seed in range(1, seeds + 1):
        tell(f"{training.shards} shards x {training.lanes} lanes at {training.learning_rate:.4g}, seed {seed}")
        matrix = simulate(text, replace(training, seed=seed))
        found.append(scorer.scores(WordVectors(words=text.words, counts=text.counts, matrix=matrix)))
    means = {score: sum(row[score] for row in found) / seeds for score in SCORES}
    return means | {"mean": sum(means.values()) / len(SCORES), "CPU s": time.process_time() - began}


def best(rows: list[Row], replicas: int) -> Row:
    """How far the rate of `auto` is from the best that was tried."""
    tried = [row for row in rows if row["replicas"] == replicas]
    own = next(row for row in tried if row[""] == "*")
    top = max(tried, key=lambda row: row["mean"])
    return {
        "replicas": replicas, "auto": own["rate"], "its mean": own["mean"], "best": top["rate"],
        "best mean": top["mean"], "share": own["mean"] / top["mean"],
    }  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32], help="shards x lanes")
    parser.add_argument("--rates", type=float, nargs="+", default=list(RATES), help="learning rates, beside auto's")
    parser.add_argument("--lanes", type=int, default=2, help="lanes of each shard (2)")
    parser.add_argument("--seeds", type=int, default=1, help="seeds for each row (1)")
    parser.add_argument("--dimensions", type=int, default=100)
    parser.add_argument("--combine", default="adasum", choices=("adasum", "mean"))


if __name__ == "__main__":
    sys.exit(run_script("learning_rate", __doc__, measure, options))
