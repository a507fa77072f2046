"""The published version: its tables, and what goes beside them."""

from typing import Any

import pyarrow as pa

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
from w2vspark.stages.ngrams import ngrams
from w2vspark.stages.nodes import nodes
from w2vspark.stages.phrases import read_phrase_table
from w2vspark.stages.table_io import write_table
from w2vspark.stages.vectors import vectors


def publish_vectors(run: Run) -> dict[str, Any]:
    """The published version: vectors, context (or nodes, codes), vocabulary, metrics, manifest; then current.json."""
    version = publish.next_version(run.output)
    folder = publish.version_path(run.output, version)
    words, rounds = run.records["vocabulary"]["words"], run.records["rounds"]
    training, parameters = TrainingConfig(**rounds["training"]), rounds["parameters"]
    tables = {"vectors": words, "vocabulary": words, "metrics": len(rounds["metrics"])}
    subwords = subword_tables(run)
    of_words = {"vectors": WORDS}
    if training.loss != "hs":
        of_words["context"] = CONTEXT
    if subwords is not None:
        of_words["word_rows"] = WORDS
    for table, matrix in of_words.items():
        own = None if matrix == CONTEXT or table == "word_rows" else subwords
        rows = vectors(run.session(), matrix, parameters, run.uri("vocabulary"), words, training.dimensions, own)
        write_table(rows, storage.join(folder, table), VECTORS)
        tables[table] = words
    if subwords is not None:
        rows = ngrams(run.session(), parameters, subwords, words, training.dimensions)
        write_table(rows, storage.join(folder, "ngrams"), NGRAMS)
        tables["ngrams"] = subwords.ngrams
    if training.loss == "hs":
        rows = nodes(run.session(), parameters, words - 1, training.dimensions)
        write_table(rows, storage.join(folder, "nodes"), NODE_VECTORS)
        rows = codes(run.session(), run.uri("vocabulary"), training.cpu_target)
        write_table(rows, storage.join(folder, "codes"), CODES)
        tables |= {"nodes": words - 1, "codes": words}
    if training.optimizer == "adagrad":
        matrices = {shape.name: shape.rows for shape in shapes_of(run, training)}
        rows = adagrad(run.session(), parameters, matrices, training.dimensions)
        write_table(rows, storage.join(folder, "adagrad"), ADAGRAD)
        tables["adagrad"] = sum(matrices.values())
    if run.config.warm_start.path:
        run.records["rounds"]["movement"] = publish_movement(run, folder)
        tables["movement"] = run.records["rounds"]["movement"]["words"]
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


def publish_movement(run: Run, folder: str) -> dict[str, Any]:
    """How far the earlier model's words moved: the table in a version's folder, and what it says in short."""
    uri = storage.join(folder, "movement")
    matrix = VECTORS_OF_WORDS if run.records["earlier"]["with_ngrams"] else WORDS
    joined = pairs(run.session(), storage.join(run.uri("earlier"), "rows"), matrix, storage.join(folder, "vectors"))
    write_table(movement(joined, rotation(joined)), uri, MOVEMENT)
    return movement_summary(uri)
