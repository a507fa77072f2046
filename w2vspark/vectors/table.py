"""Published tables of word vectors as arrays in memory."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from w2vspark import storage
from w2vspark.base.advice import is_below_version
from w2vspark.base.errors import OutputError
from w2vspark.output import publish
from w2vspark.vectors.lists import damaged, list_rows
from w2vspark.vectors.subwords import Subwords, read_subwords


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Words with their counts and vectors, the most frequent word first.

    Row i belongs to the word with id i, unless `vocabulary.keep` has kept the ids of an earlier version: then ids have
    another order than counts.

    `words`: V strings. `counts`: int64 (V,). `matrix`: float32 (V, D), C-contiguous.
    """

    words: list[str]
    counts: NDArray[np.int64]
    matrix: NDArray[np.float32]
    version: publish.Version | None = None  # the words' version, if it has character n-grams

    @property
    def dimensions(self) -> int:
        """The length D of the vectors."""
        return int(self.matrix.shape[1])

    @cached_property
    def index(self) -> dict[str, int]:
        """The row of every word. Made at the first use."""
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def subwords(self) -> Subwords | None:
        """The model's character n-grams, which give vectors to unseen words; None if the model has none.

        Read at the first use, from the version of the words. Raises OutputError when that version was deleted.
        """
        return read_subwords(self.version) if self.version is not None else None

    def vector(self, word: str) -> NDArray[np.float32]:
        """A word's vector, float32 (D,). An unseen word gets the vector of its n-grams, if the model has subwords.

        Raises KeyError for an unseen word if the model has no subwords, InputError if the word shares no n-gram with
        the vocabulary.
        """
        if word in self.index or self.subwords is None:
            row: NDArray[np.float32] = self.matrix[self.index[word]]
            return row
        return self.subwords.vector(word)

    @cached_property
    def unit(self) -> NDArray[np.float32]:
        """The matrix with every row divided by its length, float32 (V, D); a zero row stays zero.

        Made at the first use and kept: it needs as much memory as the matrix.
        """
        norms: NDArray[np.float32] = np.sqrt(np.einsum("ij,ij->i", self.matrix, self.matrix))
        norms[norms == 0] = 1
        return self.matrix / norms[:, None]


def load_vectors(output: str, table: str = "vectors") -> WordVectors:
    """Load a published table of word vectors into memory.

    `output`: an output folder (its current version is read), a version's folder, or the table's own folder; a path or
    URI. `table`: "vectors" or "context".

    Rows are placed by falling counts, then by id, so the order of the files and of their rows does not matter. Besides
    the result, only a few record batches are in memory at once.

    Raises OutputError when nothing is published there or the table is damaged.

    Example: `vectors = load_vectors("vectors")`.
    """
    version, folder = find_table(output, table)
    with keeping(version):
        missing = [name for name in ("id", "word", "count", "vector") if name not in storage.column_names(folder)]
        if missing:
            raise OutputError(f"{folder}: is no table of word vectors: it has no column {', '.join(missing)}")
        words, counts, matrix = _read_rows(folder)
    has_subwords = version is not None and version.has("subwords") and folder.endswith("/vectors")
    return WordVectors(words, counts, matrix, version=version if has_subwords else None)


def _read_rows(folder: str) -> tuple[list[str], NDArray[np.int64], NDArray[np.float32]]:
    """Words, counts and vectors, in the order of falling counts, then of the ids."""
    head = storage.read_table(folder, columns=["id", "word", "count"])
    if any(head[name].null_count for name in head.column_names):
        raise damaged(folder, "a row holds a null")
    ids = head["id"].to_numpy()
    order = np.argsort(ids)
    if not len(ids) or not np.array_equal(ids[order], np.arange(len(ids))):
        raise damaged(folder, f"the ids of its {len(ids)} rows are not 0, 1, 2 and so on, each once")
    words: list[str] = head["word"].to_numpy()[order].tolist()
    counts = head["count"].to_numpy()[order].astype(np.int64)
    by_count = np.argsort(-counts, kind="stable")  # ids are in this order already, unless they were kept
    rows_of_ids = np.empty(len(ids), np.int64)
    rows_of_ids[by_count] = np.arange(len(ids))
    words, counts = [words[at] for at in by_count], counts[by_count]
    matrix: NDArray[np.float32] = np.empty((len(words), 0), dtype=np.float32)
    for batch in storage.scan_table(folder, columns=["id", "vector"]):
        if batch.num_rows:
            rows = list_rows(batch.column("vector"), folder)
            if not matrix.shape[1]:
                matrix = np.empty((len(words), rows.shape[1]), dtype=np.float32)
            if rows.shape[1] != matrix.shape[1]:
                raise damaged(folder, f"a vector has {rows.shape[1]} values where others have {matrix.shape[1]}")
            matrix[rows_of_ids[batch.column("id").to_numpy()]] = rows
    return words, counts, matrix


def find_table(output: str, table: str) -> tuple[publish.Version | None, str]:
    """A table's version and folder. output: an output folder, a version's folder or the table's own folder.

    The version is None for a table that was copied out of its version. Raises OutputError when there is no table.
    """
    folder = storage.absolute_uri(output).rstrip("/")
    version = publish.find_version(folder)
    if version is not None:
        return version, version.table(table)
    version = publish.read_version(storage.parent(folder))
    if version is not None:
        return version, version.table(folder.rpartition("/")[2])
    if not is_below_version(folder):
        for uri in (storage.join(folder, table), folder):
            if any(name.endswith(".parquet") for name in storage.list_names(uri)):
                return None, uri
    version = publish.resolve(folder)  # raises: nothing is published
    return version, version.table(table)


def keeping(version: publish.Version | None) -> AbstractContextManager[None]:
    """Put this around code that reads a table from find_table; see Version.reading."""
    return version.reading("load the vectors again") if version is not None else nullcontext()
