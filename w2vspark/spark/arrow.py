"""Convert Arrow schemas to Spark's, and make Arrow columns and batches in tasks."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pyarrow as pa
from pyspark.sql import types as st

from w2vspark import storage
from w2vspark.base.errors import DamagedTable
from w2vspark.storage import sealed

ROWS_PER_BATCH = 1 << 16  # that a task gives to Spark at once, for tables with small rows
TASK_BYTES = 32 << 20  # of float32 values that one task turns into rows of vectors

_TYPES: dict[pa.DataType, st.DataType] = {
    pa.string(): st.StringType(),
    pa.binary(): st.BinaryType(),
    pa.bool_(): st.BooleanType(),
    pa.int32(): st.IntegerType(),
    pa.int64(): st.LongType(),
    pa.float32(): st.FloatType(),
    pa.float64(): st.DoubleType(),
}


def spark_schema(schema: pa.Schema) -> st.StructType:
    """The Spark schema of an Arrow schema. Raises KeyError for a type that our tables do not use."""
    return st.StructType([st.StructField(field.name, _spark_type(field.type), field.nullable) for field in schema])


def spark_uri(uri: str) -> str:
    """A URI in Spark's form: a local path gets file://, for clusters with another default file system."""
    return f"file://{uri}" if uri.startswith("/") else uri


def vector_lists(rows: np.ndarray) -> pa.ListArray:
    """A matrix, float32 (n, dimensions), as a column of n lists."""
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(rows.reshape(-1)))


def one_row(schema: pa.Schema, **values: object) -> pa.RecordBatch:
    """A batch of one row. Columns without a value are null; NumPy arrays become binary values, without a copy."""
    columns = [_one_value(values.get(field.name), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _one_value(value: object, kind: pa.DataType) -> pa.Array:
    if not isinstance(value, np.ndarray):
        return pa.array([value], kind)
    return binary_values(value, np.array([value.nbytes]))


def binary_values(values: np.ndarray, sizes: np.ndarray) -> pa.Array:
    """The memory of a contiguous array as binary values of `sizes` bytes, int64 (values,), without a copy."""
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(offsets), pa.py_buffer(values)])


@contextmanager
def open_stream(uri: str, offset: int) -> Iterator[pa.RecordBatchStreamReader]:
    """The Arrow stream at an offset of a file, in bytes.

    Raises DamagedTable when there is no stream, or the file is missing.
    """
    with ExitStack() as stack:
        try:
            file = stack.enter_context(storage.open_at(uri, offset))
        except FileNotFoundError as error:
            raise DamagedTable(f"{uri}: is missing") from error
        yield sealed.open_stream(file, uri)


def _spark_type(arrow: pa.DataType) -> st.DataType:
    if pa.types.is_list(arrow):
        return st.ArrayType(_spark_type(arrow.value_type))
    return _TYPES[arrow]


def columns_of(schema: st.StructType) -> str:
    """Names and types of a schema's columns, for error messages."""
    return ", ".join(f"{field.name} {field.dataType.simpleString()}" for field in schema)
