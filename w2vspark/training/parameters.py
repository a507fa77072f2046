"""Parameter tables: blocks of rows in Parquet, read by the workers themselves."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from w2vspark.base import storage
from w2vspark.base.config import TrainingConfig
from w2vspark.base.errors import TrainingError
from w2vspark.base.schemas import PARAMETERS
from w2vspark.kernels.combine import first_row_not_finite
from w2vspark.training import skipgram

BLOCK_BYTES = 4 << 20
BLOCK_ROWS = 4096


def block_starts(words: int, dimensions: int) -> list[tuple[int, int]]:
    """First row and row count of each block of a matrix with `words` rows."""
    size = max(1, min(BLOCK_ROWS, BLOCK_BYTES // (4 * dimensions)))
    return [(first, min(size, words - first)) for first in range(0, words, size)]


def initial_rows(name: str, first: int, rows: int, training: TrainingConfig) -> np.ndarray:
    """The values that training starts from: float32 (rows, dimensions)."""
    block = np.empty((rows, training.dimensions), np.float32)
    skipgram.fill_initial(name, first, training, block)
    return block


def fill_matrix(uri: str | None, name: str, words: int, training: TrainingConfig, base: np.ndarray) -> None:
    """Read all `words` rows of a matrix into base[:words, :dimensions]; the initial values where uri is None.

    Raises TrainingError when rows are missing or there twice.
    """
    if uri is None:
        skipgram.fill_initial(name, 0, training, base[:words])
        return
    seen = 0
    for batch in storage.scan_table(uri, ["first_id", "rows", "values"], [("matrix", "==", name)]):
        for row in range(batch.num_rows):
            first, rows = batch["first_id"][row].as_py(), batch["rows"][row].as_py()
            values = np.frombuffer(batch["values"][row].as_buffer(), np.float32)
            base[first : first + rows, : training.dimensions] = values.reshape(rows, training.dimensions)
            seen += rows
    if seen != words:
        raise TrainingError(f"{uri}: has {seen} rows of {name!r}, expected {words}; run again with --from rounds")


class BlockReader:
    """Reads single blocks of one round; keeps the table open between calls."""

    def __init__(self, uri: str | None, training: TrainingConfig) -> None:
        self._uri = uri
        self._training = training
        self._dataset = None if uri is None else storage.open_table(uri)

    def read(self, name: str, first: int, rows: int) -> np.ndarray:
        """float32 (rows, dimensions), a fresh array."""
        if self._dataset is None:
            return initial_rows(name, first, rows, self._training)
        found = self._dataset.to_table(
            columns=["values"], filter=(ds.field("matrix") == name) & (ds.field("first_id") == first), use_threads=False
        )
        if found.num_rows != 1:
            raise TrainingError(
                f"{self._uri}: has {found.num_rows} blocks of {name!r} at row {first}, expected 1; "
                "run again with --from rounds"
            )
        values = np.frombuffer(found["values"][0].as_buffer(), np.float32)
        return values.reshape(rows, self._training.dimensions).copy()


def check_finite(name: str, first: int, block: np.ndarray) -> None:
    """Raise TrainingError when a value of float32 (rows, dimensions) is not finite."""
    row = first_row_not_finite(block)
    if row >= 0:
        raise TrainingError(
            f"the {name} vector of word id {first + row} is not finite: training diverged; lower training.learning_rate"
            " or set training.combine to adasum"
        )


def block_batch(schema: pa.Schema, **values: object) -> pa.RecordBatch:
    """A batch of one row; columns that are not given are null."""
    columns = [pa.array([values.get(field.name)], field.type) for field in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def parameter_batches(name: str, matrix: np.ndarray, words: int, training: TrainingConfig) -> Iterator[pa.RecordBatch]:
    """The blocks of a whole matrix as rows of the parameters table."""
    for first, rows in block_starts(words, training.dimensions):
        block = np.ascontiguousarray(matrix[first : first + rows, : training.dimensions])
        check_finite(name, first, block)
        yield block_batch(PARAMETERS, matrix=name, first_id=first, rows=rows, values=block.tobytes())
