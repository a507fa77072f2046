"""A vocabulary of five million words at D = 64, whose model no worker holds: memory, and time beside other sizes.

Artificial text by Zipf's law. The same number of tokens with a tenth of the words shows what the vocabulary costs; half
the tokens with the same words, in half as many rounds, what tokens cost. All run with spark.driver.maxResultSize=10m,
so that they fail when more than 10 MB of results reach the driver. With the vocabulary grow the model's table, which a
round reads twice and writes once, and the rows that a slice needs, as rare words have a larger share of the text.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from common import Report, Row, run_script, tell
from ours import PREPARING, manifest, metrics, run_w2vspark, stage_seconds, training_window, warm_up
from zipf import write_zipf

MB = 1e6
DRIVER_MB, SHARE_OF_MODEL = 400.0, 1 / 3
TEN_TIMES_THE_WORDS, HALF_THE_TOKENS = 3.0, 0.65  # times the rounds' wall
TITLES = ("large", "a tenth of the words", "half the tokens")
WORDS, TOKENS, DIMENSIONS, SHARDS, ROUNDS = 5_000_000, 80_000_000, 64, 16, 10
SETTINGS = (
    "training.rows=slice", "training.epochs=1", f"training.dimensions={DIMENSIONS}", f"training.shards={SHARDS}",
    'spark.options={"spark.driver.maxResultSize" = "10m"}',
)  # fmt: skip


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Three corpora; a worker's share is judged on those with all words, growth on all."""
    words, tokens = (w // 100 if arguments.quick else w for w in (WORDS, TOKENS))
    sizes = (words, tokens, ROUNDS), (words // 10, tokens, ROUNDS), (words, tokens // 2, ROUNDS // 2)
    corpora = dict(zip(TITLES, sizes, strict=True))
    found: dict[str, Row] = {}
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        warm_up()
        for title in arguments.only or TITLES:
            found[title] = one_run(title, Path(name), *corpora[title])
    report.table(f"one epoch at D = {DIMENSIONS}, {SHARDS} shards", list(found.values()))
    for title, row in found.items():
        report.at_most(f"{title}: driver's Python, MB", row["driver MB"], DRIVER_MB)
        if corpora[title][0] == words:
            share = row["worker MB"] / row["model MB"]
            report.at_most(f"{title}: biggest worker, share of the model", share, SHARE_OF_MODEL)
    if len(found) == len(corpora):
        wall = {title: row["rounds wall s"] for title, row in found.items()}
        ten_times, half = wall["large"] / wall["a tenth of the words"], wall["half the tokens"] / wall["large"]
        report.at_most("ten times the words: times the rounds' wall", ten_times, TEN_TIMES_THE_WORDS)
        report.at_most("half the tokens, in half the rounds: times their wall", half, HALF_THE_TOKENS)


def one_run(title: str, folder: Path, words: int, tokens: int, rounds: int) -> Row:
    """One corpus: its memory, and the seconds of its stages."""
    tell(f"writing {tokens:,} tokens of {words:,} words")
    files = write_zipf(folder / title, words, tokens)
    output = folder / f"{title} output"
    run = run_w2vspark(files, output, *SETTINGS, f"training.rounds_per_epoch={rounds}", interval=0.1)
    began, ended = training_window(run)
    made = manifest(output)
    for file in files:
        file.unlink()
    return {
        "": title,
        "words": made["tables"]["vectors"],
        "tokens": made["vocabulary"]["tokens"],
        "model MB": 2 * words * DIMENSIONS * 4 / MB,
        "driver MB": run.peak("driver") / MB,
        "worker MB": run.peak("worker") / MB,
        "in the rounds": run.peak("worker", since=began) / MB,
        "rounds wall s": ended - began,
        "worker CPU s": run.cpu_between("worker", began, ended),
        "java CPU s": run.cpu_between("java", began, ended),
        "kernels s": sum(row["seconds"] for row in metrics(output)),
        "preparing wall s": sum(stage_seconds(run)[name] for name in PREPARING),
        "publishing wall s": stage_seconds(run)["version"],
    }


def options(parser: argparse.ArgumentParser) -> None:
    """What this script alone takes."""
    parser.add_argument("--only", nargs="+", choices=TITLES, help="some of the corpora")


if __name__ == "__main__":
    sys.exit(run_script("vocabulary", __doc__, measure, options))
