"""Table nodes: the vectors of the Huffman tree's inner nodes, from the last round's parameter blocks."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base.schemas import NODE_VECTORS, NODES
from w2vspark.spark.arrow import TASK_BYTES, vector_lists
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.parameters import scan_rows


def nodes(session: SparkSession, parameters_uri: str, count: int, dimensions: int) -> TaskRows:
    """All inner nodes as schemas.NODE_VECTORS, sorted by id within each file. The workers read the blocks."""
    tasks = max(1, count * dimensions * 4 // TASK_BYTES)
    rows = partial(node_batches, parameters_uri=parameters_uri, count=count, dimensions=dimensions, tasks=tasks)
    return TaskRows(session.range(0, tasks, 1, tasks), rows, NODE_VECTORS)


def node_batches(
    batches: Iterator[pa.RecordBatch], parameters_uri: str, count: int, dimensions: int, tasks: int
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.NODE_VECTORS, for the task's range of ids."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            range_of_task = count * task // tasks, count * (task + 1) // tasks
            for first, block in scan_rows(parameters_uri, NODES, *range_of_task, dimensions):
                ids = pa.array(np.arange(first, first + len(block), dtype=np.int32))
                yield pa.RecordBatch.from_arrays([ids, vector_lists(block)], schema=NODE_VECTORS)
