"""How far the words of an older model have moved in a newer one: the tables movement and drift.

First the old vectors are rotated, so that both models are as close as possible (orthogonal Procrustes, Schönemann
1966). A rotation of all vectors does not change any neighbours.
"""

import math
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark.base.errors import InputError
from w2vspark.base.schemas import DRIFT, EARLIER, MOVEMENT, VECTORS
from w2vspark.output.publish import Version
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import TaskRows, listed_frame
from w2vspark.spark.placement import placement_keys
from w2vspark.stages.parameters import BLOCK_ROWS
from w2vspark.storage.listed import count_listed, scan_listed
from w2vspark.vectors.drift import procrustes, row_cosines

MOST_TASKS = 64  # tasks that join the words of both models
DIGITS = 6  # of the published figures, because the rotation's last bits depend on the machine

_Floats = npt.NDArray[np.float64]
_PAIRS = pa.schema([*list(MOVEMENT)[:3], *(pa.field(name, pa.list_(pa.float32())) for name in ("old", "new"))])
_SUMS = pa.schema([pa.field("block", pa.int64()), pa.field("sums", pa.binary())])


def pairs(session: SparkSession, earlier_uri: str, matrix: str, vectors_uri: str) -> DataFrame:
    """The words that an earlier model and a new one have, as `joined` returns them."""
    earlier = listed_frame(session, earlier_uri, EARLIER, where=[("matrix", "==", matrix)])
    old = earlier.select(F.col("key").alias("word"), F.col("vector").alias("old"))
    new = listed_frame(session, vectors_uri, VECTORS).withColumnRenamed("vector", "new")
    return joined(old, new, count_listed(vectors_uri)).select(*_PAIRS.names)


def version_pairs(session: SparkSession, old: Version, new: Version) -> DataFrame:
    """The words that two versions have, as `joined` returns them, with the columns old_id and old_count."""
    of_old, of_new = (
        listed_frame(session, version.table("vectors"), VECTORS, version.listed("vectors")) for version in (old, new)
    )
    names = {"id": "old_id", "count": "old_count", "vector": "old"}
    return joined(
        of_old.withColumnsRenamed(names),
        of_new.withColumnRenamed("vector", "new"),
        sum(file["rows"] for file in new.listed("vectors")),
    )


def joined(old: DataFrame, new: DataFrame, rows: int) -> DataFrame:
    """The words that two models have, with both vectors, sorted by the new id. Each task has whole blocks.

    old: word, old (list<float>), and perhaps others. new: id, word, count, new (list<float>). rows: of the new model.
    """
    blocks = max(1, -(-rows // BLOCK_ROWS))
    tasks = min(blocks, MOST_TASKS)
    keys = F.array(*map(F.lit, placement_keys(tasks)))
    task = F.floor(F.floor(F.col("id") / BLOCK_ROWS) * tasks / blocks).cast("int")
    both = new.join(old, "word").withColumn("task", F.element_at(keys, task + 1))
    return both.repartition(tasks, "task").sortWithinPartitions("id").drop("task")


def rotation(both: DataFrame, dimensions: int | None = None) -> _Floats:
    """The rotation of the old vectors, float64 (D, D). The driver receives one D x D sum.

    both: with the columns old and new. dimensions: of the old vectors; None = as many as the new ones have. If they
    differ, the matrix is the nearest one with orthogonal rows or columns.
    """
    blocks = both.mapInArrow(sum_batches, spark_schema(_SUMS))
    ordered = blocks.repartition(1).sortWithinPartitions("block")
    rows = ordered.mapInArrow(add_batches, spark_schema(_SUMS)).collect()
    if not rows:
        raise InputError("the two models have no word in common, so they cannot be compared")
    total = np.frombuffer(rows[0]["sums"], np.float64)
    return procrustes(total.reshape(dimensions or math.isqrt(total.size), -1))


def sum_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of _PAIRS, sorted by id -> old^T new of each block, as _SUMS."""
    for block, old, new in _blocks(batches):
        yield pa.RecordBatch.from_arrays([pa.array([block]), pa.array([(old.T @ new).tobytes()])], schema=_SUMS)


def add_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """mapInArrow: all rows of _SUMS, in the order of their blocks -> one row with their sum."""
    total: Any = 0.0
    for batch in batches:
        for sums in batch["sums"]:
            total = total + np.frombuffer(sums.as_buffer(), np.float64)
    if isinstance(total, np.ndarray):  # one partition has all rows; others may be empty
        yield pa.RecordBatch.from_arrays([pa.array([0]), pa.array([total.tobytes()])], schema=_SUMS)


def _blocks(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, _Floats, _Floats]]:
    """Yield whole blocks, even if their rows are in several batches."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        numbers = batch["id"].to_numpy() // BLOCK_ROWS
        edges = np.flatnonzero(np.diff(numbers)) + 1
        for begin, end in pairwise([0, *edges.tolist(), batch.num_rows]):
            rows = batch.slice(begin, end - begin)
            if waiting and waiting[0]["id"][0].as_py() // BLOCK_ROWS != numbers[begin]:
                yield _joined(waiting)
                waiting = []
            waiting.append(rows)
    if waiting:
        yield _joined(waiting)


def _joined(batches: list[pa.RecordBatch]) -> tuple[int, _Floats, _Floats]:
    old, new = (np.concatenate([_matrix(batch[name]) for batch in batches]) for name in ("old", "new"))
    return batches[0]["id"][0].as_py() // BLOCK_ROWS, old, new


def movement(both: DataFrame, matrix: _Floats) -> TaskRows:
    """Cosine and distance between each word's rotated old vector and its new one, as schemas.MOVEMENT, by rising id."""
    return TaskRows(both, partial(movement_batches, matrix=matrix), MOVEMENT)


def movement_batches(batches: Iterator[pa.RecordBatch], matrix: _Floats) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of _PAIRS -> rows of schemas.MOVEMENT. A zero vector has cosine 0."""
    for batch in batches:
        yield pa.RecordBatch.from_arrays(
            [*(batch[name] for name in ("id", "word", "count")), *_figures(batch, matrix)], schema=MOVEMENT
        )


def drift(both: DataFrame, matrix: _Floats, shares: Mapping[str, float]) -> TaskRows:
    """How far each word of two versions moved, as schemas.DRIFT, by rising new id.

    both: from version_pairs. shares: the share of the nearest neighbours that stayed, for some frequent words.
    """
    return TaskRows(both, partial(drift_batches, matrix=matrix, shares=shares), DRIFT)


def drift_batches(
    batches: Iterator[pa.RecordBatch], matrix: _Floats, shares: Mapping[str, float]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of version_pairs -> rows of schemas.DRIFT. A zero vector has cosine 0."""
    for batch in batches:
        kept = pa.array([shares.get(word) for word in batch["word"].to_pylist()], pa.float64())
        columns = [batch[name] for name in ("id", "word", "count", "old_id", "old_count")]
        yield pa.RecordBatch.from_arrays([*columns, *_figures(batch, matrix), kept], schema=DRIFT)


def _figures(batch: pa.RecordBatch, matrix: _Floats) -> list[pa.Array]:
    """Cosines and distances of the rows of a batch."""
    old, new = _matrix(batch["old"]) @ matrix, _matrix(batch["new"])
    distances = np.linalg.norm(new - old, axis=1)
    return [pa.array(np.round(values, DIGITS)) for values in (row_cosines(old, new), distances)]


def _matrix(column: pa.ListArray) -> _Floats:
    values: _Floats = column.flatten().to_numpy().astype(np.float64).reshape(len(column), -1)
    return values


def summary(uri: str, most: int = 5) -> dict[str, Any]:
    """A summary of the written table: words, mean cosine, and the words with 100 or more tokens that moved farthest."""
    words = cosines = 0.0
    farthest: list[tuple[float, str]] = []
    for batch in scan_listed(uri, ["word", "count", "cosine"]):
        values = batch["cosine"].to_numpy()
        words, cosines = words + len(values), cosines + float(values.sum())
        frequent = np.flatnonzero(batch["count"].to_numpy() >= 100)
        near = frequent[np.argsort(values[frequent], kind="stable")[:most]]
        farthest += [(float(values[i]), batch["word"][int(i)].as_py()) for i in near]
    found = sorted(farthest)[:most]
    return {
        "words": int(words),
        "mean_cosine": round(cosines / max(words, 1.0), DIGITS),
        "farthest": [word for _, word in found],
    }
