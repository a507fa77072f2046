"""Table centroids: spherical k-means of all words of a model, in passes over its vectors.

The driver has the centroids and a sample of the words. Tasks add up whole numbers (vectors.k_means), so that the sums
are the same for any number of tasks and files.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.schemas import CENTROIDS, CLUSTERS
from w2vspark.output.publish import Version
from w2vspark.spark.arrow import one_row, spark_schema, vector_lists
from w2vspark.spark.listed_files import Batches, TaskRows
from w2vspark.storage.listed import ListedFile, scan_listed
from w2vspark.vectors.k_means import (
    SCALE,
    k_means,
    member_sums,
    moved_centroids,
    nearest_centroids,
    seeded_centroids,
    silhouette,
    whole_units,
)
from w2vspark.vectors.lists import list_rows

MOST_CLUSTERS = 4_096
SAMPLE = 5 * MOST_CLUSTERS  # words that the first centroids are drawn from
SAMPLE_ITERATIONS = 20  # on the sample, before the first pass over all words
SILHOUETTE = 2_000  # words of the silhouette
NAMING = 5  # words of a label
ROWS = 8_192  # that a task compares with the centroids at once
MOST_TASKS, MOST_BYTES = 64, 256 << 20  # of a pass, and of the sums that its tasks send to the driver
FINE = 1 << 32  # cosines are added up as whole multiples of 1 / FINE

_Floats = NDArray[np.float64]
_SUMS = pa.schema([pa.field(name, pa.binary()) for name in ("sums", "members")])  # int64
_SAMPLED = pa.schema([pa.field(name, pa.binary()) for name in ("ids", "rows")])  # int32, and float32
_NEAREST = pa.schema(
    [
        pa.field("cluster", pa.int32()),
        pa.field("size", pa.int64()),
        pa.field("cosines", pa.int64()),
        *[pa.field(name, kind) for name, kind in (("id", pa.int32()), ("word", pa.string()), ("cosine", pa.float64()))],
    ]
)


@dataclass(frozen=True, slots=True)
class Vectors:
    """The table of vectors of a version, as tasks read it."""

    uri: str
    files: tuple[ListedFile, ...]
    words: int

    @classmethod
    def of(cls, version: Version) -> "Vectors":
        """The vectors of a version. Raises OutputError when it has none, or when they are damaged."""
        uri, files = version.table("vectors"), version.listed("vectors")
        return cls(uri, tuple(files), sum(int(file["rows"]) for file in files))


@dataclass(frozen=True, slots=True)
class Found:
    """The clusters of a model."""

    centroids: _Floats  # (k, D), as vectors.k_means.whole_units
    table: pa.Table  # schemas.CENTROIDS
    facts: dict[str, Any]  # for the manifest


def centroids(session: SparkSession, vectors: Vectors, count: int, iterations: int, seed: int) -> Found:
    """Cluster all words. Words with a vector of zeros are in no cluster.

    count: the number of clusters. iterations: the most passes that move the centroids. Raises ValueError when the
    sample has fewer than `count` different directions.
    """
    random = np.random.default_rng([seed, 1])
    sample = _sampled(session, vectors, random, SAMPLE)
    found = k_means(sample, seeded_centroids(sample, count, seed), SAMPLE_ITERATIONS).centroids
    done, converged = 0, False
    while done < iterations and not converged:
        sums = _summed(session, vectors, found)
        before, found = found, moved_centroids(sums, found)
        done, converged = done + 1, np.array_equal(before, found)
    table, mean = _described(session, vectors, found)
    shown = _sampled(session, vectors, np.random.default_rng([seed, 2]), SILHOUETTE)
    width = silhouette(shown, nearest_centroids(shown, found)[0])
    facts = {
        "count": count,
        "iterations": done,
        "converged": converged,
        "mean_cosine": round(mean, 6),
        "silhouette": None if width is None else round(width, 6),
        "silhouette_words": len(shown),
    }
    return Found(found, table, facts)


def clusters(session: SparkSession, vectors: Vectors, found: _Floats) -> TaskRows:
    """Every word with its cluster, as schemas.CLUSTERS, sorted by id within each file. found: the centroids."""
    frame = session.range(0, len(vectors.files), 1, len(vectors.files))
    return TaskRows(frame, partial(cluster_batches, vectors=vectors, found=found), CLUSTERS)


def centroid_units(table: pa.Table) -> _Floats:
    """The centroids of a table of schemas.CENTROIDS, exactly as `centroids` found them: float32 holds such numbers."""
    units: _Floats = list_rows(table["vector"].combine_chunks(), "centroids").astype(np.float64) * SCALE
    return units


def cluster_batches(batches: Batches, vectors: Vectors, found: _Floats) -> Batches:
    """mapInArrow: numbers of files -> rows of schemas.CLUSTERS."""
    for number in _numbers(batches):
        for ids, words, units in _blocks(vectors, [vectors.files[number]]):
            cluster, cosine = nearest_centroids(units, found)
            none = ~units.any(axis=1)
            columns = [ids, words, pa.array(cluster, mask=none), pa.array(cosine, mask=none)]
            yield pa.RecordBatch.from_arrays(columns, schema=CLUSTERS)


def _sampled(session: SparkSession, vectors: Vectors, random: np.random.Generator, most: int) -> _Floats:
    """The units of at most `most` words, drawn at random, by rising id; without vectors of zeros."""
    size = min(most, vectors.words)
    chosen = np.sort(random.choice(vectors.words, size, replace=False, shuffle=False))
    frame = _tasks(session, vectors, partial(sample_batches, vectors=vectors, chosen=chosen), _SAMPLED, MOST_TASKS)
    parts = frame.collect()
    ids = np.concatenate([np.frombuffer(part["ids"], np.int32) for part in parts])
    rows = np.concatenate([np.frombuffer(part["rows"], np.float32) for part in parts]).reshape(len(ids), -1)
    units = whole_units(rows[np.argsort(ids)])
    return units[units.any(axis=1)]


def sample_batches(batches: Batches, vectors: Vectors, chosen: NDArray[np.int64]) -> Batches:
    """mapInArrow: numbers of files -> the ids and vectors of the chosen words."""
    for number in _numbers(batches):
        for batch in scan_listed(vectors.uri, ["id", "vector"], files=[vectors.files[number]]):
            kept = batch.filter(pa.array(np.isin(batch["id"].to_numpy(), chosen)))
            if kept.num_rows:
                yield one_row(_SAMPLED, ids=kept["id"].to_numpy(), rows=list_rows(kept["vector"], vectors.uri))


def _summed(session: SparkSession, vectors: Vectors, found: _Floats) -> NDArray[np.int64]:
    """The sums of the members of each cluster, int64 (k, D)."""
    tasks = max(1, min(MOST_TASKS, MOST_BYTES // found.nbytes))
    frame = _tasks(session, vectors, partial(sum_batches, vectors=vectors, found=found), _SUMS, tasks)
    total = np.zeros(found.shape, np.int64)
    for row in frame.collect():
        sums = np.frombuffer(row["sums"], np.int64).reshape(-1, found.shape[1])
        total[np.frombuffer(row["members"], np.int64)] += sums
    return total


def sum_batches(batches: Batches, vectors: Vectors, found: _Floats) -> Batches:
    """mapInArrow: numbers of files -> one row of sums, of the clusters that have members in these files."""
    sums, sizes = np.zeros(found.shape, np.int64), np.zeros(len(found), np.int64)
    for number in _numbers(batches):
        for _, _, units in _blocks(vectors, [vectors.files[number]]):
            units = units[units.any(axis=1)]
            cluster, _ = nearest_centroids(units, found)
            sums += member_sums(units, cluster, len(found))
            sizes += np.bincount(cluster, minlength=len(found))
    members = np.flatnonzero(sizes)
    yield one_row(_SUMS, sums=sums[members], members=members)


def _described(session: SparkSession, vectors: Vectors, found: _Floats) -> tuple[pa.Table, float]:
    """The table of centroids, with their sizes and labels, and the mean cosine of words with their centroids."""
    frame = _tasks(session, vectors, partial(nearest_batches, vectors=vectors, found=found), _NEAREST, MOST_TASKS)
    sizes, cosines = [0] * len(found), 0
    nearest: list[list[tuple[float, int, str]]] = [[] for _ in found]
    for row in frame.collect():
        sizes[row["cluster"]] += row["size"]
        cosines += row["cosines"]
        nearest[row["cluster"]].append((-row["cosine"], row["id"], row["word"]))
    labels = [", ".join(word for _, _, word in sorted(of_cluster)[:NAMING]) for of_cluster in nearest]
    columns = [
        pa.array(np.arange(len(found), dtype=np.int32)),
        pa.array(sizes, pa.int64()),
        pa.array(labels, pa.string()),
        vector_lists((found / SCALE).astype(np.float32)),
    ]
    return pa.Table.from_arrays(columns, schema=CENTROIDS), cosines / FINE / max(1, sum(sizes))


def nearest_batches(batches: Batches, vectors: Vectors, found: _Floats) -> Batches:
    """mapInArrow: numbers of files -> the words nearest to each centroid; one row of a cluster has its size."""
    best: list[list[tuple[float, int, str]]] = [[] for _ in found]
    sizes, cosines = np.zeros((2, len(found)), np.int64)
    for number in _numbers(batches):
        for ids, words, units in _blocks(vectors, [vectors.files[number]]):
            cluster, cosine = nearest_centroids(units, found)
            cluster[~units.any(axis=1)] = -1
            order = np.lexsort((ids.to_numpy(), -cosine, cluster))
            starts = np.searchsorted(cluster[order], np.arange(len(found) + 1))
            for one in np.flatnonzero(np.diff(starts)):
                rows = order[starts[one] : starts[one + 1]]
                sizes[one] += len(rows)
                cosines[one] += np.rint(cosine[rows] * FINE).astype(np.int64).sum()
                first = [(-float(cosine[row]), ids[row].as_py(), words[row].as_py()) for row in rows[:NAMING].tolist()]
                best[one] = sorted(best[one] + first)[:NAMING]
    rows_of = [
        (one, int(sizes[one]) * (not at), int(cosines[one]) * (not at), id, word, -negative)
        for one in range(len(found))
        for at, (negative, id, word) in enumerate(best[one])
    ]
    yield pa.RecordBatch.from_pylist([dict(zip(_NEAREST.names, row, strict=True)) for row in rows_of], schema=_NEAREST)


def _tasks(
    session: SparkSession, vectors: Vectors, make: Callable[[Batches], Batches], schema: pa.Schema, most: int
) -> DataFrame:
    """The rows that tasks make of the numbers of their files."""
    files = len(vectors.files)
    return session.range(0, files, 1, min(files, most)).mapInArrow(make, spark_schema(schema))


def _numbers(batches: Batches) -> Iterator[int]:
    return (number for batch in batches for number in batch.column(0).to_pylist())


def _blocks(vectors: Vectors, files: Sequence[ListedFile]) -> Iterator[tuple[pa.Array, pa.Array, _Floats]]:
    """The rows of some files, at most ROWS at once: ids, words and units."""
    for batch in scan_listed(vectors.uri, ["id", "word", "vector"], files=files):
        for start in range(0, batch.num_rows, ROWS):
            rows = batch.slice(start, ROWS)
            yield rows["id"], rows["word"], whole_units(list_rows(rows["vector"], vectors.uri))
