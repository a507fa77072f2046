"""Tables documents (a row for each document, from the blocks of parameters) and term_weights (for each word) of lsa."""

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import DOCUMENTS, TERM_WEIGHTS
from w2vspark.spark.arrow import ROWS_PER_BATCH, TASK_BYTES, vector_lists
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.term_document import read_statistics, scan_names
from w2vspark.stages.vectors import RowSource
from w2vspark.storage.listed import read_listed


def documents(session: SparkSession, rows: RowSource, term_document_uri: str, count: int, dimensions: int) -> TaskRows:
    """All documents with their vectors, as schemas.DOCUMENTS, in the order of the rows. The workers read the blocks."""
    tasks = max(1, count * dimensions * 4 // TASK_BYTES)
    batches = partial(document_batches, rows=rows, term_document_uri=term_document_uri, count=count, tasks=tasks)
    return TaskRows(session.range(0, tasks, 1, tasks), batches, DOCUMENTS)


def document_batches(
    batches: Iterator[pa.RecordBatch], rows: RowSource, term_document_uri: str, count: int, tasks: int
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.DOCUMENTS, for the task's range of rows."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            first, last = count * task // tasks, count * (task + 1) // tasks
            names = scan_names(term_document_uri, first, last)
            for start, block in rows(first, last):
                columns = [names.slice(start - first, len(block)), vector_lists(block)]
                yield pa.RecordBatch.from_arrays(columns, schema=DOCUMENTS)


def term_weights(
    session: SparkSession, term_document_uri: str, vocabulary_uri: str, weighting: str, documents: int, target: str
) -> TaskRows:
    """Every word with its number of documents and its weight, as schemas.TERM_WEIGHTS, sorted by id.

    documents: their number in the corpus; target: training.cpu_target. One task holds all words.
    """
    batches = partial(
        term_batches,
        term_document_uri=term_document_uri,
        vocabulary_uri=vocabulary_uri,
        weighting=weighting,
        documents=documents,
        target=target,
    )
    return TaskRows(session.range(0, 1, 1, 1), batches, TERM_WEIGHTS)


def term_batches(
    batches: Iterator[pa.RecordBatch],
    term_document_uri: str,
    vocabulary_uri: str,
    weighting: str,
    documents: int,
    target: str,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> all rows of schemas.TERM_WEIGHTS."""
    cpu_target.pin(target)  # before any kernel is imported
    from w2vspark.kernels.counts.term_weights import global_weights

    for _ in batches:
        known = read_listed(vocabulary_uri, ["id", "word", "count"])
        known = known.take(pc.sort_indices(known, [("id", "ascending")]))
        statistics = read_statistics(term_document_uri, len(known))
        weights = global_weights(weighting, statistics, documents)
        columns = [*known.columns, pa.array(statistics.documents), pa.array(weights)]
        yield from pa.table(columns, schema=TERM_WEIGHTS).combine_chunks().to_batches(ROWS_PER_BATCH)
