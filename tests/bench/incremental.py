"""What a night costs with vocabulary.keep: preparing 20 old parts and a new one, against all 21 parts from nothing.

Preparing is all stages before the training. The text is Wikipedia's, again and again, each time with the words of each
article in another order: 1 GB in 20 parts, and a 21st. The old parts are made a published version first, with a
training that is as short as possible. The two measured runs follow each other.
"""

import gzip
import random
import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from common import Report, Row, run_script, wiki_files
from processes import Measured, python, run_measured

PARTS = 20
PART_BYTES, QUICK_BYTES = 50_000_000, 2_000_000
LIMIT = 0.25  # of the full run's wall and CPU seconds
# The last stage before the training, and settings for a short training.
METHODS = {
    "skipgram-ns": ("bucket_counts", ["training.subsample=1e-6"]),
    "glove": ("cooccurrences", ["cooccurrences.publish=false"]),
}


def write_text(folder: Path, part_bytes: int, quick: bool) -> list[Path]:
    """The parts, as files in a new folder."""
    folder.mkdir()
    articles = [line.split() for file in wiki_files(quick) for line in gzip.open(file, "rt", encoding="ascii")]
    paths = [folder / f"part-{number:02}.txt" for number in range(PARTS + 1)]
    draw, order = random.Random(1), iter(())  # type: ignore[var-annotated]
    for path in paths:
        size = 0
        with path.open("w", encoding="ascii") as file:
            while size < part_bytes:
                number = next(order, None)
                if number is None:
                    order = iter(draw.sample(range(len(articles)), len(articles)))
                    continue
                draw.shuffle(articles[number])
                size += file.write(" ".join(articles[number]) + "\n")
    return paths


def run(text: Path, output: Path, method: str, *more: str) -> Measured:
    """A run of the command, measured."""
    settings = [f"input.path={text}", f"output.path={output}", f"training.method={method}", "training.epochs=1"]
    settings += ["training.dimensions=4", "gate.max_zero_rows=1", *METHODS[method][1], *more]
    words = [word for setting in settings if "=" in setting for word in ("--set", setting)]
    options = [word for word in more if "=" not in word]
    return run_measured(python("-m", "w2vspark.cli", "run", *words, *options))


def measure(report: Report, arguments: Namespace) -> None:
    """Both runs of each method, and their quotients."""
    with tempfile.TemporaryDirectory(prefix="w2vspark-incremental-", dir=arguments.folder) as name:
        folder = Path(name)
        paths = write_text(folder / "all", QUICK_BYTES if arguments.quick else PART_BYTES, arguments.quick)
        (folder / "old").mkdir()
        for path in paths[:PARTS]:
            (folder / "old" / path.name).hardlink_to(path)
        for method in [arguments.method] if arguments.method else METHODS:
            until = METHODS[method][0]
            keep = "vocabulary.keep=current"
            run(folder / "old", folder / "kept", method, keep)
            (folder / "old" / paths[-1].name).hardlink_to(paths[-1])
            full = run(folder / "all", folder / "whole", method, "--until", until)
            night = run(folder / "old", folder / "kept", method, keep, "--until", until)
            shares = {"wall": night.wall / full.wall, "cpu": night.cpu / full.cpu}
            rows: list[Row] = [
                {"run": label, "wall s": one.wall, "CPU s": one.cpu} | _stages(one)
                for label, one in ((f"all {PARTS + 1} parts from nothing", full), ("with the last part new", night))
            ]
            report.table(f"{method}: stages up to {until}", rows)
            for what, share in shares.items():
                report.at_most(f"{method}: {what} of a night / of a full run", share, LIMIT)
            (folder / "old" / paths[-1].name).unlink()
            for output in ("kept", "whole"):
                shutil.rmtree(folder / output)


def _stages(measured: Measured) -> Row:
    wanted = ("word_counts", "encoded", "bucket_counts", "cooccurrences")
    ends = [pairs for _, pairs in measured.events() if pairs.get("event") == "end" and "seconds" in pairs]
    return {f"{pairs['stage']} s": float(pairs["seconds"]) for pairs in ends if pairs["stage"] in wanted}


def add_options(parser: ArgumentParser) -> None:
    parser.add_argument("--method", choices=list(METHODS), help="only this method")
    parser.add_argument("--folder", help="a folder with room for 4 GB, or for 12 GB with glove")


if __name__ == "__main__":
    sys.exit(run_script("incremental", __doc__, measure, add_options))
