"""Texts folded into a published space, against NumPy and against the documents' own rows."""

import json
import math
from pathlib import Path

import lsa_models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outputs import files_of

from w2vspark.base import schemas
from w2vspark.base.errors import InputError, OutputError
from w2vspark.vectors import fold_text, fold_texts, load_lsa, lsa_model

DOCUMENTS = lsa_models.texts(30)


@pytest.mark.parametrize("weighting", ["tf-idf", "log-entropy"])
@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0])
def test_a_document_of_the_run_gets_back_its_own_row(tmp_path, exponent, weighting):
    left = lsa_models.publish_model(tmp_path / "run", DOCUMENTS, exponent, weighting=weighting)
    found = fold_texts(load_lsa(str(tmp_path / "run")), list(DOCUMENTS.values()))
    assert found.dtype == np.float32
    assert found == pytest.approx(left, abs=1e-6)


def test_with_exponent_0_it_is_the_formula_of_the_textbook(tmp_path):
    lsa_models.publish_model(tmp_path / "run", DOCUMENTS, 0.0)
    folder = tmp_path / "run" / "versions" / "000001"
    words = pq.read_table(folder / "vectors").sort_by("id")
    weights = pq.read_table(folder / "term_weights").sort_by("id")["weight"].to_pylist()
    singular = pq.read_table(folder / "singular_values").sort_by("dimension")["value"].to_numpy()
    u = np.array(words["vector"].to_pylist())
    text = "The bank of the SEA, unheard of: money money"
    (q,) = lsa_models.rows_of(["the bank of the sea unheard of money money"], words["word"].to_pylist(), weights, "")
    assert fold_text(load_lsa(str(tmp_path / "run")), text) == pytest.approx(u.T @ q / singular, abs=1e-6)


def test_a_large_matrix_is_read_in_blocks_and_gives_the_same_bits(tmp_path, monkeypatch):
    lsa_models.publish_model(tmp_path / "run", DOCUMENTS)
    model = load_lsa(str(tmp_path / "run"))
    whole = fold_texts(model, list(DOCUMENTS.values()))
    monkeypatch.setattr(lsa_model, "BLOCK_BYTES", 4 * 4 * 7)  # seven words
    assert [first for first, _ in model.blocks()] == list(range(0, model.weights.size, 7))
    assert fold_texts(model, list(DOCUMENTS.values())).tobytes() == whole.tobytes()


def test_phrases_of_the_run_are_joined(tmp_path):
    documents = {"a": "new_york_city sea", "b": "new york sea", "c": "city bank", "d": "new_york bank"}
    left = lsa_models.publish_model(tmp_path / "run", documents)
    folder = tmp_path / "run" / "versions" / "000001"
    rows = [(1, "new", "", "york"), (2, "new_york", "", "city")]
    columns = [list(column) for column in zip(*[(*row, 9, 1.0) for row in rows], strict=True)]
    (folder / "phrases").mkdir()
    pq.write_table(pa.table(columns, schema=schemas.PHRASES), folder / "phrases" / "part-0.parquet")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["config"]["phrases"]["thresholds"] = [5.0, 2.0]
    manifest["tables"]["phrases"] = 2
    manifest["files"]["phrases"] = files_of(folder / "phrases")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    found = fold_texts(load_lsa(str(folder)), ["New York City sea", "New York bank"])
    assert found == pytest.approx(left[[0, 3]], abs=1e-6)


def test_a_singular_value_of_0_folds_to_0(tmp_path):
    documents = {"a": "sea wave", "b": "sea wave wave", "c": "bank"}
    left = lsa_models.publish_model(tmp_path / "run", documents, dimensions=3, weighting="tf")
    folder = tmp_path / "run" / "versions" / "000001" / "singular_values"
    for file in folder.iterdir():
        table = pq.read_table(file)
        values = np.where(table["dimension"].to_numpy() == 2, 0.0, table["value"].to_numpy())
        pq.write_table(pa.table([table["dimension"], values], schema=schemas.SINGULAR_VALUES), file)
    manifest = json.loads((folder.parent / "manifest.json").read_text())
    manifest["files"]["singular_values"] = files_of(folder)
    (folder.parent / "manifest.json").write_text(json.dumps(manifest))
    vector = fold_text(load_lsa(str(tmp_path / "run")), "sea wave")
    assert vector[2] == 0 and vector[:2] == pytest.approx(left[0, :2], abs=1e-6) and math.isfinite(vector.sum())


def test_a_text_without_a_known_word_is_an_error(tmp_path):
    lsa_models.publish_model(tmp_path / "run", DOCUMENTS)
    model = load_lsa(str(tmp_path / "run"))
    for text in ("", "Xylophones!"):
        with pytest.raises(InputError, match=f"no word of '{text}' is among the 23 words of the model"):
            fold_texts(model, ["sea", text])


def test_models_of_other_methods_and_missing_words_are_errors(tmp_path):
    lsa_models.publish_model(tmp_path / "run", DOCUMENTS)
    folder = tmp_path / "run" / "versions" / "000001"
    (folder / "vectors" / "part-0.parquet").unlink()
    with pytest.raises(OutputError, match=r"vectors: part-0\.parquet is missing .*; run the command again.* rollback"):
        fold_text(load_lsa(str(tmp_path / "run")), "sea")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text(
        '{"run_id": "r", "tables": {}, "files": {}, "config": {"training": {"method": "glove"}}}'
    )
    with pytest.raises(OutputError, match=r"holds a model of glove; documents need one of training\.method = lsa"):
        load_lsa(str(tmp_path / "other"))
    with pytest.raises(OutputError, match="is not there"):
        load_lsa(str(tmp_path / "nowhere"))


def test_bytes_that_are_no_text_are_read_like_a_runs(tmp_path: Path):
    lsa_models.publish_model(tmp_path / "run", DOCUMENTS)
    model = load_lsa(str(tmp_path / "run"))
    odd = b"sea \xff waves".decode("utf-8", "surrogateescape")
    assert fold_text(model, odd).tobytes() == fold_text(model, "sea waves").tobytes()
