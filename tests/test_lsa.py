"""Latent semantic analysis from text to tables: the vectors are NumPy's SVD, and folding gives a document's own row."""

import json
from pathlib import Path

import lsa_models
import numpy as np
import pyarrow.parquet as pq
import pytest
from commands import digests, manifest, options, run_here, version_folder

from w2vspark.vectors import fold_texts, load_lsa, search_documents

DOCUMENTS = lsa_models.texts(90)
SETTINGS: dict[str, object] = {
    "input__format": "json",
    "input__id_column": "id",
    "training__method": "lsa",
    "training__dimensions": 6,
    "vocabulary__min_count": 2,
    "lsa__weighting": "tf-idf",
    "encoded__piece_tokens": 12,
    "svd__oversampling": 17,  # all that there is: as exact as NumPy's
    "svd__power_iterations": 6,
}


def write_corpus(folder: Path, files: int) -> Path:
    """The documents, one that has no word of the vocabulary, and one without any word."""
    lines = [json.dumps({"id": doc_id, "text": text}) for doc_id, text in DOCUMENTS.items()]
    lines += ['{"id": "rare", "text": "xylophones"}', '{"id": "empty", "text": "…"}']
    folder.mkdir()
    for number in range(files):
        (folder / f"part-{number}.json").write_text("\n".join(lines[number::files]) + "\n")
    return folder


def train(corpus: Path, output: Path, **settings: object) -> Path:
    run_here("run", *options(input__path=corpus, output__path=output, **SETTINGS | settings)).assert_done()
    return output


@pytest.fixture(scope="module")
def output(spark: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lsa")
    return train(write_corpus(folder / "corpus", 1), folder / "run")


def test_the_tables_are_those_of_numpys_svd(output):
    folder = version_folder(output)
    found = {name: pq.read_table(folder / name) for name in manifest(output)["tables"]}
    assert set(found) == {"vectors", "documents", "term_weights", "singular_values", "vocabulary", "scores"}
    words = found["term_weights"]
    assert words.select(["id", "word", "count"]).equals(found["vocabulary"].select(["id", "word", "count"]))
    names = found["documents"]["doc_id"].to_pylist()
    rows = lsa_models.rows_of(
        [DOCUMENTS[name] for name in names], words["word"].to_pylist(), words["weight"].to_pylist(), "tf-idf"
    )
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    exponent = manifest(output)["config"]["svd"]["exponent"]
    assert found["singular_values"]["value"].to_numpy() == pytest.approx(s[:6], rel=1e-5)
    for table, expected in (("documents", u), ("vectors", vt.T)):
        vectors = np.array(found[table]["vector"].to_pylist())
        signs = np.sign(np.sum(vectors * expected[:, :6], axis=0))
        assert vectors == pytest.approx(expected[:, :6] * signs * s[:6] ** exponent, abs=1e-4)
    assert manifest(output)["documents"] == {"with_vector": 90, "without_known_words": 1}


def test_documents_of_the_run_fold_to_their_own_rows_by_call_and_by_spark(spark, output, tmp_path):
    table = pq.read_table(version_folder(output) / "documents")
    rows = dict(zip(table["doc_id"].to_pylist(), table["vector"].to_pylist(), strict=True))
    texts = [DOCUMENTS[name] for name in rows]
    vectors = np.array(list(rows.values()))
    assert fold_texts(load_lsa(str(output)), texts) == pytest.approx(vectors, abs=2e-6)
    done = run_here(
        "fold", str(output),
        *options(input__path=output.parent / "corpus", input__format="json", input__id_column="id",
                 output__path=tmp_path / "folded"),
    ).assert_done()  # fmt: skip
    assert "not folded  2: 2 no known word" in done.out
    again = pq.read_table(version_folder(tmp_path / "folded") / "documents")
    for name, vector in zip(again["doc_id"].to_pylist(), again["vector"].to_pylist(), strict=True):
        assert vector == pytest.approx(rows[name], abs=2e-6)
    assert len(again) == len(rows)


def test_a_document_is_the_answer_to_its_own_text(output):
    for name in ("doc000", "doc044"):
        assert search_documents(str(output), DOCUMENTS[name], 1)[0].doc_id == name


def test_files_slots_and_partitions_change_no_byte(spark, output, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", 5)
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "7")
        assert digests(train(corpus, tmp_path / "run")) == digests(output)
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)


@pytest.mark.slow
def test_phrases_of_a_run_are_those_of_its_questions(spark, tmp_path):
    corpus = write_corpus(tmp_path / "corpus", 2)
    output = train(corpus, tmp_path / "run", phrases__thresholds=[2.0], phrases__discount=1)
    phrases = pq.read_table(version_folder(output) / "phrases")
    assert len(phrases)
    table = pq.read_table(version_folder(output) / "documents")
    texts = [DOCUMENTS[name] for name in table["doc_id"].to_pylist()]
    vectors = np.array(table["vector"].to_pylist())
    assert fold_texts(load_lsa(str(output)), texts) == pytest.approx(vectors, abs=2e-6)
