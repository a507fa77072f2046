"""The published vector tables as arrays in memory."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from w2vspark.base import publish, storage
from w2vspark.base.errors import OutputError
from w2vspark.vectors.lists import damaged, list_rows
from w2vspark.vectors.ngrams import NGrams, load_ngrams


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words with their vectors; row i belongs to the word with id i, so rows fall by count.

    words: V strings. counts: int64 (V,). matrix: float32 (V, D), C-contiguous.
    """

    words: list[str]
    counts: NDArray[np.int64]
    matrix: NDArray[np.float32]
    output: str = ""  # where the model's character n-grams are, if it has any

    @property
    def dimensions(self) -> int:
        """D."""
        return int(self.matrix.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of every word; made at the first use."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def ngrams(self) -> NGrams | None:
        """The model's character n-grams, which give vectors to unseen words; None without. Read at the first use."""
        return load_ngrams(self.output) if self.output else None

    def vector(self, word: str) -> NDArray[np.float32]:
        """A word's vector, float32 (D,); for an unseen word that of its n-grams, where the model has subwords.

        Raises KeyError for an unseen word where it has none, InputError where it shares no n-gram with the vocabulary.
        """
        if word in self.index or self.ngrams is None:
            row: NDArray[np.float32] = self.matrix[self.index[word]]
            return row
        return self.ngrams.vector(word)

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
    folder = table_folder(storage.absolute_uri(output), table)
    head = storage.read_table(folder, columns=["id", "word", "count"])
    if any(head[name].null_count for name in head.column_names):
        raise damaged(folder, "a row holds a null")
    ids = head["id"].to_numpy()
    order = np.argsort(ids)
    if not len(ids) or not np.array_equal(ids[order], np.arange(len(ids))):
        raise damaged(folder, f"the ids of its {len(ids)} rows are not 0, 1, 2 and so on, each once")
    words: list[str] = head["word"].to_numpy()[order].tolist()
    counts = head["count"].to_numpy()[order].astype(np.int64)
    matrix: NDArray[np.float32] = np.empty((len(words), 0), dtype=np.float32)
    for batch in storage.scan_table(folder, columns=["id", "vector"]):
        if batch.num_rows:
            rows = list_rows(batch.column("vector"), folder)
            if not matrix.shape[1]:
                matrix = np.empty((len(words), rows.shape[1]), dtype=np.float32)
            if rows.shape[1] != matrix.shape[1]:
                raise damaged(folder, f"a vector has {rows.shape[1]} values where others have {matrix.shape[1]}")
            matrix[batch.column("id").to_numpy()] = rows
    has_ngrams = table == "vectors" and _has_ngrams(storage.absolute_uri(output))
    return WordVectors(words=words, counts=counts, matrix=matrix, output=output if has_ngrams else "")


def _has_ngrams(output: str) -> bool:
    """Whether this is an output folder whose current version has character n-grams."""
    published = storage.exists(storage.join(output, "current.json"))
    return published and storage.exists(storage.join(publish.current_path(output), "ngrams"))


def table_folder(folder: str, table: str) -> str:
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
