"""Table biases: GloVe's two biases of each word. In the parameter blocks they follow the vectors."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base.schemas import BIASES
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.vectors import RowSource, known_words, whole_block

ROWS_OF_TASK = 1_000_000


def biases(session: SparkSession, rows: RowSource, contexts: RowSource, vocabulary_uri: str, words: int) -> TaskRows:
    """The biases as schemas.BIASES, sorted by id within each file. rows, contexts: the last column is the bias."""
    tasks = -(-words // ROWS_OF_TASK)
    batches = partial(
        bias_batches, rows=rows, contexts=contexts, vocabulary_uri=vocabulary_uri, words=words, tasks=tasks
    )
    return TaskRows(session.range(0, tasks, 1, tasks), batches, BIASES)


def bias_batches(
    batches: Iterator[pa.RecordBatch],
    rows: RowSource,
    contexts: RowSource,
    vocabulary_uri: str,
    words: int,
    tasks: int,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.BIASES, for the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = words * task // tasks, words * (task + 1) // tasks
            known = known_words(vocabulary_uri, first, last)
            for start, block in rows(first, last):
                of_block = known.slice(start - first, len(block))
                columns = [of_block[name].combine_chunks() for name in ("id", "word")]
                for part in (block, whole_block(contexts, start, start + len(block))):
                    columns.append(pa.array(np.ascontiguousarray(part[:, -1])))
                yield pa.RecordBatch.from_arrays(columns, schema=BIASES)
