"""A worker's part of a round: train one shard's slices, and combine the shards' changes block by block."""

import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark.base import storage
from w2vspark.base.config import TrainingConfig
from w2vspark.base.schemas import CHANGES, METRICS_MATRIX, PARAMETERS
from w2vspark.kernels.combine import combine_changes
from w2vspark.stages.encoded import read_buckets
from w2vspark.training import skipgram
from w2vspark.training.lanes import Matrix, Slice, make_matrix
from w2vspark.training.parameters import (
    BlockReader,
    block_batch,
    block_starts,
    check_finite,
    fill_matrix,
    parameter_batches,
)
from w2vspark.training.tasks import RoundJob


def read_slice(uri: str, first: int, last: int) -> Slice:
    """The pieces of buckets first … last - 1 as flat arrays, in the order (bucket, doc_id, piece)."""
    table = read_buckets(uri, first, last)
    buckets = table["bucket"].to_numpy()
    lists = table["ids"].combine_chunks()
    if isinstance(lists, pa.ChunkedArray):  # of an empty table
        lists = pa.concat_arrays(lists.chunks) if lists.num_chunks else pa.array([], lists.type)
    ids = lists.values.to_numpy()
    starts = lists.offsets.to_numpy().astype(np.int64)
    separators = np.concatenate([[0], np.cumsum(ids < 0, dtype=np.int64)])
    tokens = np.diff(starts) - np.diff(separators[starts])
    numbers = np.arange(buckets.size) - np.searchsorted(buckets, buckets)
    return Slice(ids, starts, tokens, buckets, numbers.astype(np.int32))


def train_shard(shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    """One metrics row, then the shard's new rows (one shard) or its changes, as batches of one block."""
    began = time.perf_counter()
    matrices = _load_matrices(job)
    tables = _tables(job.vocabulary_uri, tuple(storage.list_names(job.vocabulary_uri)), job.training)
    loss, pairs, tokens = 0.0, 0, 0
    for part in job.round.parts:
        text = read_slice(job.encoded_uri, *part.ranges[shard])
        tokens += int(text.tokens.sum())
        part_loss, part_pairs, _ = skipgram.train_slice(
            matrices, tables, text, job.training, part.epoch, part.start, part.tokens, job.total_tokens, job.threads
        )
        loss, pairs = loss + part_loss, pairs + part_pairs
    last = job.round.parts[-1]
    one_shard = job.training.shards == 1
    yield block_batch(
        PARAMETERS if one_shard else CHANGES,
        matrix=METRICS_MATRIX,
        first_id=shard,
        rows=0,
        shard=shard,
        tokens=tokens,
        loss=loss / max(1, pairs),
        seconds=time.perf_counter() - began,
        learning_rate=skipgram.learning_rate(job.training, (last.start + last.tokens) / job.total_tokens),
    )
    for matrix in matrices:
        matrix.lanes = matrix.base[None]  # the copies are not needed any more
        if one_shard:
            yield from parameter_batches(matrix.name, matrix.base, job.words, job.training)
        else:
            yield from _change_batches(matrix, shard, job)


def combine_blocks(batches: Iterator[pa.RecordBatch], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Rows of CHANGES sorted by (matrix, first_id, shard) -> rows of PARAMETERS; metrics pass through."""
    reader = BlockReader(job.parameters_uri, job.training)
    group: list[dict[str, Any]] = []
    for batch in batches:
        for place in range(batch.num_rows):
            row = batch.slice(place, 1).to_pylist()[0]
            if row["matrix"] == METRICS_MATRIX:
                yield block_batch(PARAMETERS, **{name: row[name] for name in PARAMETERS.names})
                continue
            if group and (row["matrix"], row["first_id"]) != (group[0]["matrix"], group[0]["first_id"]):
                yield _combined(group, reader, job.training)
                group = []
            group.append(row)
    if group:
        yield _combined(group, reader, job.training)


def _load_matrices(job: RoundJob) -> list[Matrix]:
    matrices = []
    for name, rows in skipgram.held_rows(job.words).items():
        matrix = make_matrix(name, rows, job.training.dimensions, int(job.training.lanes))
        fill_matrix(job.parameters_uri, name, job.words, job.training, matrix.base)
        matrices.append(matrix)
    return matrices


@lru_cache(maxsize=1)
def _tables(uri: str, _files: tuple[str, ...], training: TrainingConfig) -> skipgram.Tables:
    vocabulary = storage.read_table(uri, ["id", "count"]).sort_by("id")
    return skipgram.make_tables(vocabulary["count"].to_numpy(), training)


def _change_batches(matrix: Matrix, shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    reader = BlockReader(job.parameters_uri, job.training)
    for first, rows in block_starts(job.words, job.training.dimensions):
        updates = matrix.updates[first : first + rows]
        touched = np.flatnonzero(updates).astype(np.int32)
        if touched.size == 0 and shard != 0:  # shard 0 names every block, so that none is lost
            continue
        new = matrix.base[first + touched, : job.training.dimensions]
        check_finite(matrix.name, first, new)
        yield block_batch(
            CHANGES,
            matrix=matrix.name,
            first_id=first,
            rows=rows,
            shard=shard,
            values=(new - reader.read(matrix.name, first, rows)[touched]).tobytes(),
            touched=touched.tobytes(),
            updates=updates[touched].tobytes(),
        )


def _combined(group: list[dict[str, Any]], reader: BlockReader, training: TrainingConfig) -> pa.RecordBatch:
    name, first, rows = group[0]["matrix"], group[0]["first_id"], group[0]["rows"]
    changes = np.zeros((len(group), rows, training.dimensions), np.float32)
    updates = np.zeros((len(group), rows), np.int32)
    for replica, row in enumerate(group):
        touched = np.frombuffer(row["touched"], np.int32)
        changes[replica, touched] = np.frombuffer(row["values"], np.float32).reshape(touched.size, -1)
        updates[replica, touched] = np.frombuffer(row["updates"], np.int32)
    block = reader.read(name, first, rows)
    combine_changes(training.combine, changes, updates, block)
    check_finite(name, first, block)
    return block_batch(PARAMETERS, matrix=name, first_id=first, rows=rows, values=block.tobytes())
