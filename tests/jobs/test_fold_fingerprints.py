"""Which tables of the folding job are made again, as tests/flow/test_fingerprints.py has it for methods."""

from dataclasses import replace

import pytest
from fingerprinting import fingerprints_of, made_anew, source_of, with_changed

from w2vspark.jobs import JOBS, fold, from_dict
from w2vspark.output.publish import Version

MODEL = Version("/model", "1", {"config": {"tokens": {"tokenizer": "pattern"}}})


def folding(monkeypatch: pytest.MonkeyPatch, corpus: str = "corpus", model: Version = MODEL) -> dict[str, str]:
    """The fingerprints of a run of the job."""
    with monkeypatch.context() as patch:
        patch.setattr(fold.publish, "resolve", lambda output: model)
        patch.setattr(fold, "read_lsa_model", lambda version: None)
        patch.setattr(fold, "corpus_version", lambda config, session: corpus)
        config = from_dict(JOBS["fold"], {"input": {"path": "new"}, "output": {"path": "/nowhere"}})
        return fingerprints_of((JOBS["fold"], config), model="/model")


@pytest.mark.parametrize(
    ("name", "anew"),
    [
        ("w2vspark.jobs.fold.document_rows", {"version"}),
        ("w2vspark.output.candidates.write_candidate", {"version"}),
        ("w2vspark.stages.folded.folded", {"folded", "version"}),
        ("w2vspark.vectors.lsa_model.read_lsa_model", {"folded", "version"}),
        ("w2vspark.text.tokenizer.tokenizer", {"folded", "version"}),
        ("w2vspark.kernels.glove.records.train_records", set()),
        ("w2vspark.methods.word2vec.tables.vector_rows", set()),
        ("w2vspark.output.staging.Staging", set()),
    ],
)
def test_changed_code_folds_or_publishes_anew(name, anew, monkeypatch):
    before = folding(monkeypatch)
    module, _, definition = name.rpartition(".")
    with source_of(monkeypatch, module, with_changed(module, definition)):
        assert made_anew(before, folding(monkeypatch)) == anew


def test_another_corpus_or_model_is_folded_anew(monkeypatch):
    before = folding(monkeypatch)
    for after in (folding(monkeypatch, "other"), folding(monkeypatch, model=replace(MODEL, run_id="2"))):
        assert made_anew(before, after) == {"folded", "version"} and before["request"] != after["request"]
