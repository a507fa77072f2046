"""The frequent words of a version, with their vectors and neighbours. Only the first rows of its tables are read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from w2vspark.base.errors import OutputError
from w2vspark.output.publish import Version
from w2vspark.storage.listed import scan_listed
from w2vspark.vectors.lists import damaged, list_rows
from w2vspark.vectors.nearest import nearest_rows

NEAR = 10_000  # words among which neighbours are found
SHOWN = 5_000  # words that the page has neighbours of, and the map has a place for
TOP = 10  # neighbours of a word


@dataclass(frozen=True, slots=True, eq=False)
class Frequent:
    """The most frequent words of a version; row i belongs to the word with id i."""

    words: list[str]
    counts: NDArray[np.int64]  # (n,)
    unit: NDArray[np.float32]  # (n, D), rows of length 1 or 0

    def rows(self, chosen: NDArray[np.integer] | slice) -> "Frequent":
        """Some of the words, in the order given."""
        words = self.words[chosen] if isinstance(chosen, slice) else [self.words[row] for row in chosen]
        return Frequent(words, self.counts[chosen], self.unit[chosen])


def read_frequent(version: Version, count: int = NEAR) -> Frequent:
    """The `count` words with the lowest ids, which are the most frequent ones.

    Raises OutputError when the version has no table of word vectors, or when it is damaged or was deleted.
    """
    if not version.has("vectors"):
        what = version.manifest.get("job") or version.manifest.get("method", "a run")
        raise OutputError(
            f"{version.folder}: {what} has published no table of word vectors (vectors), which a report is about; name "
            "a version that has one"
        )
    uri = version.table("vectors")
    with version.reading("run the command again"):
        columns = ["id", "word", "count", "vector"]
        batches = list(scan_listed(uri, columns, [("id", "<", count)], files=version.listed("vectors")))
    table = pa.Table.from_batches(batches) if batches else None
    if table is None or not len(table):
        raise damaged(uri, "it has no word with the id 0")
    table = table.take(pc.sort_indices(table, [("id", "ascending")])).combine_chunks()
    if not np.array_equal(table["id"].to_numpy(), np.arange(len(table))):
        raise damaged(uri, f"the lowest ids of its words are not 0 to {len(table) - 1}, each once")
    matrix = list_rows(table["vector"].combine_chunks(), uri)
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    norms[norms == 0] = 1
    return Frequent(table["word"].to_pylist(), table["count"].to_numpy().astype(np.int64), matrix / norms[:, None])


def neighbours(frequent: Frequent, asked: Sequence[int] | NDArray[np.integer]) -> list[list[str]]:
    """The TOP nearest words of some rows."""
    found, _ = nearest_rows(frequent.unit, np.asarray(asked, np.int64), TOP)
    return [[frequent.words[row] for row in rows] for rows in found.tolist()]
