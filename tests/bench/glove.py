"""GloVe on wiki100: records that a CPU second trains, and the vectors' scores after 15 and after 50 epochs.

The authors' C programs are in no package index. They trained 0.85 million records a CPU second (D = 100) and reached
.153 of Google's analogies and .461 in WordSim-353 after 15 epochs, on a machine on which gensim's skip-gram took 53.6
CPU seconds for an epoch of the same text: so gensim, measured in the same run, is the yardstick.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from common import PROJECT, Report, Row, need, run_script, shared_data, tell, wiki_files
from inprocess import read_text
from kernel import train_gensim
from ours import metrics, run_w2vspark, training_window, warm_up
from peers import unpack
from quality import Scorer

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.vectors import load_vectors

CONFIG = PROJECT / "conf" / "glove.toml"
RECORDS_OF_C, GENSIM_SECONDS = 0.85, 53.6
TIMES_C = 4.0
EPOCHS = (15, 50)
SCORES_AFTER_15 = {"Google": 0.14, "WordSim-353": 0.44}


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """gensim's epoch, then our runs from text to published vectors."""
    need("gensim")
    files = wiki_files(arguments.quick)
    scorer = Scorer(shared_data() / "eval")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        unpack(files, folder / "text.txt")
        tell("reading the text")
        text = read_text(files)
        training = resolve(Word2VecTraining(), text.tokens, len(text.words))
        gensim = train_gensim(text, folder / "text.txt", training)
        warm_up()
        for epochs in EPOCHS[:1] if arguments.quick else EPOCHS:
            output = folder / "ours"  # one folder: the tables before training are made once
            run = run_w2vspark(files, output, f"training.epochs={epochs}", config=CONFIG)
            found = metrics(output)
            cpu = run.cpu_between("worker", *training_window(run))
            records = sum(row["tokens"] for row in found) / 1e6
            speed = {"records, M": records, "workers' CPU s": cpu, "M records/CPU s": records / cpu}
            loss = {"wall s in training": sum(row["seconds"] for row in found), "loss": found[-1]["loss"]}
            rows.append({"epochs": epochs, **speed, **loss, **scorer.scores(load_vectors(str(output)))})
            if epochs == EPOCHS[0]:
                losses = [{"epoch": row["round"], "loss": row["loss"]} for row in found]
    report.table("w2vspark", rows)
    report.table(f"loss of each epoch, {EPOCHS[0]} epochs", losses)
    report.table("the yardstick, one epoch of skip-gram", [gensim])
    scale = GENSIM_SECONDS / gensim["CPU s"]
    peer = RECORDS_OF_C * scale
    report.at_least("records a CPU second, times those of C", rows[0]["M records/CPU s"] / peer, TIMES_C)
    for score, least in SCORES_AFTER_15.items():
        report.at_least(f"{score} after {EPOCHS[0]} epochs", rows[0][score], least)


if __name__ == "__main__":
    sys.exit(run_script("glove", __doc__, measure))
