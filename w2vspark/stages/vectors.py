"""Tables vectors and context: a row a word, from the last round's parameter blocks and the vocabulary."""

from collections.abc import Iterator
from functools import partial
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import storage
from w2vspark.base.schemas import VECTORS
from w2vspark.stages.parameters import scan_blocks
from w2vspark.stages.table_io import spark_schema

TASK_BYTES = 32 << 20  # of float32 that one task turns into rows


def vectors(
    session: SparkSession, matrix: str, parameters_uri: str, vocabulary_uri: str, words: int, dimensions: int
) -> DataFrame:
    """One parameter matrix as schemas.VECTORS, sorted by id within each file. The workers read the blocks."""
    tasks = max(1, words * dimensions * 4 // TASK_BYTES)
    rows = partial(
        vector_batches, matrix=matrix, parameters_uri=parameters_uri, vocabulary_uri=vocabulary_uri, words=words,
        dimensions=dimensions, tasks=tasks,
    )  # fmt: skip
    return session.range(0, tasks, 1, tasks).mapInArrow(rows, spark_schema(VECTORS)).select(*VECTORS.names)


def vector_batches(
    batches: Iterator[pa.RecordBatch],
    matrix: str,
    parameters_uri: str,
    vocabulary_uri: str,
    words: int,
    dimensions: int,
    tasks: int,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.VECTORS, of all blocks that begin in the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = words * task // tasks, words * (task + 1) // tasks
            blocks = sorted(scan_blocks(parameters_uri, matrix, first, last), key=itemgetter(0))
            yield from _rows(blocks, vocabulary_uri, dimensions)


def _rows(blocks: list[tuple[int, np.ndarray]], vocabulary_uri: str, dimensions: int) -> Iterator[pa.RecordBatch]:
    """Neighbouring blocks, in order, as rows of schemas.VECTORS."""
    if not blocks:
        return
    low, high = blocks[0][0], blocks[-1][0] + len(blocks[-1][1])
    known = storage.read_table(vocabulary_uri, ["id", "word", "count"], [("id", ">=", low), ("id", "<", high)])
    known = known.take(pc.sort_indices(known, [("id", "ascending")])).combine_chunks()
    for first, block in blocks:
        lists = vector_lists(block[:, :dimensions])
        of_block = known.slice(first - low, len(block))
        columns = [of_block[name].combine_chunks() for name in ("id", "word", "count")]
        yield pa.RecordBatch.from_arrays([*columns, lists], schema=VECTORS)


def vector_lists(rows: np.ndarray) -> pa.ListArray:
    """float32 (n, dimensions) as a column of n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1)))
