"""The map of frequent words: its places, clusters and names."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from reading import Page
from sklearn.metrics import adjusted_rand_score
from versions import matrix_of, publish, words_of

from w2vspark.base import schemas
from w2vspark.report import make_map, make_report, word_map
from w2vspark.report.frequent import read_frequent
from w2vspark.report.word_map import cluster_names, clusters_of

AGAIN = """
import hashlib, sys
from w2vspark.output.publish import read_version
from w2vspark.report import make_map
table = make_map(read_version(sys.argv[1]))
print(hashlib.sha256(table["x"].to_numpy().tobytes() + table["y"].to_numpy().tobytes()).hexdigest())
"""


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return publish(tmp_path_factory.mktemp("map") / "vectors")


@pytest.fixture(scope="module")
def made(version, umap) -> pa.Table:
    return make_map(version)


def test_words_of_one_direction_stand_together(made):
    assert made.schema.equals(schemas.MAP) and made["id"].to_pylist() == list(range(600))
    assert made["word"].to_pylist() == words_of(600)
    places = np.stack([made["x"].to_numpy(), made["y"].to_numpy()], axis=1)[:-1]
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = distances.argmin(axis=1)
    own = np.arange(599) % 10
    assert (own[nearest] == own).mean() > 0.9  # by chance it would be 0.1


def test_the_same_vectors_get_the_same_places(version, made):
    again = make_map(version)
    assert again.equals(made)


@pytest.mark.slow
def test_another_process_gives_the_same_places(version, made, umap):
    found = hashlib.sha256(made["x"].to_numpy().tobytes() + made["y"].to_numpy().tobytes()).hexdigest()
    done = subprocess.run(
        [sys.executable, "-c", AGAIN, version.folder],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(umap)},
    )
    assert done.stdout.strip() == found, done.stderr


def test_clusters_are_the_planted_directions_and_a_word_without_a_vector_has_none():
    matrix = matrix_of(600, seed=1, groups=24)
    clusters = clusters_of(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9))
    assert clusters[-1] == -1 and clusters.dtype == np.int32
    assert adjusted_rand_score(np.arange(599) % 24, clusters[:-1]) > 0.6
    sizes = np.bincount(clusters[:-1])
    assert len(sizes) == 24 and sizes.tolist() == sorted(sizes.tolist(), reverse=True)


def test_few_words_or_equal_vectors_make_fewer_clusters():
    assert clusters_of(np.eye(30, dtype=np.float32)).max() == 0  # 20 words for each cluster at least
    assert set(clusters_of(np.repeat(np.eye(3, dtype=np.float32), 100, axis=0)).tolist()) == {0, 1, 2}
    assert clusters_of(np.zeros((5, 3), np.float32)).tolist() == [-1] * 5


def test_a_cluster_is_named_by_the_words_nearest_to_its_centre(version):
    frequent = read_frequent(version, 600)
    clusters = clusters_of(frequent.unit)
    for number, name in enumerate(cluster_names(frequent, clusters)):
        members = [row for row in range(600) if clusters[row] == number]
        centre = np.mean([frequent.unit[row] for row in members], axis=0)
        nearest = sorted(members, key=lambda row: -float(frequent.unit[row] @ centre))[:3]
        assert name == ", ".join(frequent.words[row] for row in nearest)


def test_a_version_that_has_its_map_already_keeps_it(tmp_path):
    rows = pa.table([[1, 0], ["b", "a"], [1.5, 2.5], [0.0, 1.0], [None, 3]], schema=schemas.MAP)
    found = make_map(publish(tmp_path / "o", more={"map": rows}))
    assert found.equals(rows.sort_by("id"))


def test_without_the_extra_the_page_says_which_command_adds_the_map(version, monkeypatch):
    monkeypatch.setattr(word_map, "find_spec", lambda name: None)
    rows = make_map(version)
    assert len(rows) == 0 and rows.schema.equals(schemas.MAP)
    data = Page(make_report(version, None, rows)).data
    assert data["map"]["missing"].endswith("This command adds it: pip install 'w2vspark[report]'")
