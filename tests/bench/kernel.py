"""Words that a second of CPU time trains: our kernel with its lanes and merges, against gensim's in C.

Words are counted before subsampling. Both train one epoch of wiki100 with the same settings, in turns.
"""

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from common import Report, Row, need, run_script, tell, wiki_files
from inprocess import Text, read_text, train_epoch
from peers import unpack

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

AT_LEAST, AIM = 12.0, 14.0
THREADS = 2


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """The table, and the targets on D = 100."""
    need("gensim")
    files = wiki_files(arguments.quick)
    tell("reading the text")
    text = read_text(files)
    training = resolve(Word2VecTraining(), text.tokens, len(text.words))
    one_lane, wide = replace(training, lanes=1), replace(training, dimensions=300)
    tell("compiling, or loading what is compiled")
    for settings in (training, one_lane, wide):
        train_epoch(text, settings, 0.01, THREADS)
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        plain = Path(folder) / "text.txt"
        unpack(files, plain)
        rows, peer = [train_ours(text, training)], []
        for _ in range(1 if arguments.quick else arguments.repeats):
            peer.append(train_gensim(text, plain, training))
            rows += [peer[-1], train_ours(text, training)]
        wide_rows = [train_ours(text, wide), train_gensim(text, plain, wide)]
    ours = [row for row in rows if row not in peer]
    alone = [train_ours(text, one_lane) for _ in peer]
    report.table(f"one epoch of {text.tokens:,} words, vocabulary {len(text.words):,}", [*rows, *alone, *wide_rows])
    pairs = {
        "D = 100, default lanes": (ours, peer),
        "D = 100, one lane": (alone, peer),
        "D = 300, default lanes": (wide_rows[:1], wide_rows[1:]),
    }
    report.table(
        "million words a CPU second, ours against gensim's",
        [
            {"": name, "ours": speed(us), "gensim": speed(them), "ratio": speed(us) / speed(them)}
            for name, (us, them) in pairs.items()
        ],
    )
    for lanes, found in (("default lanes", ours), ("one lane", alone)):
        ratio = speed(found) / speed(peer)
        report.at_least(f"{lanes}: words a CPU second, times gensim's", ratio, AT_LEAST, f"aim {AIM}")


def speed(rows: list[Row]) -> float:
    """Mean of the rows' words a CPU second, in millions."""
    return float(statistics.mean(row["M words/CPU s"] for row in rows))


def train_ours(text: Text, training: Word2VecTraining) -> Row:
    """One epoch by our training call."""
    tell(f"w2vspark, D = {training.dimensions}, {training.lanes} lanes")
    return figures("w2vspark", training, *train_epoch(text, training, 1.0, THREADS))


def train_gensim(text: Text, plain: Path, training: Word2VecTraining) -> Row:
    """The same epoch by gensim; times cover train() alone."""
    from gensim.models import Word2Vec

    tell(f"gensim, D = {training.dimensions}")
    model = Word2Vec(
        sg=1, vector_size=training.dimensions, window=training.window, negative=training.negatives,
        sample=training.subsample, min_count=5, workers=THREADS, epochs=1, seed=1,
    )  # fmt: skip
    model.build_vocab(corpus_file=str(plain))
    if len(model.wv) != len(text.words):
        raise RuntimeError(f"gensim has {len(model.wv)} words and we have {len(text.words)}: not the same work")
    wall, cpu = time.perf_counter(), time.process_time()
    model.train(corpus_file=str(plain), total_words=model.corpus_total_words, epochs=1)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return figures("gensim", training, text.tokens, wall, cpu)


def figures(who: str, training: Word2VecTraining, tokens: int, wall: float, cpu: float) -> Row:
    """One line of the table."""
    lanes = training.lanes if who == "w2vspark" else None
    return {
        "": who, "D": training.dimensions, "lanes": lanes, "threads": THREADS, "wall s": wall, "CPU s": cpu,
        "M words/CPU s": tokens / cpu / 1e6, "M words/s": tokens / wall / 1e6,
    }  # fmt: skip


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--repeats", type=int, default=2, help="how often gensim is measured, between ours (2)")


if __name__ == "__main__":
    sys.exit(run_script("kernel", __doc__, measure, options))
