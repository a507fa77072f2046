"""The figures of a version: the driver and Spark's tasks find the same ones, and they are NumPy's and gensim's."""

import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gensim.models import KeyedVectors
from outputs import declare

from w2vspark.base import schemas
from w2vspark.output.publish import Version, resolve
from w2vspark.stages import version_scores
from w2vspark.stages.version_scores import ScoreJob, figures_by_spark, figures_here
from w2vspark.vectors.test_sets import read_test_sets

WORDS = 600


def published(folder, matrix: np.ndarray, words: list[str]) -> Version:
    rows = pa.table(
        {
            "id": np.arange(len(words), dtype=np.int32),
            "word": words,
            "count": np.arange(len(words), 0, -1),
            "vector": pa.array(matrix.tolist(), pa.list_(pa.float32())),
        },
        schema=schemas.VECTORS,
    )
    table = folder / "versions" / "000001" / "vectors"
    table.mkdir(parents=True)
    for number in range(3):
        pq.write_table(rows.slice(number * 250, 250), table / f"part-{number:05}.parquet")
    declare(folder, "000001", {"vectors": len(words)})
    return resolve(str(folder))


@pytest.fixture
def job(tmp_path) -> ScoreJob:
    draw = np.random.default_rng(11)
    matrix = draw.normal(size=(WORDS, 12)).astype(np.float32)
    matrix[[5, 400]] = 0
    matrix[590] *= 50
    moved = (matrix + draw.normal(scale=0.2, size=matrix.shape)).astype(np.float32)
    words = [f"w{number}" for number in range(WORDS)]
    rows = [f"w{a} w{b} {a % 9}\n" for a, b in draw.integers(0, 650, (300, 2)).tolist()]
    (tmp_path / "similar.txt").write_text("".join(rows))
    tests = read_test_sets([str(tmp_path / "similar.txt")], [])
    now, before = published(tmp_path / "now", matrix, words), published(tmp_path / "before", moved[50:], words[50:])
    return ScoreJob(version=now, tests=tests, frequent=500, previous=before, previous_tests=tests)


def vectors_of(version: Version) -> tuple[list[str], np.ndarray]:
    table = pq.read_table(version.folder + "/vectors").sort_by("id")
    return table["word"].to_pylist(), np.array(table["vector"].to_pylist(), np.float32)


def test_the_driver_and_sparks_tasks_find_the_same_figures(spark, job):
    assert figures_by_spark(spark, job) == figures_here(job)


def test_the_figures_of_all_vectors_are_numpys(job):
    found = {(figure.task, figure.metric): figure for figure in figures_here(job).own}
    lengths = np.linalg.norm(vectors_of(job.version)[1].astype(np.float64), axis=1)
    assert found["vectors", "zero_rows"].value == 2 / WORDS and found["vectors", "zero_rows"].covered == 2
    assert found["vectors", "median_norm"].value == pytest.approx(np.median(lengths[:500]))
    assert found["vectors", "largest_norm_ratio"].value == pytest.approx(lengths[590] / np.median(lengths[:500]))
    assert found["vectors", "not_finite"].value == 0


def test_values_that_are_not_finite_are_counted(tmp_path, job):
    words, matrix = vectors_of(job.version)
    matrix[[3, 555], 4] = [math.nan, math.inf]
    broken = published(tmp_path / "broken", matrix, words)
    (figure,) = [one for one in figures_here(replace(job, version=broken)).own if one.metric == "not_finite"]
    assert figure.value == 2 and figure.total == WORDS


def test_scores_of_both_versions_are_gensims(tmp_path, job):
    found = figures_here(job)
    for version, figures in ((job.version, found.own), (job.previous, found.previous)):
        words, matrix = vectors_of(version)
        peer = KeyedVectors(12)
        peer.add_vectors(words, matrix)
        spearman = peer.evaluate_word_pairs(str(tmp_path / "similar.txt"), delimiter=" ", case_insensitive=False)[1][0]
        (score,) = [figure for figure in figures if figure.metric == "spearman"]
        assert score.task == "similar" and score.value == pytest.approx(spearman, abs=1e-6)


def test_drift_is_the_share_of_gensims_neighbours_that_changed(monkeypatch, job):
    monkeypatch.setattr(version_scores, "DRIFT_WORDS", 40)
    (figure,) = [one for one in figures_here(job).own if one.metric == "drift"]
    peers = []
    common = [word for word in vectors_of(job.version)[0][:500] if int(word[1:]) >= 50]
    for version in (job.version, job.previous):
        words, matrix = vectors_of(version)
        peer = KeyedVectors(12)
        peer.add_vectors(common, matrix[[words.index(word) for word in common]])
        peers.append(peer)
    changed = [
        len({word for word, _ in peers[0].most_similar(asked, topn=10)}
            - {word for word, _ in peers[1].most_similar(asked, topn=10)}) / 10
        for asked in common[:40]
    ]  # fmt: skip
    assert figure.value == pytest.approx(np.mean(changed)) and 0.1 < figure.value < 0.9
    assert (figure.covered, figure.total) == (40, 40)
