"""Every method against gensim's: words that a CPU second trains, and the vectors' scores as means of three seeds.

Skip-gram with hierarchical softmax, CBOW with negative sampling and with hierarchical softmax, each with the defaults;
five epochs of wiki100, the same settings for both. Both are timed inside their training calls. Skip-gram with
hierarchical softmax is what Spark MLlib's Word2Vec trains too: its scores stand beside ours.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Report, Row, need, run_script, shared_data, tell, wiki_files
from inprocess import Text, read_text, simulate, train_epoch
from mllib import mllib
from peers import unpack
from quality import BELOW_GENSIM, SCORES, Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.vectors import WordVectors

TIMES_GENSIM = {"skipgram-hs": 4.0, "cbow-ns": 3.0, "cbow-hs": 3.0}
THREADS = 2


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Speed and quality of each method, ours and gensim's in turns."""
    need("gensim")
    files = wiki_files(arguments.quick)
    scorer = Scorer(shared_data() / "eval")
    tell("reading the text")
    text = read_text(files)
    epochs, seeds = (1, [1]) if arguments.quick else (5, list(range(1, arguments.seeds + 1)))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        plain = Path(folder) / "text.txt"
        unpack(files, plain)
        for method in arguments.methods:
            first = resolve(Word2VecTraining(method=method, epochs=epochs), text.tokens, len(text.words))
            train_epoch(text, first, 0.01, THREADS)
            for seed in seeds:
                chosen = Word2VecTraining(method=method, epochs=epochs, seed=seed)
                rows.append(ours(text, resolve(chosen, text.tokens, len(text.words)), scorer))
                rows.append(gensims(text, plain, method, epochs, seed, scorer))
    report.table("every run", rows)
    for method in arguments.methods:
        us, them = (mean([row for row in rows if (row["method"], row[""]) == (method, who)]) for who in WHO)
        report.table(f"{method}, mean of {len(seeds)} seeds", [{"": WHO[0], **us}, {"": WHO[1], **them}])
        ratio = us["M words/CPU s"] / them["M words/CPU s"]
        report.at_least(f"{method}: words a CPU second, times gensim's", ratio, TIMES_GENSIM[method])
        for score in SCORES:
            report.at_least(f"{method}: {score}, less gensim's", us[score] - them[score], -BELOW_GENSIM[score])
        if method == "skipgram-hs" and not arguments.quick:
            peers = mllib(files, scorer, 1, seeds)
            report.table("Spark MLlib's Word2Vec", peers)
            for score in SCORES:
                theirs = statistics.mean(peer[score] for peer in peers)
                report.at_least(f"{method}: {score}, less MLlib's", us[score] - theirs, -BELOW_GENSIM[score])


WHO = ("w2vspark", "gensim")


def ours(text: Text, training: Word2VecTraining, scorer: Scorer) -> Row:
    """One seed: a whole training for the scores, and one epoch for the time."""
    tell(f"w2vspark, {training.method}, seed {training.seed}")
    tokens, wall, cpu = train_epoch(text, training, 1.0, THREADS)
    vectors = WordVectors(words=text.words, counts=text.counts, matrix=simulate(text, training))
    return row("w2vspark", training.method, training.seed, tokens, wall, cpu, scorer, vectors)


def gensims(text: Text, plain: Path, method: str, epochs: int, seed: int, scorer: Scorer) -> Row:
    """One seed of gensim's training, timed as a whole without the counting of words."""
    from gensim.models import Word2Vec

    tell(f"gensim, {method}, seed {seed}")
    model, _, loss = method.partition("-")
    peer = Word2Vec(
        sg=model == "skipgram", hs=loss == "hs", negative=5 if loss == "ns" else 0, vector_size=100, window=5,
        sample=1e-4, min_count=5, workers=THREADS, epochs=epochs, seed=seed,
    )  # fmt: skip
    peer.build_vocab(corpus_file=str(plain))
    if len(peer.wv) != len(text.words):
        raise RuntimeError(f"gensim has {len(peer.wv)} words and we have {len(text.words)}: not the same work")
    wall, cpu = time.perf_counter(), time.process_time()
    peer.train(corpus_file=str(plain), total_words=peer.corpus_total_words, epochs=epochs)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    counts = np.array([peer.wv.get_vecattr(word, "count") for word in peer.wv.index_to_key], np.int64)
    vectors = WordVectors(words=peer.wv.index_to_key, counts=counts, matrix=peer.wv.vectors)
    return row("gensim", method, seed, text.tokens * epochs, wall, cpu, scorer, vectors)


def row(
    who: str, method: str, seed: int, tokens: int, wall: float, cpu: float, scorer: Scorer, vectors: WordVectors
) -> Row:
    """One line of the table."""
    speed = {"wall s": wall, "CPU s": cpu, "M words/CPU s": tokens / cpu / 1e6}
    return {"": who, "method": method, "seed": seed, **speed, **scorer.scores(vectors)}


def mean(rows: list[Row]) -> Row:
    """Means of all figures over the seeds."""
    return {name: statistics.mean(row[name] for row in rows) for name in ("M words/CPU s", *SCORES)}


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--seeds", type=int, default=3, help="how many seeds (3)")
    parser.add_argument("--methods", nargs="+", choices=TIMES_GENSIM, default=list(TIMES_GENSIM))


if __name__ == "__main__":
    sys.exit(run_script("methods", __doc__, measure, options))
