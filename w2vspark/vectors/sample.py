"""The most frequent words of a version, and some others: enough to score it, however large it is."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from w2vspark import storage
from w2vspark.output.publish import Version
from w2vspark.vectors.lists import damaged, list_rows
from w2vspark.vectors.score import Case
from w2vspark.vectors.table import WordVectors

IDS_AT_ONCE = 4096  # that are asked for in one reading of the table


@dataclass(frozen=True, eq=False)
class Sample:
    """Some words of a version, with their vectors: first the most frequent ones, then others that were asked for."""

    vectors: WordVectors
    frequent: int  # the first rows
    words: int  # of the whole version
    case: Case  # how words of a test set are looked up


def read_sample(version: Version, frequent: int, asked: Collection[str] = ()) -> Sample:
    """The `frequent` most frequent words of a version, and those of the words `asked` (as they are, or in lower case).

    The words of the whole table are read once, in batches, and all ids and counts at once. Of the vectors, only those
    of the sample are in memory: 4 x D bytes for each word. Raises OutputError when the version has no table of vectors,
    or a damaged one.
    """
    folder = version.table("vectors")
    words = capitals = 0
    others: list[NDArray[Any]] = []
    first = _frequent(folder, frequent)
    forms = pa.array(sorted({form for word in asked for form in (word, word.lower())}), pa.string())
    for batch in storage.scan_table(folder, ["id", "word"]):
        words += batch.num_rows
        capitals += sum(word != word.lower() for word in batch["word"].to_pylist())
        wanted = pc.and_(pc.is_in(batch["word"], value_set=forms), pc.invert(pc.is_in(batch["id"], value_set=first)))
        others.append(batch["id"].filter(wanted).to_numpy())
    ids = np.sort(np.concatenate([np.empty(0, np.int32), *others]))
    highest = pc.max(first).as_py()
    batches = [rows.filter(pc.is_in(rows["id"], value_set=first)) for rows in _rows(folder, [("id", "<=", highest)])]
    for begin in range(0, len(ids), IDS_AT_ONCE):
        batches += _rows(folder, [("id", "in", ids[begin : begin + IDS_AT_ONCE].tolist())])
    found = pa.Table.from_batches(batches).combine_chunks()
    is_asked = pc.invert(pc.is_in(found["id"], value_set=first))
    by_count = [("asked", "ascending"), ("count", "descending"), ("id", "ascending")]
    found = found.append_column("asked", is_asked).sort_by(by_count)
    if len(found) != min(frequent, words) + len(ids):
        raise damaged(folder, f"{len(found)} rows have the ids of {min(frequent, words) + len(ids)} words")
    matrix = list_rows(found["vector"].combine_chunks(), folder)
    vectors = WordVectors(found["word"].to_pylist(), found["count"].to_numpy(), np.ascontiguousarray(matrix))
    # As in score_pairs: some exceptions are allowed.
    return Sample(vectors, min(frequent, words), words, "lower" if capitals * 1000 <= words else "keep")


def _frequent(folder: str, most: int) -> pa.Array:
    """The ids of the `most` most frequent words, int32. They are the first ones, unless ids were kept."""
    head = storage.read_table(folder, ["id", "count"])
    ids, counts = head["id"].to_numpy(), head["count"].to_numpy()
    first = int(np.count_nonzero(ids < most))
    if first != min(most, len(ids)):
        raise damaged(folder, f"{first} rows have the ids of {min(most, len(ids))} words")
    return pa.array(ids[np.lexsort((ids, -counts))[:most]])


def _rows(folder: str, filters: list[tuple[str, str, Any]]) -> Iterator[pa.RecordBatch]:
    return (batch for batch in storage.scan_table(folder, ["id", "word", "count", "vector"], filters) if batch.num_rows)
