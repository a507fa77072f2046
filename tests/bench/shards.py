"""The curve of quality over the number of shards, with the defaults: 1, 2, 4, 8, 16 and 32, means of three seeds.

One shard trains at the better of the learning rates 0.025 and 0.05; nothing is tuned for the others. Spark MLlib's
Word2Vec stands beside it at 1 and 8 partitions. Ours are simulated on this machine without Spark by the functions that
Spark's workers call. Five epochs of wiki100.
"""

import argparse
import statistics
import sys
from dataclasses import replace

from common import Report, Row, run_script, shared_data, tell, wiki_files
from inprocess import Text, mean_scores, read_text
from mllib import mllib
from quality import SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

SHARDS = (1, 2, 4, 8, 16, 32)
RATES = (0.025, 0.05)  # of one shard
MEAN_OF_RATIOS, EVERY_RATIO, AIM, ROUNDS = 0.96, 0.91, 0.98, 20


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """The scores of every number of shards, and their ratios to one shard's."""
    files = wiki_files(arguments.quick)
    scorer = Scorer(shared_data() / "eval")
    tell("reading the text")
    text = read_text(files)
    seeds = range(1, 2 if arguments.quick else arguments.seeds + 1)
    rows: list[Row] = []
    for shards in (1, 2) if arguments.quick else SHARDS:
        chosen = Word2VecTraining(shards=shards, epochs=1 if arguments.quick else 5)
        settings = resolve(chosen, text.tokens, len(text.words))
        for rate in RATES if shards == 1 else (float(settings.learning_rate),):
            rows.append(scored(text, replace(settings, learning_rate=rate), scorer, seeds))
    one = max((row for row in rows if row["shards"] == 1), key=total)
    for row in rows:
        ratios = [row[score] / one[score] for score in SCORES]
        row |= {"mean of ratios": statistics.mean(ratios), "least": min(ratios)}
    report.table(f"ours, mean of {len(seeds)} seeds; ratios to one shard at {one['rate']}", rows)
    last = rows[-1]
    report.at_most(f"rounds an epoch at {last['shards']} shards", last["rounds"], ROUNDS)
    report.at_least(
        f"mean of the three ratios at {last['shards']} shards", last["mean of ratios"], MEAN_OF_RATIOS, f"aim {AIM}"
    )
    report.at_least(f"the least of them at {last['shards']} shards", last["least"], EVERY_RATIO)
    if not arguments.quick and arguments.mllib:
        peers = [row for partitions in arguments.mllib for row in mllib(files, scorer, partitions, [1])]
        report.table("Spark MLlib's Word2Vec, one seed", peers)


def scored(text: Text, training: Word2VecTraining, scorer: Scorer, seeds: range) -> Row:
    """The mean scores of one number of shards."""
    settings = {
        "shards": training.shards, "lanes": training.lanes, "rounds": training.rounds_per_epoch,
        "optimizer": training.optimizer, "rate": round(float(training.learning_rate), 4),
    }  # fmt: skip
    return settings | mean_scores(text, training, scorer, seeds)


def total(row: Row) -> float:
    """The sum of a row's scores."""
    return float(sum(row[score] for score in SCORES))


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (3)")
    parser.add_argument("--mllib", type=int, nargs="*", default=[1, 8], help="partitions of MLlib (1 8), or none")


if __name__ == "__main__":
    sys.exit(run_script("shards", __doc__, measure, options))
