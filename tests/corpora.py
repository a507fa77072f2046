"""Small tables encoded and vocabulary, of documents that are given as lists of word ids."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from listed_tables import list_folder

from w2vspark.base.schemas import ENCODED, VOCABULARY

BUCKETS = 16
PIECE = 7  # tokens


def write_encoded(folder: Path, documents: list[tuple[str, list[int]]], words: int) -> None:
    """The two tables, in `folder`. -1 in a document ends a sentence; pieces are spread over buckets and two files."""
    rows = []
    for doc_id, ids in documents:
        for piece, start in enumerate(range(0, len(ids), PIECE)):
            bucket = hashlib.md5(f"{doc_id} {piece}".encode()).digest()[0] % BUCKETS
            rows.append((bucket, doc_id, piece, ids[start : start + PIECE]))
    rows.sort()
    (folder / "encoded").mkdir(parents=True)
    for number, part in enumerate((rows[: len(rows) // 3], rows[len(rows) // 3 :])):
        columns = [[row[n] for row in part] for n in range(4)]
        pq.write_table(pa.table(columns, schema=ENCODED), folder / "encoded" / f"part-{number}.parquet")
    list_folder(folder / "encoded")
    ids = np.concatenate([ids for _, ids in documents])
    counts = np.bincount(ids[ids >= 0], minlength=words)
    (folder / "vocabulary").mkdir()
    table = pa.table([np.arange(words, dtype=np.int32), [f"w{n}" for n in range(words)], counts], schema=VOCABULARY)
    pq.write_table(table, folder / "vocabulary" / "part-0.parquet")
    list_folder(folder / "vocabulary")
