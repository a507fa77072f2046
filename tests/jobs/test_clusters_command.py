"""`w2vspark clusters`: all words of a model in clusters, the same on any cluster and in any files."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import Outcome, digests, manifest, options, run_here, run_several, version_folder
from outputs import declare
from sklearn.metrics import adjusted_rand_score, silhouette_score

from w2vspark.base import schemas
from w2vspark.stages import centroids as stage
from w2vspark.vectors.k_means import k_means, seeded_centroids, whole_units

WORDS, DIMENSIONS, PLANTED = 3_000, 12, 8
SLOTS = {"one": "local[1]", "three": "local[3]"}


def planted() -> tuple[np.ndarray, np.ndarray]:
    """Vectors around orthogonal directions, of different lengths, and the direction of each; two vectors are zero."""
    random = np.random.default_rng(7)
    directions = np.linalg.qr(random.standard_normal((DIMENSIONS, PLANTED)))[0].T
    truth = random.integers(PLANTED, size=WORDS)
    rows = (directions[truth] + 0.12 * random.standard_normal((WORDS, DIMENSIONS))) * random.uniform(0.1, 9, (WORDS, 1))
    rows[[5, 2999]] = 0
    return rows.astype(np.float32), truth


def publish(output: Path, files: int) -> Path:
    """A model in so many files of unequal sizes."""
    rows, _ = planted()
    ids, words = np.arange(WORDS, dtype=np.int32), [f"word{number}" for number in range(WORDS)]
    table = pa.table([ids, words, np.arange(WORDS, 0, -1), list(rows)], schema=schemas.VECTORS)
    folder = output / "versions" / "000001" / "vectors"
    folder.mkdir(parents=True)
    cuts = [int(WORDS * (number / files) ** 2) for number in range(files + 1)]
    for number in range(files):
        part = table.slice(cuts[number], cuts[number + 1] - cuts[number])
        pq.write_table(part, folder / f"part-{number:05}.parquet", row_group_size=500, write_page_checksum=True)
    declare(output, "000001", {"vectors": WORDS}, method="skipgram-ns")
    return output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return publish(tmp_path_factory.mktemp("clusters") / "model", files=3)


def command(model: Path, output: Path, **settings: object) -> list[str]:
    chosen = {"output__path": output, "clusters__count": PLANTED} | settings
    return ["clusters", str(model), *options(**chosen)]


def cluster(model: Path, output: Path, **settings: object) -> Outcome:
    return run_here(*command(model, output, **settings))


def table(output: Path, name: str) -> pa.Table:
    return pq.read_table(version_folder(output) / name)


@pytest.fixture(scope="module")
def output(spark: object, model: Path) -> Path:
    cluster(model, model.parent / "output").assert_done()
    return model.parent / "output"


def test_planted_clusters_are_found_and_tables_and_manifest_agree(output):
    rows, truth = planted()
    words, centroids = table(output, "clusters").sort_by("id"), table(output, "centroids")
    assert words.schema.equals(schemas.CLUSTERS) and words["id"].to_pylist() == list(range(WORDS))
    own = words["cluster"].to_pylist()
    assert [number for number, one in enumerate(own) if one is None] == [5, 2999]
    assert [number for number, one in enumerate(words["cosine"].to_pylist()) if one is None] == [5, 2999]
    kept = [number for number in range(WORDS) if own[number] is not None]
    found = np.array([own[number] for number in kept])
    assert adjusted_rand_score(truth[kept], found) == 1
    assert centroids["size"].to_pylist() == np.bincount(found, minlength=PLANTED).tolist()
    centres = np.array(centroids["vector"].to_pylist())
    unit = rows[kept] / np.linalg.norm(rows[kept], axis=1, keepdims=True)
    cosines = np.sum(unit * centres[found], axis=1)
    np.testing.assert_allclose(words["cosine"].drop_null().to_numpy(), cosines, atol=1e-6)
    for number, label in enumerate(centroids["label"].to_pylist()):
        members = np.flatnonzero(found == number)
        nearest = members[np.argsort(-cosines[members], kind="stable")[:5]]
        assert label == ", ".join(f"word{kept[row]}" for row in nearest)
        mean = unit[members].sum(axis=0)
        np.testing.assert_allclose(centres[number], mean / np.linalg.norm(mean), atol=1e-6)
    says = manifest(output)["clusters"]
    assert says["converged"] and says["count"] == PLANTED and 1 <= says["iterations"] < 20
    assert says["mean_cosine"] == pytest.approx(cosines.mean(), abs=1e-6)
    assert says["silhouette_words"] in (1998, 1999, 2000)
    whole = silhouette_score(unit, found, metric="cosine")
    assert says["silhouette"] == pytest.approx(whole, abs=0.02)  # of a sample
    assert manifest(output)["model"]["version"] == "000001"


def test_all_words_are_clustered_as_k_means_in_memory_from_the_same_start(spark, model, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "SAMPLE", 500)
    monkeypatch.setattr(stage, "SAMPLE_ITERATIONS", 0)
    cluster(model, tmp_path / "out", clusters__count=30, clusters__iterations=3).assert_done()
    units = whole_units(planted()[0])
    chosen = np.sort(np.random.default_rng([1, 1]).choice(WORDS, 500, replace=False, shuffle=False))
    sample, every = units[chosen], units.any(axis=1)
    expected = k_means(units[every], seeded_centroids(sample[sample.any(axis=1)], 30, 1), 3)
    found = table(tmp_path / "out", "clusters").sort_by("id")
    assert found["cluster"].drop_null().to_pylist() == expected.cluster.tolist()
    assert found["cosine"].drop_null().to_numpy().tobytes() == expected.cosine.tobytes()
    assert not manifest(tmp_path / "out")["clusters"]["converged"]


def test_files_and_tasks_change_no_byte(spark, model, output, tmp_path, monkeypatch):
    expected = digests(output)
    monkeypatch.setattr(stage, "MOST_TASKS", 2)
    cluster(publish(tmp_path / "model", files=7), tmp_path / "out").assert_done()
    assert digests(tmp_path / "out") == expected


@pytest.mark.slow
def test_any_number_of_slots_gives_the_same_bytes(model, output, tmp_path):
    runs = [command(model, tmp_path / name, spark__master=master) for name, master in SLOTS.items()]
    for run in runs:
        run_several([run], {**os.environ}).assert_done()
    assert digests(tmp_path / "one") == digests(tmp_path / "three") == digests(output)


def test_another_seed_gives_other_clusters_and_the_same_again_nothing_to_do(spark, model, output, tmp_path):
    assert cluster(model, output).assert_done().out.startswith("nothing to do")
    many = {"clusters__count": 40, "clusters__iterations": 1}
    cluster(model, tmp_path / "one", **many).assert_done()
    cluster(model, tmp_path / "two", clusters__seed=2, **many).assert_done()
    assert digests(tmp_path / "one")["centroids"] != digests(tmp_path / "two")["centroids"]


def test_the_summary_says_how_good_the_clusters_are(spark, model, tmp_path):
    said = cluster(model, tmp_path / "out").assert_done().out
    assert f"clusters    8 of 3,000 words of {model} (000001)" in said
    assert "quality     mean cosine 0." in said and "no word changed its cluster any more after" in said
    assert "silhouette  0." in said
    plan = run_here(*command(model, tmp_path / "new"), "--dry-run").assert_done().out
    assert "for 3,000 words of the model:\n  a worker " in plan


def test_mistakes_are_one_line(spark, model, tmp_path):
    cluster(tmp_path / "none", tmp_path / "a").assert_one_error(4, "is not there")
    cluster(model, tmp_path / "a", clusters__count=1).assert_one_error(2, "clusters.count = 1", "between 2 and 4096")
    cluster(model, tmp_path / "a", training__seed=3).assert_one_error(2, "training.seed", "the job clusters")
    few = tmp_path / "few"
    folder = few / "versions" / "000001" / "vectors"
    folder.mkdir(parents=True)
    rows = pa.table([[0, 1, 2], ["a", "b", "c"], [3, 2, 1], [[1.0, 0.0]] * 3], schema=schemas.VECTORS)
    pq.write_table(rows, folder / "part-00000.parquet", write_page_checksum=True)
    declare(few, "000001", {"vectors": 3})
    error = cluster(few, tmp_path / "b")
    error.assert_one_error(3, "clusters.count = 8: of 3 words, there are only 1 different directions", "lower it")
    documents = tmp_path / "documents"
    (documents / "versions" / "000001" / "documents").mkdir(parents=True)
    one = pa.table([["x"], [[1.0]]], schema=schemas.DOCUMENTS)
    pq.write_table(one, documents / "versions" / "000001" / "documents" / "part-00000.parquet")
    declare(documents, "000001", {"documents": 1})
    cluster(documents, tmp_path / "c").assert_one_error(4, "no table 'vectors'")
