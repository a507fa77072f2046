"""Skip-gram with subwords against fastText's own program (its PyPI package): speed, and scores as means of seeds.

Both train n-grams of 3 to 6 characters in 2 million buckets, five epochs of wiki100. fastText's CPU time is that of its
whole training call, reading included, which it does as it trains.
"""

import argparse
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from common import PROJECT, Report, Row, Skip, run_script, shared_data, tell, wiki_files
from inprocess import Text, read_text, simulate, train_epoch
from peers import unpack
from processes import python, run_measured
from quality import BELOW_GENSIM, SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import SubwordsConfig, Word2VecTraining
from w2vspark.vectors import WordVectors

TIMES_FASTTEXT = 3.0
THREADS = 2


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Speed and quality, ours and fastText's in turns."""
    if find_spec("fasttext") is None:
        raise Skip("the peer fastText is not installed; pip install fasttext-wheel")
    files = wiki_files(arguments.quick)
    scorer = Scorer(shared_data() / "eval")
    tell("reading the text")
    text = read_text(files)
    epochs, seeds = (1, 1) if arguments.quick else (5, arguments.seeds)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        plain = Path(folder) / "text.txt"
        unpack(files, plain)
        for seed in range(1, seeds + 1):
            chosen = Word2VecTraining(epochs=epochs, seed=seed)
            training = resolve(chosen, text.tokens, len(text.words), subwords=True)
            rows.append(ours(text, training, scorer))
            if seed <= arguments.peer_seeds:
                rows.append(fasttexts(text, plain, Path(folder) / "vectors", epochs, seed, scorer))
    report.table("every run", rows)
    us, them = (mean([row for row in rows if row[""] == who]) for who in ("w2vspark", "fastText"))
    report.table("means", [{"": "w2vspark", **us}, {"": "fastText", **them}])
    ratio = us["M words/CPU s"] / them["M words/CPU s"]
    report.at_least("words a CPU second, times fastText's", ratio, TIMES_FASTTEXT)
    for score in SCORES:
        report.at_least(f"{score}, less fastText's", us[score] - them[score], -BELOW_GENSIM[score])


def ours(text: Text, training: Word2VecTraining, scorer: Scorer) -> Row:
    """One seed: a whole training for the scores, and one epoch for the time."""
    tell(f"w2vspark with subwords, seed {training.seed}")
    train_epoch(text, training, 0.01, THREADS, SubwordsConfig())
    tokens, wall, cpu = train_epoch(text, training, 1.0, THREADS, SubwordsConfig())
    matrix = simulate(text, training, subwords=SubwordsConfig())
    vectors = WordVectors(words=text.words, counts=text.counts, matrix=matrix)
    return row("w2vspark", training.seed, tokens, wall, cpu, scorer.scores(vectors))


def fasttexts(text: Text, plain: Path, output: Path, epochs: int, seed: int, scorer: Scorer) -> Row:
    """One seed of fastText, in a process of its own."""
    tell(f"fastText, seed {seed}")
    peer = str(PROJECT / "tests" / "bench" / "peers.py")
    run = run_measured(python(peer, "fasttext", str(output), str(plain), "--epochs", str(epochs), "--seed", str(seed)))
    found = np.load(output.with_suffix(".npz"))
    words = found["words"].tolist()
    if set(words) - {"</s>"} != set(text.words):
        raise RuntimeError(f"fastText has {len(words)} words and we have {len(text.words)}: not the same work")
    vectors = WordVectors(words=words, counts=np.ones(len(words), np.int64), matrix=found["matrix"])
    seconds = float(found["wall"]), float(found["cpu"])
    tell(f"fastText took {run.wall:.0f} s as a whole")
    return row("fastText", seed, text.tokens * epochs, *seconds, scorer.scores(vectors))


def row(who: str, seed: int, tokens: int, wall: float, cpu: float, scores: Row) -> Row:
    """One line of the table."""
    return {"": who, "seed": seed, "wall s": wall, "CPU s": cpu, "M words/CPU s": tokens / cpu / 1e6, **scores}


def mean(rows: list[Row]) -> Row:
    """Means of all figures over the seeds."""
    return {name: statistics.mean(row[name] for row in rows) for name in ("M words/CPU s", *SCORES)}


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds of ours (3)")
    parser.add_argument("--peer-seeds", type=int, default=3, help="and of fastText (3), which takes minutes each")


if __name__ == "__main__":
    sys.exit(run_script("subwords", __doc__, measure, options))
