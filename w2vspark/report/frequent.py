"""The frequent words of a version, with their vectors and neighbours. Only the first rows of its tables are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import VECTORS
from w2vspark.output.publish import Version
from w2vspark.storage.listed import scan_listed
from w2vspark.vectors.lists import damaged, list_rows
from w2vspark.vectors.nearest import nearest_rows

NEAR = 10_000  # words among which neighbours are found
SHOWN = 5_000  # words that the page has neighbours of, and the map has a place for
TOP = 10  # neighbours of a word


@dataclass(frozen=True, slots=True, eq=False)
class Frequent:
    """The most frequent words of a version, the most frequent first.

    Row i belongs to the word with id i, unless `vocabulary.keep` has kept the ids of an earlier version.
    """

    ids: NDArray[np.int64]  # (n,)
    words: list[str]
    counts: NDArray[np.int64]  # (n,)
    unit: NDArray[np.float32]  # (n, D), rows of length 1 or 0

    def rows(self, chosen: NDArray[np.integer] | slice) -> "Frequent":
        """Some of the words, in the order given."""
        words = self.words[chosen] if isinstance(chosen, slice) else [self.words[row] for row in chosen]
        return Frequent(self.ids[chosen], words, self.counts[chosen], self.unit[chosen])


def read_frequent(version: Version, count: int = NEAR) -> Frequent:
    """The `count` most frequent words; of equally frequent words, those with the lowest ids.

    Raises OutputError when the version has no table of word vectors, or when it is damaged or was deleted.
    """
    if not version.has("vectors"):
        what = version.manifest.get("job") or version.manifest.get("method", "a run")
        raise OutputError(
            f"{version.folder}: {what} has published no table of word vectors (vectors), which a report is about; name "
            "a version that has one"
        )
    uri, ids = version.table("vectors"), _frequent_ids(version, count)
    if not len(ids):
        raise damaged(uri, "its version has no words")
    kept_in_order = int(ids.max()) == len(ids) - 1  # then the words stand at the beginning of the table
    wanted: tuple[str, str, Any] = ("id", "<", len(ids)) if kept_in_order else ("id", "in", ids.tolist())
    with version.reading("run the command again"):
        columns = ["id", "word", "count", "vector"]
        batches = list(scan_listed(uri, columns, [wanted], files=version.listed("vectors"), batches_ahead=0))
    table = pa.Table.from_batches(batches) if batches else VECTORS.empty_table()
    if not np.array_equal(np.sort(table["id"].to_numpy()), np.sort(ids)):
        raise damaged(uri, f"{len(table)} rows have the ids of the {len(ids)} most frequent words")
    table = table.take(pc.sort_indices(table, [("count", "descending"), ("id", "ascending")])).combine_chunks()
    matrix = list_rows(table["vector"].combine_chunks(), uri)
    norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
    norms[norms == 0] = 1
    counts = table["count"].to_numpy().astype(np.int64)
    return Frequent(table["id"].to_numpy().astype(np.int64), table["word"].to_pylist(), counts, matrix / norms[:, None])


def _frequent_ids(version: Version, count: int) -> NDArray[np.int64]:
    """The ids of the `count` most frequent words. The table is read in batches."""
    name = "vocabulary" if version.has("vocabulary") else "vectors"
    uri, best = version.table(name), np.empty((2, 0), np.int64)  # negative counts, and ids
    with version.reading("run the command again"):
        for batch in scan_listed(uri, ["id", "count"], files=version.listed(name), batches_ahead=0):
            found = np.stack([-batch["count"].to_numpy().astype(np.int64), batch["id"].to_numpy().astype(np.int64)])
            best = np.concatenate([best, found], axis=1)
            best = best[:, np.lexsort((best[1], best[0]))[:count]]
    ids: NDArray[np.int64] = best[1]
    return ids


def neighbours(frequent: Frequent, asked: Sequence[int] | NDArray[np.integer]) -> list[list[str]]:
    """The TOP nearest words of some rows."""
    found, _ = nearest_rows(frequent.unit, np.asarray(asked, np.int64), TOP)
    return [[frequent.words[row] for row in rows] for rows in found.tolist()]
