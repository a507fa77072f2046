"""Scores of the vectors, mean of three seeds: ours as one shard and as 8 shards x 10 rounds, and gensim's.

WordSim-353 and SimLex-999 by Spearman's correlation, Google's analogies by the share of right answers among all
questions whose words are known. One scorer (w2vspark.vectors) for all three; five epochs of wiki100.
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, Row, Skip, need, run_script, shared_data, tell, wiki_files
from ours import run_w2vspark, warm_up
from processes import python, run_measured

from w2vspark.vectors import WordVectors, load_vectors, read_analogies, read_pairs, score_analogies, score_pairs

SCORES = ("WordSim-353", "SimLex-999", "Google")
BELOW_GENSIM = {"WordSim-353": 0.01, "SimLex-999": 0.03, "Google": 0.01}
OF_ONE_SHARD = 0.92
MANY = ("training.shards=8", "training.rounds_per_epoch=10")


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Three kinds of vectors for every seed, their scores and the means."""
    need("gensim")
    files = wiki_files(arguments.quick)
    scorer = Scorer(shared_data() / "eval")
    epochs = 1 if arguments.quick else 5
    seeds = range(1, 2 if arguments.quick else arguments.seeds + 1)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        output = folder / "ours"  # one folder: the tables before training are made once
        for seed in seeds:
            chosen = (f"training.seed={seed}", f"training.epochs={epochs}")
            for who, settings in (("w2vspark, one shard", ()), ("w2vspark, 8 shards x 10 rounds", MANY)):
                run = run_w2vspark(files, output, *chosen, *settings)
                rows.append({"": who, "seed": seed, **scorer.scores(load_vectors(str(output))), "wall s": run.wall})
            rows.append({"": "gensim", "seed": seed, **scorer.scores(gensim_vectors(folder, files, seed, epochs))})
    report.table("every run", rows)
    means = {who: mean(rows, who) for who in dict.fromkeys(row[""] for row in rows)}
    report.table(f"mean of {len(seeds)} seeds", [{"": who, **scores} for who, scores in means.items()])
    one, many, peer = means.values()
    for score in SCORES:
        report.at_least(f"{score}, less gensim's", one[score] - peer[score], -BELOW_GENSIM[score])
    for score in SCORES:
        report.at_least(
            f"{score} of 8 shards x 10 rounds, share of one shard's", many[score] / one[score], OF_ONE_SHARD
        )


class Scorer:
    """The three test sets, read once. Raises Skip where they are missing."""

    def __init__(self, folder: Path) -> None:
        for name in ("wordsim353.tsv", "simlex999.tsv", "google.tsv"):
            if not (folder / name).exists():
                raise Skip(f"no test set {folder / name}")
        self._pairs = [read_pairs(str(folder / name)) for name in ("wordsim353.tsv", "simlex999.tsv")]
        self._analogies = read_analogies(str(folder / "google.tsv"))

    def scores(self, vectors: WordVectors) -> Row:
        """SCORES of the vectors."""
        found = [score_pairs(vectors, pairs).spearman for pairs in self._pairs]
        return dict(zip(SCORES, [*found, score_analogies(vectors, self._analogies).total.accuracy], strict=True))


def gensim_vectors(folder: Path, files: list[Path], seed: int, epochs: int) -> WordVectors:
    """gensim's vectors for a seed, trained in a process of its own."""
    from gensim.models import KeyedVectors

    tell(f"gensim, seed {seed}")
    output = str(folder / "gensim.bin")
    peer = str(PROJECT / "tests" / "bench" / "peers.py")
    run_measured(python(peer, "gensim", output, *map(str, files), "--seed", str(seed), "--epochs", str(epochs)))
    found = KeyedVectors.load_word2vec_format(output, binary=True)
    return WordVectors(words=found.index_to_key, counts=found.expandos["count"], matrix=found.vectors)


def mean(rows: list[Row], who: str) -> Row:
    """The mean of every score over one kind's seeds."""
    return {score: statistics.mean(row[score] for row in rows if row[""] == who) for score in SCORES}


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (3)")


if __name__ == "__main__":
    sys.exit(run_script("quality", __doc__, measure, options))
