"""The second way for rows to reach a worker: a shard gets those that its slices need, and nothing else.

Three steps of one Spark query. A task for each shard finds the words of its slices and draws its pools of negatives; a
task for each run of blocks takes the wanted rows out of them; the task that trains numbers the words that it got anew,
from 0, and goes on as if they were the whole vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark.base.schemas import ROWS_SENT, ROWS_WANTED
from w2vspark.kernels.noise import keep_thresholds
from w2vspark.kernels.word2vec_arguments import Tables, pool_table
from w2vspark.training import word2vec
from w2vspark.training.lanes import Matrix, Slice, make_matrix
from w2vspark.training.parameters import one_row, read_blocks
from w2vspark.training.plan import MatrixShape, RoundJob, combining_blocks
from w2vspark.training.shards import BlockChanges, read_counts, read_slice, send_changes, train_parts


@dataclass(slots=True)
class Share:
    """What a shard trains with in a round: its slices and tables, with words numbered from 0 as `words` lists them."""

    words: np.ndarray  # int64, rising: the words of all its slices and pools
    parts: list[tuple[Slice, Tables]]  # a slice's ids are places in words


def share_of(shard: int, job: RoundJob) -> Share:
    """A shard's slices, pools and words."""
    counts, cumulative = read_counts(job.vocabulary_uri, job.training)
    total = int(counts.sum())
    slices = [read_slice(job.encoded_uri, *part.ranges[shard]) for part in job.round.parts]
    pools = [word2vec.draw_pool(cumulative, job.training, part, shard) for part in job.round.parts]
    words = np.unique(np.concatenate([*(text.ids[text.ids >= 0] for text in slices), *pools])).astype(np.int64)
    keep = keep_thresholds(counts[words], job.training.subsample, total)
    parts = []
    for text, pool in zip(slices, pools, strict=True):
        places = np.searchsorted(words, text.ids).astype(np.int32)
        places[text.ids < 0] = -1
        parts.append((replace(text, ids=places), Tables(keep, pool_table(np.searchsorted(words, pool)))))
    return Share(words, parts)


def wanted_rows(shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Which rows of which blocks a shard needs, as schemas.ROWS_WANTED, each sent to the place that has the block."""
    words = share_of(shard, job).words
    for index, place in enumerate(job.places):
        for shape, blocks, _ in combining_blocks(job.shapes, len(job.places), index):
            for first, rows in blocks:
                own = words[np.searchsorted(words, first) : np.searchsorted(words, first + rows)]
                if own.size:
                    offsets = (own - first).astype(np.int32).tobytes()
                    found = {"place": place, "shard": shard, "matrix": shape.name, "first_id": first}
                    yield one_row(ROWS_WANTED, **found, offsets=offsets)


def send_rows(wanted: list[dict[str, Any]], job: RoundJob, targets: tuple[int, ...]) -> Iterator[pa.RecordBatch]:
    """The wanted rows of one place's blocks, as schemas.ROWS_SENT. targets: the key of each shard's partition."""
    by_block: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in wanted:
        by_block.setdefault((row["matrix"], row["first_id"]), []).append(row)
    for shape, blocks, _ in combining_blocks(job.shapes, len(job.places), job.places.index(wanted[0]["place"])):
        for first, block in read_blocks(job.parameters_uri, shape, blocks, job.training):
            for row in by_block.get((shape.name, first), []):
                values = block[np.frombuffer(row["offsets"], np.int32)].tobytes()
                yield one_row(ROWS_SENT, **row, target=targets[row["shard"]], values=values)


def local_matrices(rows: list[dict[str, Any]], share: Share, job: RoundJob) -> list[Matrix]:
    """The rows that a shard was sent as matrices, with as many rows as it has words."""
    matrices = []
    for shape in job.shapes:
        matrix = make_matrix(replace(shape, rows=share.words.size), int(job.training.lanes))
        for row in rows:
            if row["matrix"] == shape.name:
                offsets = np.frombuffer(row["offsets"], np.int32)
                first = int(np.searchsorted(share.words, row["first_id"] + int(offsets[0])))
                matrix.write(first, np.frombuffer(row["values"], np.float32).reshape(offsets.size, shape.width))
        matrices.append(matrix)
    return matrices


def train_rows(shard: int, rows: list[dict[str, Any]], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Train a shard with the rows that it was sent; rows of schemas.CHANGE_FILES."""
    share = share_of(shard, job)
    matrices = local_matrices(rows, share, job)
    rows.clear()  # their values are in the matrices now
    old = [matrix.read(slice(0, share.words.size)) for matrix in matrices]
    metrics = train_parts(shard, job, matrices, share.parts)
    changes = (
        _local_changes(matrix, shape, before, share.words)
        for matrix, shape, before in zip(matrices, job.shapes, old, strict=True)
    )
    yield from send_changes(shard, job, metrics, changes)


def _local_changes(matrix: Matrix, shape: MatrixShape, old: np.ndarray, words: np.ndarray) -> Iterator[BlockChanges]:
    """All blocks of a matrix of which a worker holds the rows of `words` alone."""
    for first, rows in shape.blocks:
        begin, end = np.searchsorted(words, (first, first + rows))
        local = begin + np.flatnonzero(matrix.updates[begin:end])
        places = (words[local] - first).astype(np.int32)
        yield BlockChanges(shape.name, first, places, matrix.updates[local], old[local], matrix.read(local))
