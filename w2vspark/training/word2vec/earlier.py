"""Table earlier: the model from which a run begins, and its vocabulary, from our tables or another program's file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial, reduce
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark import storage
from w2vspark.base.errors import ConfigError, InputError
from w2vspark.base.schemas import (
    ADAGRAD,
    CONTEXT,
    EARLIER,
    NODE_VECTORS,
    NODES,
    SUBWORD_ROWS,
    SUBWORDS,
    VECTORS,
    VECTORS_OF_WORDS,
    VOCABULARY,
    WORDS,
)
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.spark.arrow import spark_schema, vector_lists
from w2vspark.spark.listed_files import listed_frame
from w2vspark.stages.vocabulary import CURRENT
from w2vspark.storage.files import InputFile
from w2vspark.storage.listed import scan_listed
from w2vspark.storage.vector_files import scan_vector_file
from w2vspark.training.word2vec.settings import SubwordsConfig, WarmStartConfig

_SCHEMAS = {"adagrad": ADAGRAD, "subwords": SUBWORDS, "nodes": NODE_VECTORS, "vocabulary": VOCABULARY}
EarlierModel = Version | InputFile  # our own tables, or another program's file


def find_earlier(config: WarmStartConfig, output: str) -> EarlierModel:
    """The model from which a run begins. The run reads this version, even if another one is published meanwhile.

    output: the run's own output folder, for warm_start.path = "current".

    Raises InputError if there is none, OutputError for a damaged version.
    """
    uri = output if config.path == CURRENT else storage.absolute_uri(config.path)
    version = None
    if config.format in ("auto", "w2vspark") and not storage.is_file(uri):
        version = publish.find_version(uri)
    if version is not None:
        return version
    if config.format == "w2vspark":
        raise InputError(f"{config.path}: has no published version to begin from; check warm_start.path")
    files = storage.list_files(uri)
    if len(files) != 1:
        raise InputError(
            f"{config.path}: is neither an output folder of w2vspark with a published version nor a file of vectors; "
            "check warm_start.path"
        )
    return files[0]


def identity(model: EarlierModel) -> dict[str, Any]:
    """Identifies the model's version, for fingerprints."""
    if isinstance(model, Version):
        return {"run": model.run_id, "version": model.name}
    return {"file": model.uri, "size": model.size, "modified": model.modified_ns}


def carries_subwords(model: EarlierModel, subwords: SubwordsConfig) -> bool:
    """Whether the rows of n-grams carry over: the earlier model and this run both have them.

    Raises ConfigError if the two cut or hash words differently, because the same row then has two meanings.
    """
    if not subwords.enabled or not isinstance(model, Version):
        return False
    before = model.manifest.get("config", {}).get("subwords", {"enabled": False})
    if before["enabled"] and before != asdict(subwords):
        raise ConfigError(
            f"subwords = {json.dumps(asdict(subwords))}: the n-grams of {model.folder} are {json.dumps(before)}; set "
            "them to that, or begin from another model"
        )
    return bool(before["enabled"])


@contextmanager
def reading(model: EarlierModel) -> Iterator[None]:
    """A context manager for all reads of the earlier model: raises an error if it was deleted, replaced or changed."""
    if isinstance(model, Version):
        with model.reading("run again"):
            yield
        return
    yield
    if storage.list_files(model.uri) != [model]:
        raise InputError(f"{model.uri}: changed while it was read; run again when nothing writes to it")


def earlier(session: SparkSession, model: EarlierModel, format: str, with_subwords: bool) -> DataFrame:
    """All rows of the earlier model as schemas.EARLIER. A file of vectors is read by one worker.

    format: warm_start.format, for a file. with_subwords: from carries_subwords; if false, a word's row is its published
    vector, even if that is a mean of subwords. Raises OutputError if a table is missing or damaged.
    """
    if not isinstance(model, Version):
        rows = partial(file_batches, uri=model.uri, format=format)
        return session.range(0, 1, 1, 1).mapInArrow(rows, spark_schema(EARLIER)).select(*EARLIER.names)
    has = model.manifest["tables"]
    parts = [(WORDS, "word_rows" if with_subwords else "vectors", "word")]
    if with_subwords:
        parts += [(VECTORS_OF_WORDS, "vectors", "word"), (SUBWORD_ROWS, "subwords", "bucket")]
    if "context" in has:
        parts.append((CONTEXT, "context", "word"))
    if "nodes" in has:
        parts.append((NODES, "nodes", "id"))
    squares = _read(session, model, "adagrad") if "adagrad" in has else None
    found = [_rows(_read(session, model, table), squares, matrix, key) for matrix, table, key in parts]
    return reduce(DataFrame.unionByName, found).select(*EARLIER.names)


def _rows(rows: DataFrame, squares: DataFrame | None, matrix: str, key: str) -> DataFrame:
    """A published table as schemas.EARLIER, with AdaGrad's state if there is one (never with subwords)."""
    own = rows.withColumn("matrix", F.lit(matrix)).withColumn("key", F.col(key).cast("string"))
    if squares is None:
        return own.select("matrix", "key", "vector", F.lit(None).cast("float").alias("squares"))
    of_matrix = squares.where(F.col("matrix") == matrix).select("id", "squares")
    return own.join(of_matrix, "id", "left").select("matrix", "key", "vector", "squares")


def _read(session: SparkSession, version: Version, table: str) -> DataFrame:
    schema = _SCHEMAS.get(table, VECTORS)
    return listed_frame(session, version.table(table), schema, files=version.listed(table))


def file_batches(batches: Iterator[pa.RecordBatch], uri: str, format: str) -> Iterator[pa.RecordBatch]:
    """mapInArrow: a single row -> all words of a file of vectors, as schemas.EARLIER."""
    for _ in batches:
        for words, rows in scan_vector_file(uri, format):
            columns = [
                pa.repeat(WORDS, len(words)), pa.array(words, pa.string()), vector_lists(rows),
                pa.nulls(len(words), pa.float32()),
            ]  # fmt: skip
            yield pa.RecordBatch.from_arrays(columns, schema=EARLIER)


def earlier_vocabulary(session: SparkSession, model: EarlierModel, earlier_uri: str) -> DataFrame:
    """The earlier model's words as schemas.VOCABULARY. A file has no counts, so its words have count 1."""
    if isinstance(model, Version):
        return _read(session, model, "vocabulary").select(*VOCABULARY.names)
    words = listed_frame(session, earlier_uri, EARLIER, where=[("matrix", "==", WORDS)])
    chosen = words.select(F.lit(0).alias("id"), F.col("key").alias("word"), F.lit(1).cast("long").alias("count"))
    return chosen.select(*VOCABULARY.names)


def check_dimensions(earlier_uri: str, config: WarmStartConfig, dimensions: int) -> None:
    """Raise ConfigError if the earlier model's vectors do not have `dimensions` numbers."""
    for batch in scan_listed(earlier_uri, ["vector"]):
        if batch.num_rows:
            found = int(np.diff(batch["vector"].offsets.to_numpy()[:2])[0])
            if found != dimensions:
                raise ConfigError(
                    f"training.dimensions = {dimensions}: the vectors of {config.path} have {found}; set it to that, "
                    "or begin from another model"
                )
            return
