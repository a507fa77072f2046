"""The figures of a version for the table scores: on test sets, of its vectors, and its drift since another version."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark import storage
from w2vspark.base.schemas import FIGURES
from w2vspark.output.publish import Version
from w2vspark.output.scores import Figure
from w2vspark.spark.arrow import spark_schema
from w2vspark.vectors.drift import DRIFT_WORDS, FREQUENT_WORDS, NEIGHBOURS, neighbour_overlap
from w2vspark.vectors.lists import list_rows
from w2vspark.vectors.query import Method
from w2vspark.vectors.sample import Sample, read_sample
from w2vspark.vectors.test_sets import TestSet, figures_of

# The driver scores a smaller table itself, which takes seconds and needs no Spark. A worker scores a larger one.
MOST_BYTES_HERE = 128 << 20
_SHARES = pa.schema([("word", pa.string()), ("share", pa.float64())])
_NORMS = pa.schema([("rows", pa.int64()), ("zeros", pa.int64()), ("bad", pa.int64()), ("largest", pa.float64())])


@dataclass(frozen=True, slots=True)
class ScoreJob:
    """What is scored."""

    version: Version
    tests: tuple[TestSet, ...]
    frequent: int  # so many frequent words are answers to analogies, and neighbours of each other
    method: Method = "3cosadd"
    previous: Version | None = None  # the version that drift is measured against
    previous_tests: tuple[TestSet, ...] = ()  # test sets that the previous version is scored on too


class Found(NamedTuple):
    """The figures of a version, and those of the previous version on its test sets."""

    own: list[Figure]
    previous: list[Figure]


class _Norms(NamedTuple):
    rows: int
    zeros: int  # rows of length 0
    bad: int  # rows with a value that is not finite
    largest: float  # the largest length; -inf without rows


def is_large(version: Version) -> bool:
    """Whether the table of vectors is too large to be scored by the driver."""
    return bool(sum(file["size"] for file in version.listed("vectors")) > MOST_BYTES_HERE)


def figures_here(job: ScoreJob) -> Found:
    """The figures, computed in this process. Raises OutputError for a damaged table."""
    found = list(_figures(job))
    return _put_together(found, list(map(_norms_of, _files(job.version))))


def figures_by_spark(session: SparkSession, job: ScoreJob) -> Found:
    """The same figures: a task for each file of vectors measures their lengths, and one task all else.

    The driver receives figures only.
    """
    files = _files(job.version)
    lengths = session.range(0, len(files), 1, len(files)).mapInArrow(
        partial(norm_task, files=files), spark_schema(_NORMS)
    )
    scored = session.range(0, 1, 1, 1).mapInArrow(partial(score_task, job=job), spark_schema(FIGURES))
    rows = [row.asDict() for row in scored.collect()]
    found = [(row.pop("previous"), Figure(**row)) for row in rows]
    return _put_together(found, [_Norms(**row.asDict()) for row in lengths.collect()])


def score_task(batches: Iterator[pa.RecordBatch], job: ScoreJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> the figures of a job, as schemas.FIGURES."""
    for _ in batches:
        rows = [{"previous": previous, **asdict(figure)} for previous, figure in _figures(job)]
        yield from pa.Table.from_pylist(rows, schema=FIGURES).to_batches()


def norm_task(batches: Iterator[pa.RecordBatch], files: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of files -> the lengths of their vectors, as _NORMS."""
    for number in chain.from_iterable(batch.column(0).to_pylist() for batch in batches):
        yield pa.RecordBatch.from_pylist([_norms_of(files[number])._asdict()], schema=_NORMS)


def _figures(job: ScoreJob) -> Iterator[tuple[bool, Figure]]:
    """The figures but those of all vectors' lengths, each with whether it is one of the previous version."""
    own = _sample(job.version, job.frequent, job.tests)  # its table has a row: a vocabulary is never empty
    for test in job.tests:
        yield from ((False, figure) for figure in figures_of(own, test, job.method))
    lengths = np.linalg.norm(own.vectors.matrix[: own.frequent].astype(np.float64), axis=1)
    yield False, Figure("vectors", "median_norm", float(np.median(lengths)), own.frequent, own.words)
    if job.previous is None:
        return
    before = _sample(job.previous, job.frequent, job.previous_tests)
    for test in job.previous_tests:
        yield from ((True, figure) for figure in figures_of(before, test, job.method))
    words, shares = shared_neighbours(before, own)
    drift = 1 - float(shares.mean()) if words else math.nan
    yield False, Figure("neighbours", "drift", drift, len(words), min(DRIFT_WORDS, own.words))


def shared_neighbours(old: Sample, new: Sample) -> tuple[list[str], np.ndarray]:
    """Frequent words of both versions, and the share of each word's neighbours that are the same, float64 (words,)."""
    parts = [(one.vectors.words[: one.frequent], one.vectors.unit[: one.frequent]) for one in (old, new)]
    return neighbour_overlap(*parts[0], *parts[1], asked=DRIFT_WORDS, top=NEIGHBOURS)


def shares_by_spark(session: SparkSession, old: Version, new: Version) -> dict[str, float]:
    """The same shares by word, from one task. The driver receives no vectors."""
    task = partial(share_task, old=old, new=new)
    rows = session.range(0, 1, 1, 1).mapInArrow(task, spark_schema(_SHARES)).collect()
    return {row["word"]: row["share"] for row in rows}


def share_task(batches: Iterator[pa.RecordBatch], old: Version, new: Version) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> rows of _SHARES."""
    for _ in batches:
        words, shares = shared_neighbours(read_sample(old, FREQUENT_WORDS), read_sample(new, FREQUENT_WORDS))
        yield pa.RecordBatch.from_arrays([pa.array(words, pa.string()), pa.array(shares)], schema=_SHARES)


def _sample(version: Version, frequent: int, tests: Sequence[TestSet]) -> Sample:
    asked: set[str] = set().union(*(test.words for test in tests))
    return read_sample(version, frequent, asked)


def _files(version: Version) -> list[str]:
    uri = version.table("vectors")
    return [storage.join(uri, file["file"]) for file in version.listed("vectors")]


def _norms_of(uri: str) -> _Norms:
    rows = zeros = bad = 0
    largest = -math.inf
    for batch in storage.scan_table(uri, ["vector"]):
        if not batch.num_rows:
            continue
        lengths = np.linalg.norm(list_rows(batch["vector"], uri).astype(np.float64), axis=1)
        finite = np.isfinite(lengths)
        rows, zeros, bad = rows + len(lengths), zeros + int((lengths == 0).sum()), bad + int((~finite).sum())
        largest = max(largest, float(lengths[finite].max(initial=-math.inf)))
    return _Norms(rows, zeros, bad, largest)


def _put_together(found: Iterable[tuple[bool, Figure]], norms: Sequence[_Norms]) -> Found:
    found = list(found)
    rows, zeros, bad = (sum(one.rows for one in norms), sum(one.zeros for one in norms), sum(one.bad for one in norms))
    own = [figure for previous, figure in found if not previous]
    median = next(figure.value for figure in own if figure.metric == "median_norm")
    largest = max(one.largest for one in norms)
    own += [
        Figure("vectors", "largest_norm_ratio", largest / median if median > 0 else math.nan, rows, rows),
        Figure("vectors", "zero_rows", zeros / rows, zeros, rows),
        Figure("vectors", "not_finite", bad, bad, rows),
    ]
    return Found(own, [figure for previous, figure in found if previous])
