"""The published vector tables as arrays in memory."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark.base import publish, storage
from w2vspark.base.errors import OutputError


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words with their vectors; row i belongs to the word with id i, so rows fall by count.

    words: V strings. counts: int64 (V,). matrix: float32 (V, D), C-contiguous.
    """

    words: list[str]
    counts: NDArray[np.int64]
    matrix: NDArray[np.float32]

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of every word; made at the first use."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The matrix with every row divided by its length, float32 (V, D); a zero row stays zero. Made at the
        first use and kept: it takes as much memory as the matrix."""
        norms: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix))
        norms[norms == 0] = 1
        return self.matrix / norms[:, None]


def load_vectors(output: str, table: str = "vectors") -> WordVectors:
    """Reads a published table of word vectors.

    output: an output folder (its current version is read), a version folder, or the table's own folder; a path or
    URI. table: "vectors" or "context". Rows are placed by id, so neither the order of the files nor that of the rows
    in them matters. Beside the result, only some record batches are in memory at a time.
    Raises OutputError where nothing is published there or the table is damaged.
    """
    folder = _table_folder(storage.absolute_uri(output), table)
    head = storage.read_table(folder, columns=["id", "word", "count"])
    if any(head[name].null_count for name in head.column_names):
        raise _damaged(folder, "a row holds a null")
    ids = head["id"].to_numpy()
    order = np.argsort(ids)
    if not len(ids) or not np.array_equal(ids[order], np.arange(len(ids))):
        raise _damaged(folder, f"the ids of its {len(ids)} rows are not 0, 1, 2 and so on, each once")
    words: list[str] = head["word"].to_numpy()[order].tolist()
    counts = head["count"].to_numpy()[order].astype(np.int64)
    matrix: NDArray[np.float32] = np.empty((len(words), 0), dtype=np.float32)
    for batch in storage.scan_table(folder, columns=["id", "vector"]):
        if batch.num_rows:
            rows = _rows(batch.column("vector"), folder)
            if not matrix.shape[1]:
                matrix = np.empty((len(words), rows.shape[1]), dtype=np.float32)
            if rows.shape[1] != matrix.shape[1]:
                raise _damaged(folder, f"a vector has {rows.shape[1]} values where others have {matrix.shape[1]}")
            matrix[batch.column("id").to_numpy()] = rows
    return WordVectors(words=words, counts=counts, matrix=matrix)


def _table_folder(folder: str, table: str) -> str:
    """Where a table is, given its own folder, its version's folder or the output folder."""
    if storage.exists(storage.join(folder, "current.json")):
        folder = publish.current_path(folder)
        if not storage.exists(storage.join(folder, table)):
            raise OutputError(f"{folder}: the published version has no table {table!r}; run the job again")
    if storage.exists(storage.join(folder, table)):
        return storage.join(folder, table)
    if any(name.endswith(".parquet") for name in storage.list_names(folder)):
        return folder
    return storage.join(publish.current_path(folder), table)  # raises: nothing is published


def _rows(column: pa.Array, folder: str) -> NDArray[np.float32]:
    """The vectors of a record batch, float32 (rows, D)."""
    if not pa.types.is_list(column.type) or column.type.value_type != pa.float32():
        raise OutputError(f"{folder}: expected the column vector to be list<float>, got {column.type}")
    values = column.flatten()
    lengths = np.diff(column.offsets.to_numpy())
    if column.null_count or values.null_count or lengths.min() != lengths.max() or not lengths[0]:
        raise _damaged(folder, "a vector is empty, holds a null or differs from the others in length")
    rows: NDArray[np.float32] = values.to_numpy().reshape(len(column), -1)
    return rows


def _damaged(place: str, what: str) -> OutputError:
    return OutputError(f"{place}: the table is damaged, {what}; publish it again")
