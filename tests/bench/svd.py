"""PPMI and its randomised SVD: accuracy against scipy's svds, seconds and scores from text to vectors.

Accuracy on the 8,000 most frequent words of wiki100; all else on the whole of it, with conf/ppmi-svd.toml at local[2],
beside a plain randomised SVD of the same matrix by NumPy and scipy on one machine.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from common import PROJECT, Report, Row, run_script, shared_data, tell, wiki_files
from ours import run_w2vspark, stage_seconds, warm_up
from processes import Measured
from quality import Scorer
from scipy import sparse
from scipy.linalg import subspace_angles
from scipy.sparse.linalg import svds

from w2vspark import storage
from w2vspark.output import publish
from w2vspark.stages.ppmi import PPMI
from w2vspark.stages.sparse_rows import scan_sparse_rows
from w2vspark.vectors import WordVectors, load_vectors

CONFIG = PROJECT / "conf" / "ppmi-svd.toml"
SAMPLE_WORDS, FEW, MANY = 8000, 50, 100
AT_DEFAULTS, AT_BEST = 0.03, 1e-3
BEST = ("svd.oversampling=100", "svd.power_iterations=10")
TIMES_PLAIN, WORDSIM, GOOGLE = 3.0, 0.655, 0.30


def measure(report: Report, arguments: argparse.Namespace) -> None:
    """Accuracy, then the whole."""
    files = wiki_files(arguments.quick)
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as name:
        folder = Path(name)
        warm_up()
        run(wiki_files(True)[:1], folder / "first", "training.dimensions=10")  # compiles the kernels of this method
        measure_accuracy(report, files, folder / "sample")
        measure_whole(report, files, folder / "whole")


def run(files: list[Path], output: Path, *settings: str) -> Measured:
    """One run with the ready-made configuration."""
    return run_w2vspark(files, output, *settings, config=CONFIG)


def measure_accuracy(report: Report, files: list[Path], output: Path) -> None:
    """Singular values and subspaces of two settings against scipy's."""
    sample = (f"vocabulary.max_size={SAMPLE_WORDS}", f"training.dimensions={MANY}")
    run(files, output, *sample)
    matrix = read_matrix(output)
    tell(f"scipy's svds of {matrix.shape[0]} x {matrix.shape[1]}, {matrix.nnz} entries")
    left, values, _ = svds(matrix.astype(np.float64), MANY, random_state=1)
    left, values = left[:, ::-1], values[::-1]
    errors, rows = {}, []
    for who, settings in (("defaults", ()), (" ".join(BEST), BEST)):
        if settings:
            run(files, output, *sample, *settings)
        found, vectors = singular_values(output), load_vectors(str(output)).matrix
        error = np.abs(found / values - 1)
        errors[who] = error
        row: Row = {"": who, "error of the top 50": float(error[:FEW].max()), "of the top 100": float(error.max())}
        for size in (10, FEW, MANY):
            angles = np.degrees(subspace_angles(vectors[:, :size], left[:, :size]))
            row |= {f"largest angle, top {size}": float(angles.max()), f"median, top {size}": float(np.median(angles))}
        rows.append(row)
    report.table("singular values (relative error) and left subspaces (degrees) against scipy's svds", rows)
    report.at_most(
        "error of the top 50 singular values, at the defaults", float(errors["defaults"][:FEW].max()), AT_DEFAULTS
    )
    report.at_most(
        "error of the top 100, oversampling 100, 10 power iterations", float(errors[" ".join(BEST)].max()), AT_BEST
    )


def measure_whole(report: Report, files: list[Path], output: Path) -> None:
    """Seconds and scores of the ready-made configuration, and of a plain randomised SVD of the same matrix."""
    ours = run(files, output)
    stages = stage_seconds(ours)
    times = {(event["stage"], event.get("event")): at for at, event in ours.events()}
    wall = times["version", "end"] - times["cooccurrences", "start"]
    passes = [float(event["seconds"]) for _, event in ours.events() if event["stage"] == "round"]
    matrix = read_matrix(output)
    began, cpu = time.perf_counter(), time.process_time()
    vectors, values = plain_svd(matrix)
    plain, plain_cpu = time.perf_counter() - began, time.process_time() - cpu
    scorer, trained = Scorer(shared_data() / "eval"), load_vectors(str(output))
    scores = scorer.scores(trained)
    other = WordVectors(words=trained.words, counts=trained.counts, matrix=(vectors * values**0.5).astype(np.float32))
    rows: list[Row] = [{"": stage, "wall s": seconds} for stage, seconds in stages.items()]
    rows += [{"": f"pass {number}", "wall s": seconds} for number, seconds in enumerate(passes, 1)]
    rows += [
        {"": "encoded text to published vectors", "wall s": wall},
        {"": "the whole run", "wall s": ours.wall, "CPU s": ours.cpu},
        {"": "plain randomised SVD, 3 power iterations", "wall s": plain, "CPU s": plain_cpu},
    ]
    report.table(f"seconds; {matrix.shape[0]} words, {matrix.nnz} entries", [rows[0] | {"CPU s": None}, *rows[1:]])
    report.table(
        "scores",
        [{"": "w2vspark, conf/ppmi-svd.toml"} | scores, {"": "plain randomised SVD, p = 0.5"} | scorer.scores(other)],
    )
    report.at_most("encoded text to published vectors, times the plain SVD alone", wall / plain, TIMES_PLAIN)
    report.at_least("WordSim-353", scores["WordSim-353"], WORDSIM)
    report.at_least("Google", scores["Google"], GOOGLE)


def read_matrix(output: Path) -> sparse.csr_matrix:
    """The matrix of the last run, from its staged table."""
    (record,) = (output / "staging" / PPMI).glob("*/*.json")
    words = publish.resolve(str(output)).manifest["vocabulary"]["words"]
    blocks = list(scan_sparse_rows(str(record.with_suffix("")), PPMI, 0, words))
    ends = np.concatenate([np.diff(block.ends, prepend=0) for block in blocks]).cumsum()
    columns, values = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("columns", "values"))
    return sparse.csr_matrix((values, columns, np.concatenate([[0], ends])), (words, words))


def singular_values(output: Path) -> np.ndarray:
    """The published ones, the largest first."""
    table = storage.read_table(publish.resolve(str(output)).table("singular_values")).sort_by("dimension")
    return table["value"].to_numpy()


def plain_svd(matrix: sparse.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
    """Left vectors and values by Halko, Martinsson & Tropp's algorithm 4.4, as one would write it with NumPy."""
    draw = np.random.default_rng(1)
    basis, _ = np.linalg.qr(matrix @ draw.normal(size=(matrix.shape[1], MANY + 10)).astype(np.float32))
    for _ in range(3):
        other, _ = np.linalg.qr(matrix.T @ basis)
        basis, _ = np.linalg.qr(matrix @ other)
    left, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    return (basis @ left)[:, :MANY], values[:MANY]


if __name__ == "__main__":
    sys.exit(run_script("svd", __doc__, measure))
