"""Every method from text to tables: what is published, that it learns, and that its bytes depend on nothing else."""

import random
import re
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from commands import current, digests, held, manifest, options, run_here, start_several, version_folder
from methods import METHODS
from test_promises_resume import last_record, trained_rounds

from w2vspark import methods
from w2vspark.base import schemas
from w2vspark.methods import from_dict
from w2vspark.vectors import load_vectors, similar

COLUMNS = {
    "vectors": schemas.VECTORS,
    "context": schemas.VECTORS,
    "word_rows": schemas.VECTORS,
    "nodes": schemas.NODE_VECTORS,
    "codes": schemas.CODES,
    "subwords": schemas.SUBWORDS,
    "adagrad": schemas.ADAGRAD,
    "biases": schemas.BIASES,
    "cooccurrences": schemas.COOCCURRENCES,
    "scores": schemas.SCORES,
    "phrases": schemas.PHRASES,
    "vocabulary": schemas.VOCABULARY,
    "metrics": schemas.METRICS,
    "singular_values": schemas.SINGULAR_VALUES,
    "documents": schemas.DOCUMENTS,
    "term_weights": schemas.TERM_WEIGHTS,
}
COUNTED_TABLES = {
    "glove": {"vectors", "vocabulary", "metrics", "context", "biases", "cooccurrences"},
    "ppmi-svd": {"vectors", "vocabulary", "context", "cooccurrences", "singular_values"},
    "lsa": {"vectors", "vocabulary", "documents", "term_weights", "singular_values"},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("methods") / "corpus", planted.documents(100, seed=8))


def command(method: str, corpus: Path, output: Path, **settings: object) -> list[str]:
    chosen = {"input__path": corpus, "output__path": output} | METHODS[method] | settings
    return ["run", *options(**chosen)]


@pytest.fixture(scope="module")
def outputs(spark: object, corpus: Path) -> dict[str, Path]:
    """A run of every method at local[2], in this process."""
    found = {name: corpus.parent / name for name in METHODS}
    for name, output in found.items():
        run_here(*command(name, corpus, output)).assert_done()
    return found


def tables_of(method: str) -> set[str]:
    """What a method publishes, by the README."""
    settings = METHODS[method]
    if method in COUNTED_TABLES:
        return COUNTED_TABLES[method] | {"scores"}
    found = {"vectors", "vocabulary", "metrics", "scores"}
    found |= {"nodes", "codes"} if str(settings.get("training__method")).endswith("-hs") else {"context"}
    # Several shards train with AdaGrad, but for subwords.
    found |= {"word_rows", "subwords"} if settings.get("subwords__enabled") else {"adagrad"}
    return found | ({"phrases"} if "phrases__thresholds" in settings else set())


def test_every_method_of_the_list_is_tried():
    assert {"skipgram-ns", *(case.get("training__method") for case in METHODS.values())} - {None} == set(
        methods.METHODS
    )


@pytest.mark.parametrize("method", METHODS)
def test_a_method_publishes_its_tables_with_the_columns_of_the_contract(method, outputs):
    folder = version_folder(outputs[method])
    assert {entry.name for entry in folder.iterdir()} == tables_of(method) | {"artefacts", "manifest.json"}
    rows = {}
    for table in tables_of(method):
        found = pq.read_table(folder / table)
        assert found.schema.names == COLUMNS[table].names and len(found)
        rows[table] = len(found)
        if "vector" in found.schema.names:
            values = np.array(found["vector"].to_pylist())
            assert (
                values.shape == (len(found), 20)
                and np.isfinite(values).all()
                and (values != 0).any(axis=1).mean() > 0.9
            )
    assert current(outputs[method])["tables"] == rows
    about, resolved = from_dict(manifest(outputs[method])["config"])
    assert {one.name: one.schema_of(resolved).names for one in about.tables(resolved)} == {
        table: COLUMNS[table].names for table in tables_of(method)
    }
    if "nodes" in rows:
        assert rows["nodes"] == rows["codes"] - 1 == rows["vectors"] - 1


def test_a_word_with_subwords_is_the_mean_of_its_own_row_and_its_n_grams(outputs):
    from w2vspark.vectors.subwords import fnv1a, load_subwords, ngrams_of

    output = outputs["subwords"]
    vectors, own, ngrams = load_vectors(str(output)), load_vectors(str(output), "word_rows"), load_subwords(str(output))
    for word in (planted.country(3), "filler2"):
        at = np.searchsorted(ngrams.buckets, [fnv1a(ngram) % 1000 for ngram in ngrams_of(word, 3, 6)])
        rows = np.concatenate([own.matrix[[own.index[word]]], ngrams.matrix[at]])
        np.testing.assert_allclose(vectors.matrix[vectors.index[word]], rows.mean(axis=0), rtol=1e-4, atol=1e-6)


def test_an_unseen_word_is_near_the_words_that_it_shares_its_n_grams_with(outputs):
    nearest = similar(load_vectors(str(outputs["subwords"])), "countrymen", 5)
    assert all(found.word.startswith("country") for found in nearest), nearest


def test_codes_and_nodes_give_probabilities_that_sum_to_one(outputs):
    folder = version_folder(outputs["skipgram-hs"])
    nodes = np.array(pq.read_table(folder / "nodes").sort_by("id")["vector"].to_pylist())
    codes = pq.read_table(folder / "codes").sort_by("id").to_pylist()
    vectors = load_vectors(str(outputs["skipgram-hs"]))
    assert [row["word"] for row in codes] == vectors.words
    x = vectors.matrix[vectors.index[planted.country(0)]].astype(float)
    shares = []
    for row in codes:
        logits = nodes[row["nodes"]] @ x
        shares.append(np.prod(1 / (1 + np.exp(np.where(np.array(row["code"]) == 0, -logits, logits)))))
    assert sum(shares) == pytest.approx(1.0, abs=1e-9)


def test_phrases_are_words_of_the_vocabulary(outputs):
    folder = version_folder(outputs["phrases"])
    words = set(pq.read_table(folder / "vocabulary")["word"].to_pylist())
    rows = pq.read_table(folder / "phrases").to_pylist()
    assert {row["pass"] for row in rows} == {1, 2}
    joined = {"_".join([row["left"], *row["between"].split(), row["right"]]) for row in rows}
    assert any("_" in word for word in words) and {word for word in words if "_" in word} <= joined


@pytest.fixture(scope="module")
def on_one_slot(outputs: object, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All methods in one process at local[1]: NAME is what was published, NAME-killed what a kill in a round leaves.

    Each run is held for a moment in its second round, and its output copied: one start of Spark for all of them.
    The kernels are compiled by then, for `outputs`: no first round is much longer than the others.
    """
    folder = tmp_path_factory.mktemp("slot")
    seed = random.SystemRandom().randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    draw = random.Random(seed)
    runs = [command(name, corpus, folder / name, spark__master="local[1]") for name in METHODS]
    with start_several(runs, folder / "log") as (process, log):
        for number, name in enumerate(METHODS):
            seconds: list[str] = []
            while len(seconds) <= number:
                assert process.poll() is None, log()[-4000:]
                time.sleep(0.01)
                seconds = re.findall(r"stage=round event=end round=1 .*seconds=([\d.]+)\n", log())
            time.sleep(draw.random() * min(0.4, *map(float, seconds)))  # a round or less: two are to come
            with held(process):
                shutil.copytree(folder / name, folder / f"{name}-killed")
        assert process.wait(timeout=200) == 0, log()[-4000:]
    return folder


@pytest.mark.slow
def test_one_slot_gives_the_bytes_of_two_for_every_method(on_one_slot, outputs):
    for name, output in outputs.items():
        assert digests(on_one_slot / name) == digests(output), name


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_every_method_killed_in_a_round_ends_with_the_same_bytes(method, on_one_slot, outputs, corpus):
    killed = on_one_slot / f"{method}-killed"
    assert not (killed / "current.json").exists()
    done, _ = last_record(killed)
    resumed = run_here(*command(method, corpus, killed)).assert_done()
    assert trained_rounds(resumed.err) == list(range(done + 1, 4)) != []
    assert digests(killed) == digests(outputs[method])


def test_the_methods_are_different_trainings(outputs):
    assert len({digests(output)["vectors"] for output in outputs.values()}) == len(METHODS)
