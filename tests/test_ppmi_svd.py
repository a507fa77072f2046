"""ppmi-svd from text to tables: what is published, that related words are near, and what bad settings are told."""

import json
from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from commands import current, digests, manifest, options, run_here, version_folder

from w2vspark.base import schemas
from w2vspark.methods import from_dict
from w2vspark.training.svd.plan import SvdConfig
from w2vspark.vectors import load_vectors, similar

CHOSEN: dict[str, object] = {
    "training__method": "ppmi-svd",
    "training__dimensions": 20,
    "cooccurrences__window": 5,
    "vocabulary__min_count": 1,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("ppmi") / "corpus", planted.documents(200, seed=8))


def command(corpus: Path, output: Path, **settings: object) -> list[str]:
    return ["run", *options(**({"input__path": corpus, "output__path": output} | CHOSEN | settings))]


@pytest.fixture(scope="module")
def output(spark: object, corpus: Path) -> Path:
    done = run_here(*command(corpus, corpus.parent / "output")).assert_done()
    assert "ppmi-svd, 20 dimensions; random projection to" in done.out
    return corpus.parent / "output"


def test_a_run_publishes_vectors_context_and_singular_values(output):
    folder = version_folder(output)
    tables = {"vectors": schemas.VECTORS, "context": schemas.VECTORS, "vocabulary": schemas.VOCABULARY}
    tables |= {"singular_values": schemas.SINGULAR_VALUES, "cooccurrences": schemas.COOCCURRENCES}
    tables |= {"scores": schemas.SCORES}
    assert {entry.name for entry in folder.iterdir()} == tables.keys() | {"artefacts", "manifest.json"}
    for name, schema in tables.items():
        found = pq.read_table(folder / name)
        assert found.schema.names == schema.names and len(found) == current(output)["tables"][name]
    values = pq.read_table(folder / "singular_values").sort_by("dimension")["value"].to_numpy()
    assert values.size == 20 and (np.diff(values) <= 0).all() and values[-1] > 0
    left, right = load_vectors(str(output)), load_vectors(str(output), "context")
    for matrix in (left.matrix, right.matrix):
        np.testing.assert_allclose(np.linalg.norm(matrix, axis=0), values**0.5, rtol=0.02)


def test_related_words_are_near(output):
    vectors, hits = load_vectors(str(output)), 0
    for kind in range(planted.KINDS):
        members = planted.members(kind)
        hits += len(set(members[1:]) & {found.word for found in similar(vectors, members[0], planted.MEMBERS - 1)})
    assert hits / (planted.KINDS * (planted.MEMBERS - 1)) > 0.9


def test_the_manifest_has_what_was_resolved_and_makes_the_run_again(output):
    config = manifest(output)["config"]
    assert "auto" not in json.dumps(config)
    assert set(config["training"]) == {"method", "dimensions", "seed", "cpu_target"}
    method, again = from_dict(config)
    assert method.name == "ppmi-svd" and again[SvdConfig].exponent == config["svd"]["exponent"]


def test_context_vectors_are_added_where_it_is_asked_for(output, corpus):
    left, right = load_vectors(str(output)).matrix, load_vectors(str(output), "context").matrix
    run_here(*command(corpus, output, ppmi__add_context=True)).assert_done()
    np.testing.assert_allclose(load_vectors(str(output)).matrix, left + right, rtol=1e-5, atol=1e-6)


def test_a_run_at_another_place_has_the_same_bytes(output, corpus):
    other = corpus.parent / "other"
    run_here(*command(corpus, other, ppmi__add_context=True)).assert_done()
    assert digests(other) == digests(output)


def test_what_leaves_nothing_or_too_little_is_told(corpus):
    failed = corpus.parent / "failed"
    nothing = run_here(*command(corpus, failed, ppmi__shift=1e9))
    assert nothing.code == 3 and "lower ppmi.shift" in nothing.err
    many = run_here(*command(corpus, failed, training__dimensions=4000))
    assert many.code == 6 and "lower training.dimensions to" in many.err


def test_a_dry_run_tells_the_memory_of_a_worker(corpus):
    plan = run_here(*command(corpus, corpus.parent / "dry"), "--dry-run").assert_done()
    assert "a worker of the SVD" in plan.out and 'oversampling = "auto"' not in plan.out
