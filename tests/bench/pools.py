"""What a pool of negatives costs in quality: shards that hold the rows of their slices beside shards that hold all.

The default size of training.negative_pool is a share of a slice's tokens, and at least a number of words: see
training/word2vec/plan.py. Each number of shards trains wiki100 for five epochs with the defaults, without pools and
with pools of the default size; --sizes adds others. Simulated on this machine without Spark by the functions that
Spark's workers call; rows that are sent give the same bytes as all rows, as a test shows.
"""

import argparse
import sys
from dataclasses import replace

from common import Report, run_script, shared_data, tell, wiki_files
from inprocess import mean_scores, read_text
from quality import SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

SHARDS = (4, 8)
TOLERANCE = 0.01


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """The scores without pools, with the default's, and with those of given sizes."""
    scorer = Scorer(shared_data() / "eval")
    tell("reading the text")
    text = read_text(wiki_files(arguments.quick))
    seeds = range(1, 2 if arguments.quick else arguments.seeds + 1)
    for shards in arguments.shards[:1] if arguments.quick else arguments.shards:
        chosen = Word2VecTraining(shards=shards, epochs=1 if arguments.quick else 5)
        without = resolve(chosen, text.tokens, len(text.words))
        default = resolve(replace(chosen, rows="slice"), text.tokens, len(text.words))
        sizes = [0, int(default.negative_pool), *arguments.sizes]
        rows = [
            {"pool": size or "none", **mean_scores(text, replace(without, negative_pool=size), scorer, seeds)}
            for size in sizes
        ]
        slices = shards * round(float(without.rounds_per_epoch))
        report.table(
            f"{shards} shards, {slices} slices an epoch of {text.tokens // slices} tokens, mean of {len(seeds)} seeds",
            rows,
        )
        for score in SCORES:
            gap = abs(rows[1][score] - rows[0][score])
            report.at_most(f"{shards} shards, {score}: pool against none", gap, TOLERANCE)


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (3)")
    parser.add_argument("--shards", type=int, nargs="+", default=SHARDS, help="numbers of shards (4 8)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[], help="other sizes to try, in words")


if __name__ == "__main__":
    sys.exit(run_script("pools", __doc__, measure, options))
