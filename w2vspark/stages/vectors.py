"""Tables vectors and context: a row a word, from the last round's parameter blocks and the vocabulary."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import storage
from w2vspark.base.schemas import VECTORS
from w2vspark.stages.table_io import spark_schema

TASK_BYTES = 32 << 20  # of float32 that one task turns into rows


def vectors(
    session: SparkSession, matrix: str, parameters_uri: str, vocabulary_uri: str, words: int, dimensions: int
) -> DataFrame:
    """One parameter matrix as schemas.VECTORS, sorted by id within each file. The workers read the blocks."""
    tasks = max(1, words * dimensions * 4 // TASK_BYTES)
    rows = partial(
        vector_batches, matrix=matrix, parameters_uri=parameters_uri, vocabulary_uri=vocabulary_uri, words=words,
        tasks=tasks,
    )  # fmt: skip
    return session.range(0, tasks, 1, tasks).mapInArrow(rows, spark_schema(VECTORS)).select(*VECTORS.names)


def vector_batches(
    batches: Iterator[pa.RecordBatch], matrix: str, parameters_uri: str, vocabulary_uri: str, words: int, tasks: int
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.VECTORS, of all blocks that begin in the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = words * task // tasks, words * (task + 1) // tasks
            in_range = [("matrix", "==", matrix), ("first_id", ">=", first), ("first_id", "<", last)]
            starts = storage.read_table(parameters_uri, ["first_id", "rows"], in_range).to_pylist()
            for start in sorted(starts, key=lambda row: int(row["first_id"])):
                yield _block_rows(matrix, start["first_id"], start["rows"], parameters_uri, vocabulary_uri)


def _block_rows(matrix: str, first: int, rows: int, parameters_uri: str, vocabulary_uri: str) -> pa.RecordBatch:
    block = storage.read_table(parameters_uri, ["values"], [("matrix", "==", matrix), ("first_id", "==", first)])
    values = np.frombuffer(block["values"][0].as_buffer(), np.float32)
    ids = [("id", ">=", first), ("id", "<", first + rows)]
    known = storage.read_table(vocabulary_uri, ["id", "word", "count"], ids)
    known = known.take(pc.sort_indices(known, [("id", "ascending")]))
    offsets = np.arange(rows + 1, dtype=np.int32) * (values.size // rows)
    lists = pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
    columns = [known[name].combine_chunks() for name in ("id", "word", "count")]
    return pa.RecordBatch.from_arrays([*columns, lists], schema=VECTORS)
