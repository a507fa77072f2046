"""The published version: the trained tables in one list, and what stands beside them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import (
    ADAGRAD,
    BIASES,
    CODES,
    CONTEXT,
    DOCUMENTS,
    LEFT,
    METRICS,
    MOVEMENT,
    NGRAMS,
    NODE_VECTORS,
    PHRASES,
    RIGHT,
    SINGULAR_VALUES,
    TERM_WEIGHTS,
    VECTORS,
    VECTORS_AND_CONTEXT,
    VECTORS_OF_WORDS,
    WORDS,
)
from w2vspark.config.config import TrainingConfig
from w2vspark.flow.engine import publish_tables
from w2vspark.flow.manifest import manifest
from w2vspark.flow.run import Run, shapes_of, subword_tables, words_of
from w2vspark.output.candidates import Part
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import TaskRows, write_table
from w2vspark.stages.cooccurrences import COUNTS
from w2vspark.stages.documents import documents, term_weights
from w2vspark.stages.movement import movement, pairs, rotation
from w2vspark.stages.movement import summary as movement_summary
from w2vspark.stages.phrases import read_phrase_table
from w2vspark.stages.vectors import RowSource, matrix_rows, summed_rows, vectors
from w2vspark.storage.listed import write_small
from w2vspark.training.glove.biases import biases
from w2vspark.training.glove.strata import context_rows
from w2vspark.training.tasks import rows_in_free_memory
from w2vspark.training.word2vec.adagrad import adagrad
from w2vspark.training.word2vec.codes import codes
from w2vspark.training.word2vec.composed import composed_rows, composed_tasks
from w2vspark.training.word2vec.nodes import nodes
from w2vspark.training.word2vec.subwords import ngrams

Table = tuple[str, pa.Schema, int, TaskRows | DataFrame]  # name, schema, number of rows, and the rows


def publish_vectors(run: Run) -> dict[str, Any]:
    """The published version: trained tables, phrases, vocabulary, metrics, manifest; then current.json.

    A run that holds its version back leaves it a candidate.
    """
    folder, trained = run.uri("vectors"), run.trained()
    parts = []
    for table, schema, count, rows in trained_tables(run):
        parts.append(_written(folder, table, rows, schema, count))
    if run.config.warm_start.path:
        trained["movement"] = publish_movement(run, folder)
        parts.append(Part("movement", storage.join(folder, "movement")))
    if "phrases" in run.fingerprints:
        found = read_phrase_table(run.session(), words_of(run).passes)
        parts.append(_written(folder, "phrases", found, PHRASES, run.records["phrases"]["phrases"]))
    parts.append(Part("vocabulary", run.uri("vocabulary"), copy=True))
    if "metrics" in trained:
        write_small(pa.Table.from_pylist(trained["metrics"], METRICS), storage.join(folder, "metrics"))
        parts.append(Part("metrics", storage.join(folder, "metrics")))
    if "cooccurrences" in run.fingerprints and run.config.cooccurrences.publish:
        parts.append(Part("cooccurrences", run.uri("cooccurrences"), COUNTS, copy=True))
    record = manifest(run.config, run.held().run_id, run.fingerprints, run.records, trained)
    published = publish_tables(run, parts, record)
    step = "rounds" if "rounds" in run.fingerprints else "svd"
    # The result stays: to publish it in another way, nothing is trained again.
    run.staging.discard_rest(step, run.fingerprints[step], run.parameters())
    return published


def _written(folder: str, table: str, rows: TaskRows | DataFrame, schema: pa.Schema, expected: int) -> Part:
    """Write a table to publish. Raises OutputError where it has not as many rows as expected."""
    uri = storage.join(folder, table)
    found = write_table(rows, uri, schema)
    if found != expected:
        raise OutputError(f"{uri}: has {found} rows, expected {expected}; run the job again to write it anew")
    return Part(table, uri)


def trained_tables(run: Run) -> Iterator[Table]:
    """Name, schema, number of rows and rows of each table that the trained parameters and the method give."""
    tables = {"word2vec": word2vec_tables, "glove": glove_tables, "svd": svd_tables}[run.config.training.family]
    return tables(run, TrainingConfig(**run.trained()["training"]))


def word2vec_tables(run: Run, training: TrainingConfig) -> Iterator[Table]:
    """As trained_tables, for word2vec's methods. training: resolved."""
    session, vocabulary_uri, words = run.session(), run.uri("vocabulary"), run.records["vocabulary"]["words"]
    parameters_uri, dimensions, subwords = run.parameters(), training.dimensions, subword_tables(run)

    def rows_of_words(matrix: str) -> TaskRows:
        return vectors(session, matrix_rows(parameters_uri, matrix, dimensions), vocabulary_uri, words, dimensions)

    if subwords is not None:
        of_words = {"tables": subwords, "words": words, "dimensions": dimensions}
        means = partial(composed_rows, parameters_uri=parameters_uri, matrix=WORDS, **of_words)
        composed = partial(rows_in_free_memory, source=means, target=training.cpu_target)
        tasks = composed_tasks(words, dimensions)
        yield "vectors", VECTORS, words, vectors(session, composed, vocabulary_uri, words, dimensions, tasks=tasks)
    else:
        yield "vectors", VECTORS, words, rows_of_words(WORDS)
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


def glove_tables(run: Run, training: TrainingConfig) -> Iterator[Table]:
    """As trained_tables, for GloVe. training: resolved."""
    session, vocabulary_uri, words = run.session(), run.uri("vocabulary"), run.records["vocabulary"]["words"]
    parameters_uri, dimensions = run.parameters(), training.dimensions
    classes = int(training.shards) * int(training.lanes)

    def rows_of(columns: int) -> tuple[RowSource, RowSource]:
        of_contexts = {"uri": parameters_uri, "words": words, "classes": classes, "columns": columns}
        return matrix_rows(parameters_uri, WORDS, columns), partial(context_rows, **of_contexts)

    of_words, of_contexts = rows_of(dimensions)
    chosen = run.config.glove.vectors
    if chosen == "both":
        both = vectors(session, of_words, vocabulary_uri, words, dimensions, of_contexts)
        yield "vectors", VECTORS_AND_CONTEXT, words, both
    else:
        rows = summed_rows([of_words, of_contexts]) if chosen == "sum" else of_words
        yield "vectors", VECTORS, words, vectors(session, rows, vocabulary_uri, words, dimensions)
    yield "context", VECTORS, words, vectors(session, of_contexts, vocabulary_uri, words, dimensions)
    yield "biases", BIASES, words, biases(session, *rows_of(dimensions + 1), vocabulary_uri, words)


def svd_tables(run: Run, training: TrainingConfig) -> Iterator[Table]:
    """As trained_tables, for ppmi-svd and lsa: of a matrix of words by words, or of documents by words."""
    session, vocabulary_uri, words = run.session(), run.uri("vocabulary"), run.records["vocabulary"]["words"]
    record, parameters_uri, dimensions = run.trained(), run.parameters(), training.dimensions

    def rows_of_words(*matrices: str) -> TaskRows:
        rows = summed_rows([matrix_rows(parameters_uri, matrix, dimensions) for matrix in matrices])
        return vectors(session, rows, vocabulary_uri, words, dimensions)

    if training.method == "ppmi-svd":
        yield "vectors", VECTORS, words, rows_of_words(LEFT, *([RIGHT] if run.config.ppmi.add_context else []))
        yield "context", VECTORS, words, rows_of_words(RIGHT)
    else:
        made, table_uri = run.records["term_document"], run.uri("term_document")
        rows = matrix_rows(parameters_uri, LEFT, dimensions)
        weighting, target = run.config.lsa.weighting, training.cpu_target
        yield "vectors", VECTORS, words, rows_of_words(RIGHT)
        found = documents(session, rows, table_uri, made["documents"], dimensions)
        yield "documents", DOCUMENTS, made["documents"], found
        weights = term_weights(session, table_uri, vocabulary_uri, weighting, made["documents"], target)
        yield "term_weights", TERM_WEIGHTS, words, weights
    values = [(dimension, value) for dimension, value in enumerate(record["singular_values"])]
    frame = session.createDataFrame(values, spark_schema(SINGULAR_VALUES)).coalesce(1)
    yield "singular_values", SINGULAR_VALUES, len(values), frame


def publish_movement(run: Run, folder: str) -> dict[str, Any]:
    """How far the earlier model's words moved: the table in a version's folder, and what it says in short."""
    uri = storage.join(folder, "movement")
    matrix = VECTORS_OF_WORDS if run.records["earlier"]["with_ngrams"] else WORDS
    joined = pairs(run.session(), storage.join(run.uri("earlier"), "rows"), matrix, storage.join(folder, "vectors"))
    write_table(movement(joined, rotation(joined)), uri, MOVEMENT)
    return movement_summary(uri)
