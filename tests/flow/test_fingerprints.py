"""Golden tables: which tables are made again when a key, a piece of code or a library changes.

The file is long because the tables have a row for every key.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from fingerprinting import (
    Asked,
    asked,
    fingerprints_of,
    made_anew,
    source,
    source_of,
    with_changed,
    write_corpus,
)

from w2vspark.cli.reference import all_settings
from w2vspark.config.keys import keys_of
from w2vspark.fingerprints import fingerprint as fingerprinting
from w2vspark.fingerprints.definitions import definitions, module_files
from w2vspark.fingerprints.fingerprint import PLUMBING, versions_of
from w2vspark.flow.identity import publishing_code, steps_of
from w2vspark.flow.work import VERSION

# What stands beside the defaults in each case. The tables of a case are those that its run has.
CASES: dict[str, dict[str, Any]] = {
    "skipgram-ns": {},
    "cbow-hs": {"training.method": "cbow-hs"},
    "cbow-softmax": {"training.method": "cbow-softmax"},
    "subwords": {"subwords.enabled": True},
    "phrases": {"phrases.thresholds": (5.0,)},
    "warm": {"warm_start.path": "earlier.txt"},
    "glove": {"training.method": "glove"},
    "ppmi-svd": {"training.method": "ppmi-svd"},
    "lsa": {"training.method": "lsa"},
}
TABLES = {
    "skipgram-ns": "word_counts vocabulary encoded bucket_counts rounds version",
    "cbow-hs": "word_counts vocabulary encoded bucket_counts rounds version",
    "cbow-softmax": "word_counts vocabulary encoded bucket_counts rounds version",
    "subwords": "word_counts vocabulary encoded bucket_counts subword_buckets rounds version",
    "phrases": "phrases word_counts vocabulary encoded bucket_counts rounds version",
    "warm": "word_counts earlier vocabulary encoded bucket_counts initial rounds version",
    "glove": "word_counts vocabulary encoded bucket_counts cooccurrences strata rounds version",
    "ppmi-svd": "word_counts vocabulary encoded bucket_counts cooccurrences ppmi svd version",
    "lsa": "word_counts vocabulary encoded bucket_counts term_document svd version",
}
WORD2VEC = "skipgram-ns cbow-hs cbow-softmax subwords phrases warm"
NOT_WARM = "skipgram-ns cbow-hs cbow-softmax subwords phrases glove ppmi-svd lsa"
NOT_PHRASES = "skipgram-ns cbow-hs cbow-softmax subwords glove ppmi-svd lsa"  # nor warm: its path is another one
NEGATIVES = "skipgram-ns subwords phrases warm"

ALL = (
    "phrases word_counts vocabulary encoded bucket_counts subword_buckets initial cooccurrences strata rounds ppmi "
    "term_document svd version"
)
FROM_WORD_COUNTS = ALL.removeprefix("phrases ")
FROM_VOCABULARY = FROM_WORD_COUNTS.removeprefix("word_counts ")
FROM_ENCODED = "encoded bucket_counts cooccurrences strata rounds ppmi term_document svd version"
WITH_KERNELS = "subword_buckets initial cooccurrences strata rounds ppmi term_document svd version"
FROM_EARLIER = "earlier vocabulary encoded bucket_counts subword_buckets initial rounds version"
# The tables that a change of a key makes again: one list for every case, or a list by case. All others stay.
Expected = str | dict[str, str]
KEYS: dict[str, tuple[Any, Expected]] = {
    "input.path": (("other.json",), ALL),
    "input.format": ("parquet", ALL),
    "input.table": ("golden", ALL),
    "input.text_column": ("body", ALL),
    "input.id_column": ("name", ALL),
    "input.max_malformed": (0.5, ""),
    "input.options": ({"mode": "FAILFAST"}, ALL),
    "output.path": ("/elsewhere", ""),
    "output.keep_versions": (7, ""),
    "output.single_writer": (True, ""),
    "tokens.tokenizer": ("whitespace", ALL),
    "tokens.normalize": ("NFC", ALL),
    "tokens.lowercase": (False, ALL),
    "tokens.pattern": (r"\w+", ALL),
    "tokens.min_length": (2, ALL),
    "tokens.max_length": (50, ALL),
    "tokens.numbers": ("zero", ALL),
    "tokens.sentences": ("line", ALL),
    "phrases.thresholds": ((3.0,), ALL),
    "phrases.scoring": ("gensim", {"phrases": ALL}),
    "phrases.discount": (3.0, {"phrases": ALL}),
    "phrases.connector_words": (("of",), {"phrases": ALL}),
    "vocabulary.min_count": (3, FROM_VOCABULARY),
    "vocabulary.max_size": (100, FROM_VOCABULARY),
    "vocabulary.stop_words": (("the",), FROM_VOCABULARY),
    "vocabulary.keep": ("current", {"phrases": ALL, NOT_PHRASES: FROM_VOCABULARY}),
    "encoded.piece_tokens": (500, FROM_ENCODED),
    "encoded.buckets": (128, FROM_ENCODED),
    "subwords.enabled": (
        True,
        {"skipgram-ns cbow-hs cbow-softmax phrases warm": "subword_buckets initial rounds version"},
    ),
    "subwords.min_length": (2, {"subwords": "subword_buckets rounds version"}),
    "subwords.max_length": (7, {"subwords": "subword_buckets rounds version"}),
    "subwords.buckets": (1000, {"subwords": "subword_buckets rounds version"}),
    "warm_start.path": ("other.txt", {WORD2VEC: FROM_EARLIER}),
    "warm_start.format": ("glove-text", {"warm": FROM_EARLIER}),
    "warm_start.learning_rate": (0.01, {"warm": "rounds version"}),
    "warm_start.keep_words": (False, {"warm": "vocabulary encoded bucket_counts initial rounds version"}),
    "training.method": ("skipgram-hs", {}),  # see test_another_method_makes_its_own_tables_anew
    "training.dimensions": (50, "initial rounds svd version"),
    "training.window": (3, {WORD2VEC: "rounds version"}),
    "training.negatives": (7, {NEGATIVES: "rounds version"}),
    "training.cbow_gradient": ("sum", {"cbow-hs cbow-softmax": "rounds version"}),
    "training.softmax_max_words": (500, ""),
    "training.optimizer": ("adagrad", {"skipgram-ns cbow-hs cbow-softmax phrases warm": "initial rounds version"}),
    "training.adagrad_initial": (5.0, {"skipgram-ns cbow-hs cbow-softmax phrases warm": "rounds version"}),
    "training.noise_exponent": (0.5, {NEGATIVES: "rounds version"}),
    "training.rows": ("all", {"skipgram-ns phrases warm": "rounds version"}),
    "training.negative_pool": (90_000, {NEGATIVES: "rounds version"}),
    "training.subsample": (1e-3, {WORD2VEC: "rounds version"}),
    "training.epochs": (2, {WORD2VEC + " glove": "initial rounds version"}),
    "training.learning_rate": (0.03, {WORD2VEC + " glove": "rounds version"}),
    "training.learning_rate_floor": (0.01, {WORD2VEC: "rounds version"}),
    "training.shards": (4, {WORD2VEC + " glove": "initial strata rounds version"}),
    "training.lanes": (3, {WORD2VEC + " glove": "strata rounds version"}),
    "training.rounds_per_epoch": (2.0, {WORD2VEC: "rounds version"}),
    "training.lane_merge_tokens": (1000, {WORD2VEC: "rounds version"}),
    "training.combine": ("mean", {WORD2VEC: "rounds version"}),
    "training.seed": (2, "initial rounds svd version"),
    "training.cpu_target": ("skylake", WITH_KERNELS),
    "cooccurrences.window": (5, {"glove ppmi-svd": "cooccurrences strata rounds ppmi svd version"}),
    "cooccurrences.weighting": ("linear", {"glove ppmi-svd": "cooccurrences strata rounds ppmi svd version"}),
    "cooccurrences.direction": ("left", {"glove ppmi-svd": "cooccurrences strata rounds ppmi svd version"}),
    "cooccurrences.subsample": (1e-3, {"glove ppmi-svd": "cooccurrences strata rounds ppmi svd version"}),
    "cooccurrences.publish": (False, {"glove ppmi-svd": "version"}),
    "glove.x_max": (20.0, {"glove": "rounds version"}),
    "glove.alpha": (0.5, {"glove": "rounds version"}),
    "glove.vectors": ("words", {"glove": "version"}),
    "ppmi.smoothing": (1.0, {"ppmi-svd": "ppmi svd version"}),
    "ppmi.shift": (5.0, {"ppmi-svd": "ppmi svd version"}),
    "ppmi.positive": (False, {"ppmi-svd": "ppmi svd version"}),
    "ppmi.add_context": (True, {"ppmi-svd": "version"}),
    "lsa.weighting": ("tf-idf", {"lsa": "term_document svd version"}),
    "svd.exponent": (1.0, {"ppmi-svd lsa": "svd version"}),
    "svd.oversampling": (20, {"ppmi-svd lsa": "svd version"}),
    "svd.power_iterations": (5, {"ppmi-svd lsa": "svd version"}),
    "gate.pairs": (("pairs.tsv",), ""),
    "gate.analogies": (("analogies.tsv",), ""),
    "gate.floors": ({"pairs": 0.5}, ""),
    "gate.max_fall": (0.1, ""),
    "gate.min_coverage": (0.5, ""),
    "gate.frequent_words": (1000, ""),
    "gate.max_drift": (0.5, ""),
    "gate.min_words": (10, ""),
    "gate.max_zero_rows": (0.5, ""),
    "gate.max_norm_ratio": (9.0, ""),
    "gate.min_documents": (10, ""),
    "gate.min_tokens": (10, ""),
    "gate.max_without_words": (0.5, ""),
    "gate.max_unknown_rise": (0.5, ""),
    "report.page": (False, ""),
    "report.map": (False, ""),
    "spark.master": ("local[3]", ""),
    "spark.driver_memory": ("3g", ""),
    "spark.options": ({"spark.ui.enabled": "true"}, ""),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_corpus(tmp_path_factory.mktemp("fingerprints"))


@pytest.fixture(scope="module")
def config_of(paths: dict[str, str]) -> Callable[..., Asked]:
    """The method and the configuration of a case, with some keys changed."""

    def config(case: str, **changes: Any) -> Asked:
        keys = {"input.path": ("corpus.json",), "input.format": "json", "output.path": "/nowhere"}
        keys |= CASES[case] | {key.replace("__", "."): value for key, value in changes.items()}
        if keys.get("input.table"):
            keys |= {"input.path": (), "input.format": "text"}
        keys["input.path"] = tuple(paths[name] for name in keys["input.path"])
        for key in ("gate.pairs", "gate.analogies"):
            keys[key] = tuple(paths[name] for name in keys.get(key, ()))
        keys["warm_start.path"] = paths.get(keys.get("warm_start.path", ""), "")
        return asked(keys)

    return config


def expected_in(case: str, expected: Expected) -> set[str]:
    if isinstance(expected, dict):
        expected = " ".join(tables for cases, tables in expected.items() if case in cases.split())
    return set(expected.split())


def test_the_golden_table_has_every_key_of_the_configuration():
    assert set(KEYS) == {f"{one.section}.{name}" for one in all_settings() for name in keys_of(one)}


def test_the_cases_have_the_tables_that_they_say(config_of):
    for case, tables in TABLES.items():
        assert [step.table for step in steps_of(*config_of(case))] == tables.split()


@pytest.mark.parametrize("key", [key for key in KEYS if key not in ("input.table", "training.method")])
def test_a_changed_key_makes_just_these_tables_anew(key, config_of):
    value, expected = KEYS[key]
    for case in CASES:
        before = fingerprints_of(config_of(case))
        after = fingerprints_of(config_of(case, **{key: value}))
        present = set(before) | set(after)  # of a configuration that is refused: nothing may be expected
        assert made_anew(before, after) == expected_in(case, expected) & present, case


def test_a_catalog_table_in_place_of_files_makes_all_anew(spark, paths, config_of):
    spark.read.text(paths["corpus.json"]).createOrReplaceTempView("golden")
    for case in CASES:
        before, after = (fingerprints_of(config_of(case, **more), spark) for more in ({}, {"input.table": "golden"}))
        assert made_anew(before, after) == set(ALL.split()) & set(after)
    spark.catalog.dropTempView("golden")


@pytest.mark.parametrize(
    ("case", "method", "anew"),
    [
        ("skipgram-ns", "cbow-ns", "rounds version"),
        ("cbow-hs", "skipgram-hs", "rounds version"),
        ("warm", "cbow-ns", "rounds version"),
        ("warm", "skipgram-hs", "initial rounds version"),
        ("skipgram-ns", "glove", "cooccurrences strata rounds version"),
        ("glove", "ppmi-svd", "ppmi svd version"),
        ("ppmi-svd", "lsa", "term_document svd version"),
        ("lsa", "skipgram-ns", "rounds version"),
    ],
)
def test_another_method_makes_its_own_tables_anew(case, method, anew, config_of):
    before = fingerprints_of(config_of(case))
    assert made_anew(before, fingerprints_of(config_of(case, training__method=method))) == set(anew.split())


@pytest.mark.parametrize(
    ("case", "beside", "key", "value", "anew"),
    [
        ("glove", {"cooccurrences.subsample": 1e-3}, "training.seed", 2, "cooccurrences strata rounds version"),
        ("warm", {"warm_start.learning_rate": 0.01}, "training.learning_rate", 0.03, ""),
        ("warm", {"training.optimizer": "sgd"}, "training.epochs", 2, "rounds version"),
        ("warm", {"training.shards": 2}, "training.epochs", 2, "rounds version"),
        ("skipgram-ns", {"training.shards": 1, "training.lanes": 1}, "training.combine", "mean", ""),
        ("skipgram-ns", {"training.shards": 1}, "training.adagrad_initial", 5.0, ""),
        ("skipgram-ns", {"training.optimizer": "sgd"}, "training.adagrad_initial", 5.0, ""),
        ("cbow-hs", {"training.shards": 1}, "training.adagrad_initial", 5.0, "rounds version"),
        ("skipgram-ns", {}, "input.text_column", "text", ""),
        ("skipgram-ns", {"training.cpu_target": "haswell"}, "training.cpu_target", "haswell", ""),
    ],
)
def test_a_key_that_another_one_puts_out_of_use_makes_nothing_anew(case, beside, key, value, anew, config_of):
    before, after = (fingerprints_of(config_of(case, **(beside | more))) for more in ({}, {key: value}))
    assert made_anew(before, after) == set(anew.split())


def test_the_request_is_the_corpus_and_the_settings_of_the_method(config_of, monkeypatch):
    def request(**changes: Any) -> str:
        return fingerprints_of(config_of("skipgram-ns", **changes))["request"]

    before = request()
    for key, value in (("output.keep_versions", 7), ("spark.master", "local[3]"), ("output.path", "/elsewhere")):
        assert request(**{key: value}) == before
    for key, value in (("input.path", ("other.json",)), ("training.seed", 2), ("training.softmax_max_words", 9)):
        assert request(**{key: value}) != before
    monkeypatch.setattr(fingerprinting, "version", lambda package: "another")
    with source_of(monkeypatch, "w2vspark.flow.version", with_changed("w2vspark.flow.version", "make_version")):
        assert request() == before


def test_no_option_of_the_input_can_be_read_from_a_fingerprint(config_of):
    found = fingerprints_of(config_of("skipgram-ns", **{"input.options": {"password": "secret"}}))
    assert all(len(own) == 16 and "secret" not in own for own in found.values())


# Code. What a change of a definition makes anew, as in KEYS.

CODE: dict[str, Expected] = {
    "w2vspark.flow.version.make_version": "version",
    "w2vspark.methods.word2vec.tables.vector_rows": {WORD2VEC: "version"},
    "w2vspark.methods.word2vec.tables.code_rows": {"cbow-hs": "version"},
    "w2vspark.methods.corpus.vocabulary_rows": "version",
    "w2vspark.methods.corpus.facts": "version",
    "w2vspark.flow.version.manifest": "version",
    "w2vspark.output.candidates.write_candidate": "version",
    "w2vspark.flow.gate.promote_and_prune": "",
    "w2vspark.methods.gate.score": "",
    "w2vspark.report.page.make_report": "",
    "w2vspark.stages.vectors.vectors": "version",
    "w2vspark.stages.phrases.phrases": {"phrases": ALL},
    "w2vspark.text.tokenizer.tokenizer": ALL,
    "w2vspark.text.tokenizer._NUMBER": ALL,
    "w2vspark.stages.corpus.read_corpus": ALL,
    "w2vspark.stages.input.text_column": ALL,
    "w2vspark.flow.run.Run": "earlier " + ALL,
    "w2vspark.spark.listed_files.write_table": "earlier " + ALL,
    "w2vspark.output.publish.Version": {"warm": FROM_EARLIER, NOT_WARM: "version"},
    "w2vspark.training.word2vec.earlier.EarlierModel": {"warm": FROM_EARLIER},
    "w2vspark.base.schemas.ENCODED": FROM_ENCODED,
    "w2vspark.stages.word_counts.read_report": FROM_WORD_COUNTS,
    "w2vspark.methods.corpus.make_word_counts": FROM_WORD_COUNTS,
    "w2vspark.methods.corpus.make_vocabulary": {NOT_WARM: FROM_VOCABULARY},
    "w2vspark.methods.word2vec.warm_start.make_warm_vocabulary": {"warm": FROM_VOCABULARY},
    "w2vspark.stages.vocabulary.number_words": FROM_VOCABULARY,
    "w2vspark.methods.corpus.make_encoded": FROM_ENCODED,
    "w2vspark.stages.encoded.encode_batches": FROM_ENCODED,
    "w2vspark.text.word_ids.WordIds": FROM_ENCODED,
    "w2vspark.stages.encoded.read_buckets": "cooccurrences strata rounds ppmi term_document svd version",
    "w2vspark.methods.corpus.make_bucket_counts": FROM_ENCODED.removeprefix("encoded "),
    "w2vspark.training.word2vec.earlier.earlier": {"warm": FROM_EARLIER},
    "w2vspark.training.word2vec.warm_start.initial_parameters": {"warm": "initial rounds version"},
    "w2vspark.methods.word2vec.family.make_rounds": {WORD2VEC: "rounds version"},
    "w2vspark.training.word2vec.plan.resolve": {WORD2VEC: "initial rounds version"},
    "w2vspark.training.tasks.train_shards": {WORD2VEC: "rounds version"},
    "w2vspark.training.glove.tasks.train_glove": {"glove": "rounds version"},
    "w2vspark.training.lanes.train_lanes": {WORD2VEC: "rounds version"},
    "w2vspark.kernels.word2vec.arguments.Tables": {WORD2VEC: "rounds version"},
    "w2vspark.kernels.combine.combine_changes": {WORD2VEC: "rounds version"},
    "w2vspark.kernels.glove.records.train_records": {"glove": "rounds version"},
    "w2vspark.training.glove.plan.resolve_glove": {"glove": "strata rounds version"},
    "w2vspark.stages.cooccurrences.cooccurrences": {"glove ppmi-svd": "cooccurrences strata rounds ppmi svd version"},
    "w2vspark.methods.glove.make_strata": {"glove": "strata rounds version"},
    "w2vspark.kernels.counts.ppmi.fill_pmi": {"ppmi-svd": "ppmi svd version"},
    "w2vspark.stages.term_document.term_document_job": {"lsa": "term_document svd version"},
    "w2vspark.methods.decomposed.decomposed": {"ppmi-svd lsa": "svd version"},
    "w2vspark.training.svd.decomposition.decompose": {"ppmi-svd lsa": "svd version"},
    "w2vspark.kernels.algebra.sparse_products.add_products": {"ppmi-svd lsa": "svd version"},
    "w2vspark.kernels.compiled.compiled": WITH_KERNELS,
    "w2vspark.base.cpu_target.pin": WITH_KERNELS,
    # What makes no table.
    "w2vspark.flow.engine.perform": "",
    "w2vspark.methods.word2vec.family.STEPS": "",
    "w2vspark.methods.word2vec.family.rounds_settings": "",
    "w2vspark.flow.summary.summary": "",
    "w2vspark.methods.word2vec.family.summary": "",
    "w2vspark.methods.word2vec.family.needed": "",
    "w2vspark.cli.command_line.main": "",
    "w2vspark.api.train": "",
    "w2vspark.jobs.fold.make_folded": "",
    "w2vspark.vectors.query.similar": "",
    "w2vspark.config.config.Config": "",
    "w2vspark.config.load.build": "",
    "w2vspark.base.log.log_start": "",
    "w2vspark.base.errors.InputError": "",
    "w2vspark.output.claims.Claim": "",
    "w2vspark.output.staging.Staging": "",
    "w2vspark.fingerprints.fingerprint.fingerprint": "",
    "w2vspark.flow.progress.Progress": "",
    "w2vspark.spark.session.build_session": "",
    "w2vspark.spark.shared_storage.check_executors": "",
    "w2vspark.spark.worker_errors.worker_errors": "",
    "w2vspark.__version__": "",
}


@pytest.mark.parametrize("name", CODE)
def test_changed_code_makes_just_these_tables_anew(name, config_of, monkeypatch):
    module, _, definition = name.rpartition(".")
    before = {case: fingerprints_of(config_of(case)) for case in CASES}
    with source_of(monkeypatch, module, with_changed(module, definition)):
        for case in CASES:
            after = fingerprints_of(config_of(case))
            assert made_anew(before[case], after) == expected_in(case, CODE[name]) & set(after), case


def test_comments_docstrings_and_formatting_make_nothing_anew(config_of, monkeypatch):
    before = fingerprints_of(config_of("skipgram-ns"))
    text = source("w2vspark.stages.encoded")
    edits = ["# a comment\n" + text, re.sub(r'(?m)^( *"""[A-Z])', r"\1nother. ", text), text.replace(" = ", "  =  ")]
    assert len({text, *edits}) == 4
    for edited in edits:
        with source_of(monkeypatch, "w2vspark.stages.encoded", edited):
            assert fingerprints_of(config_of("skipgram-ns")) == before


def test_all_plumbing_is_there_and_has_its_reason():
    for name, reason in PLUMBING.items():
        module, _, definition = name.rpartition(".")
        assert name in module_files() or definition in definitions(module), f"{name} is gone: remove it from PLUMBING"
        assert reason


# Libraries.


@pytest.mark.parametrize(
    ("library", "anew"),
    [
        ("numba", WITH_KERNELS),
        ("llvmlite", WITH_KERNELS),
        ("numpy", "earlier " + ALL),
        ("pyarrow", "earlier " + ALL),
        ("pyspark", "earlier " + ALL),
        ("jieba", ""),
        ("w2vspark", ""),
    ],
)
def test_another_version_of_a_library_makes_just_these_tables_anew(library, anew, config_of, monkeypatch):
    real = fingerprinting.version
    for case in CASES:
        before = fingerprints_of(config_of(case))
        with monkeypatch.context() as patch:
            patch.setattr(fingerprinting, "version", lambda name: "another" if name == library else real(name))
            after = fingerprints_of(config_of(case))
        assert made_anew(before, after) == set(anew.split()) & set(after), case


def test_jieba_counts_where_it_is_the_tokenizer(config_of, monkeypatch):
    config = config_of("skipgram-ns", **{"tokens.tokenizer": "jieba"})
    before, real = fingerprints_of(config), fingerprinting.version
    monkeypatch.setattr(fingerprinting, "version", lambda name: "another" if name == "jieba" else real(name))
    assert made_anew(before, fingerprints_of(config)) == set(TABLES["skipgram-ns"].split())


def test_another_minor_version_of_python_makes_all_anew_and_another_patch_nothing(config_of, monkeypatch):
    before = fingerprints_of(config_of("warm"))
    major, minor, _ = fingerprinting.platform.python_version_tuple()
    monkeypatch.setattr(fingerprinting.platform, "python_version_tuple", lambda: (major, minor, "99"))
    assert fingerprints_of(config_of("warm")) == before
    monkeypatch.setattr(fingerprinting.platform, "python_version_tuple", lambda: (major, "99", "0"))
    assert made_anew(before, fingerprints_of(config_of("warm"))) == set(TABLES["warm"].split())


def test_the_target_of_kernels_counts_where_numba_does(config_of):
    for case in CASES:
        method, config = config_of(case)
        for step in steps_of(method, config):
            makers = (step.make,) if step.table != VERSION else publishing_code(method, config)
            with_target, with_numba = "cpu_target" in step.settings(config), "numba" in versions_of(*makers)
            if step.table == VERSION:  # by what it is made of
                with_target = with_numba and any("cpu_target" in own.settings(config) for own in method.steps)
            assert with_target == with_numba, step.table
