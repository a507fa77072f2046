"""Ranks of documents against NumPy, and what the command prints."""

import json
from pathlib import Path

import lsa_models
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run_here

from w2vspark.base import schemas
from w2vspark.base.errors import InputError, OutputError
from w2vspark.vectors import fold_text, load_lsa, nearest_documents, search_documents

DOCUMENTS = lsa_models.texts(60)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("search") / "run"
    lsa_models.publish_model(output, DOCUMENTS)
    return output


@pytest.mark.parametrize("top", [1, 7, 60, 100])
def test_ranks_are_those_of_all_cosines(run, top):
    table = pq.read_table(run / "versions" / "000001" / "documents")
    rows = np.array(table["vector"].to_pylist())
    query = fold_text(load_lsa(str(run)), "money of the bank").astype(np.float64)
    cosines = rows @ query / np.linalg.norm(rows, axis=1) / np.linalg.norm(query)
    expected = sorted(zip((-cosines).round(12).tolist(), table["doc_id"].to_pylist(), strict=True))[:top]
    found = search_documents(str(run), "Money of the bank!", top)
    assert [hit.doc_id for hit in found] == [doc_id for _, doc_id in expected]
    assert [hit.cosine for hit in found] == pytest.approx([-cosine for cosine, _ in expected], abs=1e-9)
    assert {int(hit.doc_id[3:]) % 3 for hit in found[:5]} <= {0, 1}  # documents with words of the bank


def test_ties_go_by_name_over_all_batches_and_zeros_come_last(tmp_path):
    names = [f"n{number:02}" for number in range(20)][::-1]
    rows = [[1.0, 0.0]] * 19 + [[0.0, 0.0]]
    (tmp_path / "documents").mkdir()
    table = pa.table([names, rows], schema=schemas.DOCUMENTS)
    pq.write_table(table, tmp_path / "documents" / "part-0.parquet", row_group_size=3)
    found = nearest_documents(str(tmp_path), np.array([2, 0], np.float32), 20)
    assert [hit.doc_id for hit in found] == [*sorted(names[:-1]), "n00"]
    assert [hit.cosine for hit in found] == [1.0] * 19 + [0.0]
    assert nearest_documents(str(tmp_path), np.array([2, 0], np.float32), 2) == found[:2]


def test_questions_that_cannot_be_answered_are_errors(run):
    with pytest.raises(InputError, match="0 documents were asked for"):
        search_documents(str(run), "bank", 0)
    with pytest.raises(InputError, match="equally common in all documents"):
        nearest_documents(str(run), np.zeros(4, np.float32))
    with pytest.raises(OutputError, match="has vectors of 4 values, the model of 3"):
        nearest_documents(str(run), np.ones(3, np.float32))


def test_the_command_prints_ranks_as_a_table_or_json(run):
    hits = search_documents(str(run), "fish in the sea", 2)
    done = run_here("search", str(run), "fish in the sea", "--top", "2").assert_done()
    lines = [f"  {hit.doc_id}".ljust(15) + f"  {hit.cosine:.4f}" for hit in hits]
    assert done.out.splitlines() == ["fish in the sea  cosine", *lines]
    done = run_here("search", str(run), "fish in the sea", "--top", "2", "--json").assert_done()
    documents = [{"doc_id": hit.doc_id, "cosine": hit.cosine} for hit in hits]
    assert json.loads(done.out) == {"query": "fish in the sea", "documents": documents}


def test_errors_of_the_command_are_one_line(run, tmp_path):
    run_here("search", str(run), "Xylophones").assert_one_error(3, "no word of 'Xylophones'")
    run_here("search", str(tmp_path / "none"), "sea").assert_one_error(4, "is not there")
    lsa_models.publish_model(tmp_path / "other", DOCUMENTS)
    folder = tmp_path / "other" / "versions" / "000001"
    (folder / "documents").rename(folder / "elsewhere")
    run_here("search", str(tmp_path / "other"), "sea").assert_one_error(
        4, "documents: part-0.parquet is missing", "; run the command again"
    )
