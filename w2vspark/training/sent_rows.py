"""Training with sent rows: a shard receives only the rows that its slices need.

A round is one Spark query with three steps before the combination. A task for each shard finds the rows that its slices
need. Each reducer takes these rows from its blocks and sends them to the shards. The training task renumbers the
received rows from 0, and trains as if they were the whole matrix. Spark shuffles only the names of the files.
"""

import uuid
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.schemas import ROW_FILES, ROWS_SENT, ROWS_WANTED
from w2vspark.spark.arrow import binary_values, one_row
from w2vspark.storage import sealed
from w2vspark.training.blocks import read_blocks
from w2vspark.training.lanes import Matrix, make_matrix
from w2vspark.training.plan import MatrixShape, combining_blocks
from w2vspark.training.shards import ArrowFile, BlockChanges, send_changes, train_slices
from w2vspark.training.trainer import RoundJob, Share

WAITING_BYTES = 32 << 20  # of rows that wait in memory to be written


def wanted_rows(shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    """The rows that a shard needs, as schemas.ROWS_WANTED: each reducer gets the ids in its blocks."""
    rows = job.trainer.share(shard, job.round.slice_sets).rows
    for index, key in enumerate(job.reducers):
        for shape, blocks, _ in combining_blocks(job.trainer.shapes, len(job.reducers), index):
            end = blocks[-1][0] + blocks[-1][1]
            first, last = np.searchsorted(rows, (blocks[0][0], end))
            if first < last:
                ids = rows[first:last].astype(np.int32)
                yield one_row(ROWS_WANTED, key=key, shard=shard, matrix=shape.name, ids=ids)


def send_rows(wanted: list[dict[str, Any]], job: RoundJob, targets: tuple[int, ...]) -> Iterator[pa.RecordBatch]:
    """Write the wanted rows of one reducer's blocks to a file, and tell each shard its batches, as ROW_FILES.

    targets: the partition key of each shard. A batch has rows for one shard, from some neighbouring blocks.
    """
    uri = storage.join(job.changes_uri, f"rows-{uuid.uuid4().hex}.arrow")  # a new name at every attempt
    waiting: dict[int, list[tuple[int, np.ndarray]]] = {row["shard"]: [] for row in wanted}
    batches: dict[int, list[int]] = {shard: [] for shard in waiting}
    with storage.open_for_writing(uri) as sink, pa.ipc.new_file(sink, ROWS_SENT) as writer:
        batch_numbers = count()

        def write(matrix: str) -> None:
            for shard, runs in waiting.items():
                if runs:
                    sealed.write_batch(writer, _rows_batch(matrix, runs))
                    batches[shard].append(next(batch_numbers))
                    runs.clear()

        number = job.reducers.index(wanted[0]["key"])
        for shape, blocks, _ in combining_blocks(job.trainer.shapes, len(job.reducers), number):
            ids = {row["shard"]: np.frombuffer(row["ids"], np.int32) for row in wanted if row["matrix"] == shape.name}
            size = 0
            for first, block in read_blocks(job.parameters_uri, shape, blocks, job.trainer):
                for shard, rows in ids.items():
                    own = rows[slice(*rows.searchsorted((first, first + len(block))))]
                    if own.size:
                        waiting[shard].append((int(own[0]), block[own - first]))
                        size += waiting[shard][-1][1].nbytes
                if size > WAITING_BYTES:
                    write(shape.name)
                    size = 0
            write(shape.name)
    for shard, found in batches.items():
        of_shard = {"key": targets[shard], "shard": shard, "batches": np.array(found, np.int32)}
        yield one_row(ROW_FILES, number=number, file=uri, **of_shard)


def _rows_batch(matrix: str, runs: list[tuple[int, np.ndarray]]) -> pa.RecordBatch:
    """Rows as a batch of schemas.ROWS_SENT. runs: the id of the first row, and float32 (rows, width)."""
    first_ids = pa.array([first for first, _ in runs], pa.int64())
    values = binary_values(np.concatenate([rows for _, rows in runs]), np.array([rows.nbytes for _, rows in runs]))
    return pa.RecordBatch.from_arrays([pa.repeat(matrix, len(runs)), first_ids, values], schema=ROWS_SENT)


def sent_rows(files: list[dict[str, Any]], share: Share, shape: MatrixShape) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the received rows of a matrix: the first one's position in the share, and float32 (rows, shape.width).

    files: rows of schemas.ROW_FILES, sorted by number. The positions rise, and each array has rows of one block.
    """
    for file in files:
        with ArrowFile(file["file"]) as sent:
            for number in np.frombuffer(file["batches"], np.int32).tolist():
                for name, first_id, values in zip(*sent.batch(number).columns, strict=True):
                    if name.as_py() == shape.name:
                        first = int(np.searchsorted(share.rows, first_id.as_py()))
                        yield first, np.frombuffer(values.as_buffer(), np.float32).reshape(-1, shape.width)


def train_rows(shard: int, files: list[dict[str, Any]], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Train a shard with its received rows; yields rows of schemas.CHANGE_FILES. files: rows of schemas.ROW_FILES."""
    files = sorted(files, key=itemgetter("number"))
    share = job.trainer.share(shard, job.round.slice_sets)
    matrices = []
    for shape in job.trainer.shapes:
        matrix = make_matrix(replace(shape, rows=share.rows.size), job.trainer.lanes)
        for first, rows in sent_rows(files, share, shape):
            matrix.write(first, rows)
        matrices.append(matrix)
    metrics = train_slices(shard, job, matrices, share.slices)
    changes = (
        _local_changes(matrix, shape, files, share) for matrix, shape in zip(matrices, job.trainer.shapes, strict=True)
    )
    yield from send_changes(shard, job, metrics, changes)


def _local_changes(
    matrix: Matrix, shape: MatrixShape, files: list[dict[str, Any]], share: Share
) -> Iterator[BlockChanges]:
    """The changes in all blocks of a matrix, of which the worker holds only its share. Reads the old rows again."""
    sent = sent_rows(files, share, shape)
    for first, count_of_rows in shape.blocks:
        begin, end = np.searchsorted(share.rows, (first, first + count_of_rows))
        at, old = next(sent) if begin < end else (begin, np.empty((0, shape.width), np.float32))
        if (at, len(old)) != (begin, end - begin):
            raise ValueError(f"rows {begin}..{end - 1} of {shape.name!r} were wanted, {at}..{at + len(old) - 1} sent")
        updated = np.flatnonzero(matrix.updates[begin:end])
        local = begin + updated
        touched = (share.rows[local] - first).astype(np.int32)
        yield BlockChanges(shape.name, first, touched, matrix.updates[local], old[updated], matrix.read(local))
