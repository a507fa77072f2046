"""What a worker does in a round: train one shard's slices, and combine the shards' changes block by block."""

import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import CHANGE_FILES, CHANGES, METRICS_MATRIX, PARAMETER_FILES
from w2vspark.kernels.combine import Changes, combine_changes
from w2vspark.spark.arrow import one_row
from w2vspark.storage import sealed
from w2vspark.storage.uris import reaching
from w2vspark.training.blocks import check_finite, read_blocks, write_blocks
from w2vspark.training.lanes import Matrix, Slice, make_matrix
from w2vspark.training.plan import MatrixShape, combining_blocks
from w2vspark.training.trainer import RoundJob


def train_shard(shard: int, job: RoundJob) -> Iterator[pa.RecordBatch]:
    """Train one shard; yields rows of PARAMETER_FILES (metrics, blocks) if it is the only one, else CHANGE_FILES."""
    matrices = _load_matrices(job)
    metrics = train_slices(shard, job, matrices, job.trainer.slices(shard, job.round.slice_sets))
    for matrix in matrices:
        matrix.lanes = matrix.base[None]  # frees the lanes' copies
    if job.trainer.shards == 1:
        yield one_row(PARAMETER_FILES, **metrics)
        for matrix in matrices:
            blocks = ((first, matrix.read(slice(first, first + rows))) for first, rows in matrix.shape.blocks)
            yield write_blocks(job.table_uri, matrix.shape.name, blocks)
        return
    yield from send_changes(shard, job, metrics, (_block_changes(matrix, job) for matrix in matrices))


def send_changes(
    shard: int, job: RoundJob, metrics: dict[str, Any], changes: Iterable[Iterator["BlockChanges"]]
) -> Iterator[pa.RecordBatch]:
    """Write a shard's changes, matrix by matrix and block by block; yields a row of CHANGE_FILES for each reducer."""
    file = _write_changes(shard, job, changes)
    for number, key in enumerate(job.reducers):
        yield one_row(CHANGE_FILES, key=key, file=file, **(metrics if number == 0 else {"shard": shard}))


_METRICS_ROW = [name for name in PARAMETER_FILES.names if name != "file"]


def combine_files(rows: list[dict[str, Any]], job: RoundJob) -> Iterator[pa.RecordBatch]:
    """One reducer's rows of CHANGE_FILES -> rows of PARAMETER_FILES: the metrics, and the files of combined blocks."""
    for row in rows:
        if row["matrix"] == METRICS_MATRIX:
            yield one_row(PARAMETER_FILES, **{name: row[name] for name in _METRICS_ROW})
    mine = combining_blocks(job.trainer.shapes, len(job.reducers), job.reducers.index(rows[0]["key"]))
    if not mine:
        return
    with ExitStack() as opened:
        of_shards = sorted(rows, key=lambda row: int(row["shard"]))
        files = [opened.enter_context(ArrowFile(row["file"])) for row in of_shards]
        for shape, blocks, number in mine:
            yield write_blocks(job.table_uri, shape.name, _combined_blocks(files, shape, blocks, number, job))


def _combined_blocks(
    files: list["ArrowFile"],
    shape: MatrixShape,
    blocks: list[tuple[int, int]],
    number: int,
    job: RoundJob,
) -> Iterator[tuple[int, np.ndarray]]:
    """Neighbouring blocks plus the changes of all shards. number: the first one's, among the blocks of all matrices."""
    for at, (first, block) in enumerate(read_blocks(job.parameters_uri, shape, blocks, job.trainer), number):
        combined = block.copy()
        _combine_block([file.batch(at) for file in files], job.trainer.combine, shape, combined)
        yield first, combined


def _load_matrices(job: RoundJob) -> list[Matrix]:
    matrices = []
    for shape in job.trainer.shapes:
        matrix = make_matrix(shape, job.trainer.lanes)
        for first, block in read_blocks(job.parameters_uri, shape, shape.blocks, job.trainer):
            matrix.write(first, block)
        matrices.append(matrix)
    return matrices


def train_slices(
    shard: int, job: RoundJob, matrices: list[Matrix], slices: Iterable[tuple[Slice, Any]]
) -> dict[str, Any]:
    """Train the shard's slices in place; returns the values of its metrics row."""
    loss, terms, tokens, seconds = 0.0, 0, 0, 0.0
    for slice_set, (text, beside) in zip(job.round.slice_sets, slices, strict=True):
        tokens += int(text.tokens.sum())
        began = time.perf_counter()
        slice_loss, slice_terms = job.trainer.train(matrices, text, beside, slice_set, job.threads)
        seconds += time.perf_counter() - began
        loss, terms = loss + slice_loss, terms + slice_terms
    return {
        "matrix": METRICS_MATRIX,
        "first_id": shard,
        "rows": 0,
        "shard": shard,
        "tokens": tokens,
        "loss": loss / max(1, terms),
        "seconds": seconds,
        "learning_rate": job.trainer.learning_rate(job.round.slice_sets[-1]),
    }


class BlockChanges(NamedTuple):
    """A shard's changes in one block: positions and updates, int32 (n,); old and new rows, float32 (n, width)."""

    matrix: str
    first: int
    touched: np.ndarray
    updates: np.ndarray
    old: np.ndarray
    new: np.ndarray


def _block_changes(matrix: Matrix, job: RoundJob) -> Iterator[BlockChanges]:
    """The changes in all blocks of a matrix that the worker holds whole."""
    for first, old in read_blocks(job.parameters_uri, matrix.shape, matrix.shape.blocks, job.trainer):
        updates = matrix.updates[first : first + len(old)]
        touched = np.flatnonzero(updates).astype(np.int32)
        yield BlockChanges(
            matrix.shape.name, first, touched, updates[touched], old[touched], matrix.read(first + touched)
        )


def _write_changes(shard: int, job: RoundJob, changes: Iterable[Iterator[BlockChanges]]) -> str:
    """Write the shard's changes, one batch per block, in the order of (matrix, first row); returns the file's URI.

    The name is new at every attempt, so a retried or duplicate task never touches a file that others read. A single
    shard writes the new rows themselves: there is nothing to combine, and a difference would be rounded.
    """
    uri = storage.join(job.changes_uri, f"{shard:05d}-{uuid.uuid4().hex}.arrow")
    with storage.open_for_writing(uri) as sink, pa.ipc.new_file(sink, CHANGES) as writer:
        for of_matrix in changes:
            for block in of_matrix:
                check_finite(block.matrix, block.first, block.new)
                values = block.new if job.trainer.shards == 1 else block.new - block.old
                columns = {"touched": block.touched, "updates": block.updates, "values": values}
                sealed.write_batch(writer, one_row(CHANGES, **columns))
    return uri


class ArrowFile:
    """An Arrow file whose batches are read and checked one at a time. Use it in a `with` statement."""

    def __init__(self, uri: str) -> None:
        """Open the file. Raises DamagedTable if it is missing or damaged."""
        self._uri = uri
        fs, path = storage.filesystem(uri)
        try:
            with reaching(uri):
                self._file = fs.open_input_file(path)
        except FileNotFoundError as error:
            raise DamagedTable(f"{uri}: is missing") from error
        self._reader = sealed.open_file(self._file, uri)

    def __enter__(self) -> "ArrowFile":
        return self

    def __exit__(self, *error: Any) -> None:
        self._file.close()

    def batch(self, number: int) -> pa.RecordBatch:
        """The batch with this number. Raises DamagedTable if it is damaged."""
        return sealed.batch_at(self._reader, number, self._uri)


def _combine_block(shards: list[pa.RecordBatch], rule: str, shape: MatrixShape, block: np.ndarray) -> None:
    """Add the combined change of all shards to a block, float32 (rows, shape.width), in place."""
    found = []
    for row in shards:
        touched, updates, values = (np.frombuffer(row[name][0].as_buffer(), kind) for name, kind in _CHANGE_TYPES)
        found.append(Changes(touched, updates, values.reshape(touched.size, shape.width)))
    if len(found) == 1:
        block[found[0].touched] = found[0].values  # the new rows themselves
    else:
        combine_changes(rule, found, block, shape.state)


_CHANGE_TYPES = (("touched", np.int32), ("updates", np.int32), ("values", np.float32))
