"""Table adagrad: AdaGrad's state of each row of the model, from which a later run can go on."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base.schemas import ADAGRAD
from w2vspark.spark.arrow import TASK_BYTES
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.parameters import scan_rows


def adagrad(session: SparkSession, parameters_uri: str, matrices: dict[str, int], dimensions: int) -> TaskRows:
    """The sums of squared gradients as schemas.ADAGRAD. matrices: the number of rows by name."""
    tasks = max(1, max(matrices.values()) * dimensions * 4 // TASK_BYTES)
    rows = partial(state_batches, parameters_uri=parameters_uri, matrices=matrices, dimensions=dimensions, tasks=tasks)
    return TaskRows(session.range(0, tasks, 1, tasks), rows, ADAGRAD)


def state_batches(
    batches: Iterator[pa.RecordBatch], parameters_uri: str, matrices: dict[str, int], dimensions: int, tasks: int
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.ADAGRAD, for the task's rows of every matrix."""
    for batch in batches:
        for task in batch.column(0).to_pylist():
            for matrix, count in matrices.items():
                part = count * task // tasks, count * (task + 1) // tasks
                for first, block in scan_rows(parameters_uri, matrix, *part, dimensions + 1):
                    ids = pa.array(np.arange(first, first + len(block), dtype=np.int32))
                    squares = pa.array(np.ascontiguousarray(block[:, dimensions]))
                    columns = [pa.repeat(matrix, len(block)), ids, squares]
                    yield pa.RecordBatch.from_arrays(columns, schema=ADAGRAD)
