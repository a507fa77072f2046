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

SentRows = tuple[str, int, pa.Buffer]  # of schemas.ROWS_SENT: matrix, first_id and values


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
    held = np.zeros(counts.size, bool)
    for text, pool in zip(slices, pools, strict=True):
        held[text.ids[text.ids >= 0]] = True
        held[pool] = True
    words = np.flatnonzero(held)
    places = np.cumsum(held, dtype=np.int32) - 1  # in words
    keep = keep_thresholds(counts[words], job.training.subsample, total)
    parts = []
    for text, pool in zip(slices, pools, strict=True):
        ids = np.where(text.ids >= 0, places[text.ids], np.int32(-1))
        parts.append((replace(text, ids=ids), Tables(keep, pool_table(places[pool]))))
    return Share(words, parts)


def wanted_rows(shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Which rows a shard needs, as schemas.ROWS_WANTED: to each place those of its blocks."""
    words = share_of(shard, job).words
    for index, place in enumerate(job.places):
        for shape, blocks, _ in combining_blocks(job.shapes, len(job.places), index):
            first, last = np.searchsorted(words, (blocks[0][0], sum(blocks[-1])))
            if first < last:
                ids = words[first:last].astype(np.int32).tobytes()
                yield one_row(ROWS_WANTED, place=place, shard=shard, matrix=shape.name, ids=ids)


def send_rows(wanted: list[dict[str, Any]], job: RoundJob, targets: tuple[int, ...]) -> Iterator[pa.RecordBatch]:
    """The wanted rows of one place's blocks, as schemas.ROWS_SENT. targets: the key of each shard's partition."""
    for shape, blocks, _ in combining_blocks(job.shapes, len(job.places), job.places.index(wanted[0]["place"])):
        ids = {row["shard"]: np.frombuffer(row["ids"], np.int32) for row in wanted if row["matrix"] == shape.name}
        for first, block in read_blocks(job.parameters_uri, shape, blocks, job.training):
            sent = []
            for shard, rows in ids.items():
                own = rows[slice(*np.searchsorted(rows, (first, first + len(block))))]
                if own.size:
                    found = {"target": targets[shard], "shard": shard, "matrix": shape.name, "first_id": int(own[0])}
                    sent.append(found | {"values": block[own - first].tobytes()})
            if sent:
                yield pa.RecordBatch.from_pylist(sent, ROWS_SENT)


def local_matrices(rows: list[SentRows], share: Share, job: RoundJob) -> list[Matrix]:
    """The rows that a shard was sent as matrices, with as many rows as it has words. Takes them out of the list."""
    shapes = [replace(shape, rows=share.words.size) for shape in job.shapes]
    matrices = {shape.name: make_matrix(shape, int(job.training.lanes)) for shape in shapes}
    while rows:
        name, first_id, values = rows.pop()
        block = np.frombuffer(values, np.float32).reshape(-1, matrices[name].shape.width)
        matrices[name].write(int(np.searchsorted(share.words, first_id)), block)
    return list(matrices.values())


def train_rows(shard: int, rows: list[SentRows], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Train a shard with the rows that it was sent, which are taken out of the list; rows of schemas.CHANGE_FILES."""
    share = share_of(shard, job)
    matrices = local_matrices(rows, share, job)
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
