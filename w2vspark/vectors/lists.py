"""Turn columns of vectors, as Parquet holds them, into matrices."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark.base.advice import how_to_mend
from w2vspark.base.errors import OutputError


def list_rows(column: pa.Array, folder: str) -> NDArray[np.float32]:
    """A column list<float> as a matrix, float32 (rows, D). Raises OutputError when it is none."""
    if not pa.types.is_list(column.type) or column.type.value_type != pa.float32():
        raise OutputError(f"{folder}: expected the column vector to be list<float>, got {column.type}")
    values = column.flatten()
    lengths = np.diff(column.offsets.to_numpy())
    if column.null_count or values.null_count or lengths.min() != lengths.max() or not lengths[0]:
        raise damaged(folder, "a vector is empty, holds a null or differs from the others in length")
    rows: NDArray[np.float32] = values.to_numpy().reshape(len(column), -1)
    return rows


def damaged(uri: str, what: str) -> OutputError:
    """The error for a table in a state that its writer cannot have left."""
    return OutputError(f"{uri}: the table is damaged, {what}; {how_to_mend(uri)}")
