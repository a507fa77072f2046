"""Training time on a quarter, a half and the whole of wiki100, at one size of the vocabulary; gensim's beside it.

Ours: five epochs by `w2vspark run`; gensim: train() of one epoch, in this process.
"""

import argparse
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from common import Report, Row, need, run_script, tell, wiki_files
from ours import manifest, metrics, run_w2vspark, training_window, warm_up
from peers import unpack

DOUBLING = 2.2
VOCABULARY = 20_000
PARTS = (4, 2, 1)


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Three sizes of text; the targets are on both steps from one to the next, in wall and in CPU seconds."""
    need("gensim")
    files = wiki_files(False)
    if arguments.quick:
        files = files[:4]
    epochs = 1 if arguments.quick else 5
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        for part in PARTS:
            some = files[: len(files) // part]
            rows.append({"": f"1/{part}" if part > 1 else "whole", **ours(some, folder / f"ours-{part}", epochs)})
            rows[-1]["gensim CPU s, one epoch"] = gensim(some, folder / f"text-{part}.txt")
    report.table(f"training at a vocabulary of {VOCABULARY:,} words, {epochs} epochs", rows)
    growth = []
    for small, large in pairwise(rows):
        doubled = large["tokens"] / small["tokens"]
        steps = {key: large[key] / small[key] * 2 / doubled for key in list(small)[2:]}
        growth.append({"": f"{small['']} to {large['']}", "tokens, times": doubled, **steps})
    report.table("times the seconds for twice the tokens (scaled to 2 where the step is not quite that)", growth)
    for row in growth:
        for key in ("training wall s", "worker CPU s"):
            report.at_most(f"{row['']}: {key}, twice the tokens", row[key], DOUBLING)


def ours(files: list[Path], output: Path, epochs: int) -> Row:
    """A run; its seconds inside the training calls, and those of the rounds as a whole."""
    run = run_w2vspark(files, output, f"vocabulary.max_size={VOCABULARY}", f"training.epochs={epochs}")
    began, ended = training_window(run)
    return {
        "tokens": manifest(output)["vocabulary"]["tokens"],
        "training wall s": sum(row["seconds"] for row in metrics(output)),
        "rounds wall s": ended - began,
        "worker CPU s": run.cpu_between("worker", began, ended),
    }


def gensim(files: list[Path], plain: Path, vocabulary: int | None = VOCABULARY) -> float:
    """CPU seconds of gensim's train() for one epoch. vocabulary: at most so many words; None = all of 5 places."""
    from gensim.models import Word2Vec

    tell(f"gensim, {len(files)} files")
    unpack(files, plain)
    model = Word2Vec(
        sg=1, vector_size=100, window=5, negative=5, sample=1e-4, min_count=5, max_final_vocab=vocabulary, workers=2,
        epochs=1, seed=1,
    )  # fmt: skip
    model.build_vocab(corpus_file=str(plain))
    cpu = time.process_time()
    model.train(corpus_file=str(plain), total_words=model.corpus_total_words, epochs=1)
    return time.process_time() - cpu


if __name__ == "__main__":
    sys.exit(run_script("growth", __doc__, measure))
