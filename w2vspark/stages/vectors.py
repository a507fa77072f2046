"""Tables vectors and context: a row for each word, from the blocks of parameters and the vocabulary."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from w2vspark.base.schemas import VECTORS, VECTORS_AND_CONTEXT
from w2vspark.spark.arrow import TASK_BYTES, vector_lists
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.parameters import scan_rows
from w2vspark.storage.listed import read_listed

# Yields rows first … last - 1 as blocks that follow each other, each as (first row, float32 (n, dimensions)). It is a
# module's function, with its other arguments bound by functools.partial.
RowSource = Callable[[int, int], Iterator[tuple[int, np.ndarray]]]


def vectors(
    session: SparkSession,
    rows: RowSource,
    vocabulary_uri: str,
    words: int,
    dimensions: int,
    contexts: RowSource | None = None,
    tasks: int | None = None,
) -> TaskRows:
    """All words with their vectors, as schemas.VECTORS, sorted by id within each file. The workers read the blocks.

    contexts: the source of a second vector for each word; the schema is then VECTORS_AND_CONTEXT. tasks: the number of
    tasks; None = one for each TASK_BYTES.
    """
    schema = VECTORS if contexts is None else VECTORS_AND_CONTEXT
    tasks = tasks or max(1, words * dimensions * 4 // TASK_BYTES)
    batches = partial(
        vector_batches, rows=rows, vocabulary_uri=vocabulary_uri, words=words, contexts=contexts, tasks=tasks
    )
    return TaskRows(session.range(0, tasks, 1, tasks), batches, schema)


def matrix_rows(parameters_uri: str, matrix: str, dimensions: int) -> RowSource:
    """The source of the rows of one matrix of the parameters."""
    return partial(_scan, uri=parameters_uri, matrix=matrix, dimensions=dimensions)


def _scan(first: int, last: int, uri: str, matrix: str, dimensions: int) -> Iterator[tuple[int, np.ndarray]]:
    return scan_rows(uri, matrix, first, last, dimensions)


def summed_rows(sources: Sequence[RowSource]) -> RowSource:
    """The source of the sums of the rows of one or more sources, added in their order."""
    return sources[0] if len(sources) == 1 else partial(_sum, sources=tuple(sources))


def _sum(first: int, last: int, sources: tuple[RowSource, ...]) -> Iterator[tuple[int, np.ndarray]]:
    for start, block in sources[0](first, last):
        total = block.copy()
        for source in sources[1:]:
            total += whole_block(source, start, start + len(block))
        yield start, total


def whole_block(source: RowSource, first: int, last: int) -> np.ndarray:
    """Rows first … last - 1 of a source in one array, float32 (rows, columns)."""
    return np.concatenate([rows for _, rows in source(first, last)])


def known_words(vocabulary_uri: str, first: int, last: int) -> pa.Table:
    """The words first … last - 1 with their counts, sorted by id."""
    known = read_listed(vocabulary_uri, ["id", "word", "count"], [("id", ">=", first), ("id", "<", last)])
    return known.take(pc.sort_indices(known, [("id", "ascending")])).combine_chunks()


def vector_batches(
    batches: Iterator[pa.RecordBatch],
    rows: RowSource,
    vocabulary_uri: str,
    words: int,
    contexts: RowSource | None,
    tasks: int,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.VECTORS or VECTORS_AND_CONTEXT, for the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = words * task // tasks, words * (task + 1) // tasks
            known = known_words(vocabulary_uri, first, last)
            for start, block in rows(first, last):
                of_block = known.slice(start - first, len(block))
                columns = [of_block[name].combine_chunks() for name in ("id", "word", "count")]
                columns.append(vector_lists(block))
                if contexts is not None:
                    columns.append(vector_lists(whole_block(contexts, start, start + len(block))))
                schema = VECTORS if contexts is None else VECTORS_AND_CONTEXT
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
