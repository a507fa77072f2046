"""The published version: the trained tables in one list, and what stands beside them."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from w2vspark.base import publish, staging, storage
from w2vspark.base.config import TrainingConfig
from w2vspark.base.schemas import (
    ADAGRAD,
    CODES,
    CONTEXT,
    METRICS,
    MOVEMENT,
    NGRAMS,
    NODE_VECTORS,
    PHRASES,
    VECTORS,
    VECTORS_OF_WORDS,
    WORDS,
)
from w2vspark.manifest import manifest
from w2vspark.run import Run, shapes_of, subword_tables, words_of
from w2vspark.stages.adagrad import adagrad
from w2vspark.stages.codes import codes
from w2vspark.stages.movement import movement, pairs, rotation
from w2vspark.stages.movement import summary as movement_summary
from w2vspark.stages.ngrams import SubwordTables, ngrams
from w2vspark.stages.nodes import nodes
from w2vspark.stages.phrases import read_phrase_table
from w2vspark.stages.table_io import write_table
from w2vspark.stages.vectors import vectors


def publish_vectors(run: Run) -> dict[str, Any]:
    """The published version: trained tables, phrases, vocabulary, metrics, manifest; then current.json."""
    version = publish.next_version(run.output)
    folder = publish.version_path(run.output, version)
    words, rounds = run.records["vocabulary"]["words"], run.records["rounds"]
    tables = {"vectors": words, "vocabulary": words, "metrics": len(rounds["metrics"])}
    for table, schema, count, rows in trained_tables(run):
        write_table(rows, storage.join(folder, table), schema)
        tables[table] = count
    if run.config.warm_start.path:
        rounds["movement"] = publish_movement(run, folder)
        tables["movement"] = rounds["movement"]["words"]
    if "phrases" in run.fingerprints:
        found = read_phrase_table(run.session(), words_of(run).passes)
        write_table(found, storage.join(folder, "phrases"), PHRASES)
        tables["phrases"] = run.records["phrases"]["phrases"]
    storage.copy_folder(run.uri("vocabulary"), storage.join(folder, "vocabulary"))
    storage.write_table(pa.Table.from_pylist(rounds["metrics"], METRICS), storage.join(folder, "metrics"))
    record = manifest(run.config, run.lock.run_id, run.fingerprints, run.records, tables)
    publish.publish(run.output, version, record, run.lock.check)
    publish.prune(run.output, run.config.output.keep_versions)
    staging.discard(run.output, "rounds", run.fingerprints["rounds"])
    return {"version": version, "path": folder}


def trained_tables(run: Run) -> Iterator[tuple[str, pa.Schema, int, DataFrame]]:
    """Name, schema, number of rows and rows of each table that the last round's parameters and the method give."""
    session, vocabulary_uri, words = run.session(), run.uri("vocabulary"), run.records["vocabulary"]["words"]
    parameters_uri, training = run.records["rounds"]["parameters"], TrainingConfig(**run.records["rounds"]["training"])
    dimensions, subwords = training.dimensions, subword_tables(run)

    def rows_of_words(matrix: str, made_of: SubwordTables | None = None) -> DataFrame:
        return vectors(session, matrix, parameters_uri, vocabulary_uri, words, dimensions, made_of)

    yield "vectors", VECTORS, words, rows_of_words(WORDS, subwords)
    if training.loss != "hs":
        yield "context", VECTORS, words, rows_of_words(CONTEXT)
    if subwords is not None:
        yield "word_rows", VECTORS, words, rows_of_words(WORDS)
        yield "ngrams", NGRAMS, subwords.ngrams, ngrams(session, parameters_uri, subwords, words, dimensions)
    if training.loss == "hs":
        yield "nodes", NODE_VECTORS, words - 1, nodes(session, parameters_uri, words - 1, dimensions)
        yield "codes", CODES, words, codes(session, vocabulary_uri, training.cpu_target)
    if training.optimizer == "adagrad":
        matrices = {shape.name: shape.rows for shape in shapes_of(run, training)}
        yield "adagrad", ADAGRAD, sum(matrices.values()), adagrad(session, parameters_uri, matrices, dimensions)


def publish_movement(run: Run, folder: str) -> dict[str, Any]:
    """How far the earlier model's words moved: the table in a version's folder, and what it says in short."""
    uri = storage.join(folder, "movement")
    matrix = VECTORS_OF_WORDS if run.records["earlier"]["with_ngrams"] else WORDS
    joined = pairs(run.session(), storage.join(run.uri("earlier"), "rows"), matrix, storage.join(folder, "vectors"))
    write_table(movement(joined, rotation(joined)), uri, MOVEMENT)
    return movement_summary(uri)
