"""Tables vectors and context: a row a word, from the last round's parameter blocks and the vocabulary."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import storage
from w2vspark.base.schemas import VECTORS
from w2vspark.stages.ngrams import SubwordTables, composed_rows
from w2vspark.stages.parameters import scan_rows
from w2vspark.stages.table_io import TASK_BYTES, spark_schema, vector_lists


def vectors(
    session: SparkSession,
    matrix: str,
    parameters_uri: str,
    vocabulary_uri: str,
    words: int,
    dimensions: int,
    subwords: SubwordTables | None = None,
) -> DataFrame:
    """One parameter matrix as schemas.VECTORS, sorted by id within each file. The workers read the blocks.

    subwords: makes each word the mean of its rows; None takes its own row alone.
    """
    tasks = max(1, words * dimensions * 4 // TASK_BYTES)
    rows = partial(
        vector_batches, matrix=matrix, parameters_uri=parameters_uri, vocabulary_uri=vocabulary_uri, words=words,
        dimensions=dimensions, subwords=subwords, tasks=tasks,
    )  # fmt: skip
    return session.range(0, tasks, 1, tasks).mapInArrow(rows, spark_schema(VECTORS)).select(*VECTORS.names)


def vector_batches(
    batches: Iterator[pa.RecordBatch],
    matrix: str,
    parameters_uri: str,
    vocabulary_uri: str,
    words: int,
    dimensions: int,
    subwords: SubwordTables | None,
    tasks: int,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.VECTORS, of the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = words * task // tasks, words * (task + 1) // tasks
            known = storage.read_table(
                vocabulary_uri, ["id", "word", "count"], [("id", ">=", first), ("id", "<", last)]
            )
            known = known.take(pc.sort_indices(known, [("id", "ascending")])).combine_chunks()
            if subwords is None:
                parts = scan_rows(parameters_uri, matrix, first, last, dimensions)
            else:
                parts = composed_rows(parameters_uri, matrix, subwords, first, last, dimensions)
            for start, block in parts:
                of_block = known.slice(start - first, len(block))
                columns = [of_block[name].combine_chunks() for name in ("id", "word", "count")]
                yield pa.RecordBatch.from_arrays([*columns, vector_lists(block)], schema=VECTORS)
