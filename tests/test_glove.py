"""GloVe from text to tables: what is published, that related words are near, and what bad settings are told."""

import json
from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from commands import current, digests, manifest, options, run_here, version_folder

from w2vspark.base import schemas
from w2vspark.methods import from_dict
from w2vspark.training.glove.plan import GloveConfig
from w2vspark.vectors import load_vectors, similar

CHOSEN: dict[str, object] = {
    "training__method": "glove",
    "training__dimensions": 20,
    "training__epochs": 60,
    "cooccurrences__window": 5,
    "glove__x_max": 100,
    "vocabulary__min_count": 1,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("glove") / "corpus", planted.documents(200, seed=8))


def command(corpus: Path, output: Path, **settings: object) -> list[str]:
    return ["run", *options(**({"input__path": corpus, "output__path": output} | CHOSEN | settings))]


@pytest.fixture(scope="module")
def output(spark: object, corpus: Path) -> Path:
    done = run_here(*command(corpus, corpus.parent / "output")).assert_done()
    assert "glove, 20 dimensions; 60 epochs; 1 shard x 8 lanes, 60 rounds, learning rate 0.075, loss" in done.out
    return corpus.parent / "output"


def test_a_run_publishes_vectors_context_biases_and_counts(output):
    folder = version_folder(output)
    tables = {"vectors": schemas.VECTORS, "context": schemas.VECTORS, "biases": schemas.BIASES}
    tables |= {"cooccurrences": schemas.COOCCURRENCES, "metrics": schemas.METRICS, "vocabulary": schemas.VOCABULARY}
    tables |= {"scores": schemas.SCORES}
    assert {entry.name for entry in folder.iterdir()} == tables.keys() | {"artefacts", "manifest.json"}
    for name, schema in tables.items():
        found = pq.read_table(folder / name)
        assert found.schema.names == schema.names and len(found) == current(output)["tables"][name] > 0


def test_the_loss_of_every_epoch_is_there_and_falls(output):
    metrics = pq.read_table(version_folder(output) / "metrics").sort_by("round").to_pydict()
    assert metrics["round"] == list(range(1, 61))
    every_tenth = metrics["loss"][::10]
    assert every_tenth == sorted(every_tenth, reverse=True) and metrics["loss"][-1] < metrics["loss"][0] / 2
    entries = current(output)["tables"]["cooccurrences"]
    assert metrics["tokens"] == [entries] * 60


def test_vectors_and_biases_explain_the_counts(output, corpus, tmp_path):
    run_here(*command(corpus, tmp_path / "both", glove__vectors="both")).assert_done()
    folder = version_folder(tmp_path / "both")
    table = pq.read_table(folder / "vectors").sort_by("id")
    assert table.schema.names == schemas.VECTORS_AND_CONTEXT.names
    words, contexts = (np.array(table[name].to_pylist()) for name in ("vector", "context"))
    np.testing.assert_array_equal(contexts, load_vectors(str(output), "context").matrix)
    np.testing.assert_allclose(words + contexts, load_vectors(str(output)).matrix, rtol=1e-6, atol=1e-7)
    biases = pq.read_table(folder / "biases").sort_by("id").to_pydict()
    counts = pq.read_table(folder / "cooccurrences").to_pydict()
    row, col, weight = (np.array(counts[name]) for name in ("row", "col", "weight"))
    shown = (
        (words[row] * contexts[col]).sum(axis=1) + np.array(biases["bias"])[row] + np.array(biases["context_bias"])[col]
    )
    assert np.corrcoef(shown, np.log(weight))[0, 1] > 0.8
    run_here(*command(corpus, tmp_path / "both", glove__vectors="words")).assert_done()
    np.testing.assert_array_equal(load_vectors(str(tmp_path / "both")).matrix, words.astype(np.float32))


def test_related_words_are_near(output):
    vectors = load_vectors(str(output))
    found = []
    for kind in range(planted.KINDS):
        members = planted.members(kind)
        nearest = {answer.word for answer in similar(vectors, members[0], planted.MEMBERS - 1)}
        found.append(len(nearest & set(members[1:])) / (planted.MEMBERS - 1))
    assert np.mean(found) > 0.8, found


def test_the_manifest_has_what_was_resolved_and_makes_the_run_again(output, corpus, tmp_path):
    config = manifest(output)["config"]
    assert "auto" not in json.dumps(config)
    assert set(config["training"]) == {
        "method", "dimensions", "epochs", "learning_rate", "shards", "lanes", "seed", "cpu_target",
    }  # fmt: skip
    assert from_dict(config)[1][GloveConfig].x_max == config["glove"]["x_max"] == 100.0
    chosen = {f"training__{key}": value for key, value in config["training"].items()}
    run_here(*command(corpus, tmp_path / "again", **chosen)).assert_done()
    assert digests(tmp_path / "again") == digests(output)


@pytest.mark.parametrize("method", ["glove", "ppmi-svd"])
def test_words_that_stand_alone_leave_nothing_to_train(spark, method, tmp_path):
    corpus = planted.write_lines(tmp_path / "corpus", ["one", "two", "one"])
    settings = {"training__method": method, "vocabulary__min_count": 1}
    chosen = {"input__path": corpus, "output__path": tmp_path / "output"} | settings
    run_here("run", *options(**chosen)).assert_one_error(3, "no two words", "cooccurrences.window")


def test_training_that_diverges_ends_with_6_and_says_what_to_lower(corpus, tmp_path):
    failed = run_here(*command(corpus, tmp_path / "output", training__learning_rate=50))
    failed.assert_one_error(6, "is not finite", "lower training.learning_rate")
    assert "training.combine" not in failed.err  # a key that GloVe refuses
