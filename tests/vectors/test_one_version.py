"""A reader keeps to the version that it resolved first, whatever is published, deleted or damaged meanwhile."""

import re
import shutil
from pathlib import Path

import lsa_models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run_here
from outputs import declare, flip_bit, publish_version

from w2vspark.base import schemas
from w2vspark.base.errors import OutputError
from w2vspark.vectors import (
    WordVectors,
    fold_text,
    load_lsa,
    load_vectors,
    probe,
    search_documents,
    similar,
)
from w2vspark.vectors.subwords import fnv1a, load_subwords, ngrams_of

BUCKETS = 1000
WORDS = ["reading", "writes", "reader"]


def publish_subwords(output: Path, version: str, dimensions: int, value: float) -> Path:
    """A version with subwords; all values of its n-grams are `value`, those of its words `value` + their id."""
    used = sorted({fnv1a(ngram) % BUCKETS for word in WORDS for ngram in ngrams_of(word, 3, 4)})
    rows = [[value + number] * dimensions for number in range(len(WORDS))]
    columns = [np.arange(len(WORDS), dtype=np.int32), WORDS, [9, 8, 7], rows]
    tables = {
        "vectors": pa.table(columns, schema=schemas.VECTORS),
        "subwords": pa.table([used, [[value] * dimensions] * len(used)], schema=schemas.SUBWORDS),
    }
    subwords = {"enabled": True, "min_length": 3, "max_length": 4, "buckets": BUCKETS}
    return publish_version(output, version, tables, config={"subwords": subwords})


def names_both_commands(error: OutputError, output: Path) -> bool:
    return "run the command again" in str(error) and f"w2vspark rollback {output}" in str(error)


@pytest.mark.parametrize("dimensions", [3, 5])
def test_an_unseen_word_has_the_n_grams_of_the_version_that_was_loaded(tmp_path, dimensions):
    publish_subwords(tmp_path, "000001", 3, 1.0)
    vectors = load_vectors(str(tmp_path))
    publish_subwords(tmp_path, "000002", dimensions, 2.0)
    assert vectors.vector("writing").tolist() == [1.0, 1.0, 1.0]
    assert similar(vectors, "writing", 1)[0].word in WORDS
    assert load_vectors(str(tmp_path)).vector("writing").tolist() == [2.0] * dimensions


def test_a_version_folder_and_a_table_folder_have_the_n_grams_of_their_version(tmp_path):
    first = publish_subwords(tmp_path, "000001", 3, 1.0)
    publish_subwords(tmp_path, "000002", 3, 2.0)
    for place in (first, first / "vectors", f"file://{first}/", f"{first}/vectors/"):
        assert load_vectors(str(place)).vector("writing").tolist() == [1.0, 1.0, 1.0]
    assert load_subwords(str(first)).matrix[0].tolist() == [1.0, 1.0, 1.0]
    shutil.copytree(first, tmp_path / "copy")
    assert load_vectors(str(tmp_path / "copy")).vector("writing").tolist() == [1.0, 1.0, 1.0]


def test_a_table_that_was_copied_out_of_its_version_has_no_n_grams(tmp_path):
    first = publish_subwords(tmp_path / "output", "000001", 3, 1.0)
    shutil.copytree(first / "vectors", tmp_path / "mine" / "vectors")
    for place in ("mine", "mine/vectors"):
        assert load_vectors(str(tmp_path / place)).subwords is None


def test_a_version_that_retention_deleted_is_named_with_the_fix(tmp_path):
    first = publish_subwords(tmp_path, "000001", 3, 1.0)
    vectors = load_vectors(str(tmp_path))
    publish_subwords(tmp_path, "000002", 3, 2.0)
    shutil.rmtree(first)
    with pytest.raises(OutputError, match=r"version 000001 was deleted .*; load the vectors again"):
        vectors.vector("writing")
    assert vectors.vector("reader").tolist() == [3.0, 3.0, 3.0], "what is in memory stays"


def test_a_version_made_anew_under_the_same_path_is_not_taken_for_the_old_one(tmp_path):
    publish_subwords(tmp_path, "000001", 3, 1.0)
    vectors = load_vectors(str(tmp_path))
    shutil.rmtree(tmp_path / "versions")
    publish_subwords(tmp_path, "000001", 5, 2.0)
    with pytest.raises(OutputError, match=r"version 000001 was replaced by run .*; load the vectors again"):
        vectors.vector("writing")


def test_a_version_that_is_replaced_while_its_rows_are_read_is_an_error(tmp_path, monkeypatch):
    from w2vspark.vectors import table

    publish_subwords(tmp_path, "000001", 3, 1.0)
    really = table.storage.scan_table

    def replaced(uri, columns):
        shutil.rmtree(tmp_path / "versions")
        publish_subwords(tmp_path, "000001", 5, 2.0)
        return really(uri, columns)

    monkeypatch.setattr(table.storage, "scan_table", replaced)
    with pytest.raises(OutputError, match=r"version 000001 was replaced by run .*; load the vectors again"):
        load_vectors(str(tmp_path))


def test_an_lsa_model_made_anew_under_the_same_path_is_read_anew(tmp_path):
    run = tmp_path / "run"
    lsa_models.publish_model(run, lsa_models.texts(30))
    before = load_lsa(str(run))
    old = fold_text(before, "the bank of the sea")
    shutil.rmtree(run)
    left = lsa_models.publish_model(run, {"a": "sea wave bank", "b": "bank money"}, dimensions=2)
    after = load_lsa(str(run))
    assert fold_text(after, "sea wave bank") == pytest.approx(left[0], abs=1e-6)
    assert after.weights.size == 4 and old.size == 4
    with pytest.raises(OutputError, match=r"was replaced by run .*; load the model again"):
        fold_text(before, "the bank of the sea")  # the matrix is not in memory any more


def test_an_lsa_model_goes_on_with_its_version_when_another_is_published(tmp_path):
    run = tmp_path / "run"
    lsa_models.publish_model(run, lsa_models.texts(30))
    model = load_lsa(str(run))
    expected = fold_text(model, "sea bank")
    lsa_models.publish_model(tmp_path / "other", lsa_models.texts(30, seed=8))
    shutil.copytree(tmp_path / "other" / "versions" / "000001", run / "versions" / "000002")
    shutil.copy(tmp_path / "other" / "current.json", run)
    pointer = (run / "current.json").read_text().replace("000001", "000002")
    (run / "current.json").write_text(pointer)
    newer = load_lsa(str(run))
    assert fold_text(newer, "sea bank").tobytes() != expected.tobytes()
    assert fold_text(model, "sea bank").tobytes() == expected.tobytes()


def test_documents_folded_into_another_version_are_not_compared(tmp_path):
    run, folded = tmp_path / "run", tmp_path / "folded"
    lsa_models.publish_model(run, lsa_models.texts(30))
    first = load_lsa(str(run)).version
    documents = pa.table([["a"], [[1.0, 0.0, 0.0, 0.0]]], schema=schemas.DOCUMENTS)
    into = {"output": str(run), "version": first.name, "run_id": first.run_id}
    publish_version(folded, "000001", {"documents": documents}, model=into)
    assert search_documents(str(run), "sea", documents=str(folded))[0].doc_id == "a"
    shutil.rmtree(run)
    lsa_models.publish_model(run, lsa_models.texts(30))
    with pytest.raises(OutputError, match=r"are of version 000001 of .*; fold them again"):
        search_documents(str(run), "sea", documents=str(folded))


def damaged_by(folder: Path, damage: str, table: str) -> None:
    file = sorted((folder / table).glob("*.parquet"))[-1]
    if damage == "no version":
        shutil.rmtree(folder)
    elif damage == "no manifest":
        (folder / "manifest.json").unlink()
    elif damage == "cut manifest":
        (folder / "manifest.json").write_text('{"tables": {')
    elif damage == "no table":
        shutil.rmtree(folder / table)
    elif damage == "no file":
        file.unlink()
    elif damage == "cut file":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        flip_bit(file, pq.ParquetFile(file).metadata.num_columns - 1)


NAMED = {"no version": "000001/manifest.json", "no manifest": "000001/manifest.json"}
NAMED["cut manifest"] = "000001/manifest.json"
DAMAGES = [*NAMED, "no table", "no file", "cut file", "flipped bit"]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", ["", "versions/000001", "versions/000001/vectors"])
def test_every_damage_of_vectors_is_named_with_the_two_commands_that_mend_it(vectors, tmp_path, damage, place):
    folder = publish_version(tmp_path, "000001", {"vectors": table_of(vectors)})
    damaged_by(folder, damage, "vectors")
    with pytest.raises(OutputError) as caught:
        load_vectors(str(tmp_path / place))
    assert names_both_commands(caught.value, tmp_path), caught.value
    assert re.search(r"/versions/000001(/manifest\.json|/vectors)?: ", str(caught.value)), caught.value
    if damage == "flipped bit":
        assert "CRC checksum" in str(caught.value)


def table_of(vectors: WordVectors) -> pa.Table:
    ids = np.arange(len(vectors.words), dtype=np.int32)
    return pa.table([ids, vectors.words, vectors.counts, vectors.matrix.tolist()], schema=schemas.VECTORS)


@pytest.mark.parametrize("damage", DAMAGES)
def test_so_is_damage_of_n_grams(tmp_path, damage):
    folder = publish_subwords(tmp_path, "000001", 3, 1.0)
    vectors = load_vectors(str(tmp_path))
    damaged_by(folder, damage, "subwords")
    with pytest.raises(OutputError) as caught:
        load_subwords(str(tmp_path))
    assert names_both_commands(caught.value, tmp_path), caught.value
    with pytest.raises(OutputError) as caught:
        vectors.vector("writing")
    assert names_both_commands(caught.value, tmp_path), caught.value


@pytest.mark.parametrize("table", ["vectors", "term_weights", "singular_values", "documents"])
@pytest.mark.parametrize("damage", ["no table", "no file", "cut file"])
def test_so_is_damage_of_an_lsa_model(tmp_path, damage, table):
    lsa_models.publish_model(tmp_path, lsa_models.texts(30))
    damaged_by(tmp_path / "versions" / "000001", damage, table)
    with pytest.raises(OutputError, match=f"/versions/000001/{table}: ") as caught:
        search_documents(str(tmp_path), "sea")
    assert names_both_commands(caught.value, tmp_path), caught.value


@pytest.mark.parametrize("table", ["vocabulary", "cooccurrences"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_so_is_damage_of_counts(tmp_path, damage, table):
    counts = pa.table([[0, 0, 1], [0, 1, 0], [1.0, 2.0, 2.0]], schema=schemas.COOCCURRENCES)
    words = pa.table([np.arange(2, dtype=np.int32), ["a", "b"], [3, 2]], schema=schemas.VOCABULARY)
    folder = publish_version(tmp_path, "000001", {"cooccurrences": counts, "vocabulary": words})
    assert probe(str(tmp_path), "a", "b", ["a"])[0].first == pytest.approx(1 / 3)
    damaged_by(folder, damage, table)
    with pytest.raises(OutputError) as caught:
        probe(str(tmp_path), "a", "b", ["a"])
    assert names_both_commands(caught.value, tmp_path), caught.value


def test_commands_say_so_in_one_line(tmp_path):
    publish_subwords(tmp_path, "000001", 3, 1.0)
    shutil.rmtree(tmp_path / "versions" / "000001" / "vectors")
    file = tmp_path / "pairs.txt"
    file.write_text("reading writes 1\n")
    for words in (
        ("similar", str(tmp_path), "reading"),
        ("analogy", str(tmp_path), *WORDS),
        ("evaluate", str(tmp_path), "--pairs", str(file)),
        ("export", str(tmp_path), str(tmp_path / "x"), "--format", "glove-text"),
    ):
        done = run_here(*words)
        done.assert_one_error(4, f"{tmp_path}/versions/000001/vectors: ", f"w2vspark rollback {tmp_path}")


def test_files_without_checksums_are_read(vectors, tmp_path):
    folder = tmp_path / "versions" / "000001" / "vectors"
    folder.mkdir(parents=True)
    pq.write_table(table_of(vectors), folder / "part-0.parquet")
    declare(tmp_path, "000001", {"vectors": len(vectors.words)})
    assert load_vectors(str(tmp_path)).matrix.tobytes() == vectors.matrix.tobytes()


def test_a_version_deleted_between_current_json_and_its_manifest_is_passed_over(tmp_path, monkeypatch):
    from w2vspark.output import publish

    first = publish_subwords(tmp_path, "000001", 3, 1.0)
    really, read = publish.read_version, []

    def published_meanwhile(folder):
        if not read:
            publish_subwords(tmp_path, "000002", 3, 2.0)
            shutil.rmtree(first)
        read.append(folder)
        return really(folder)

    monkeypatch.setattr(publish, "read_version", published_meanwhile)
    assert load_vectors(str(tmp_path)).vector("writing").tolist() == [2.0, 2.0, 2.0]
