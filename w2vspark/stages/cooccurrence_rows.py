"""Read staged co-occurrences in later stages: whole rows, in blocks."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from w2vspark.base.schemas import COOCCURRENCES
from w2vspark.stages.cooccurrences import COUNTS, SUMS
from w2vspark.stages.sparse_rows import BLOCK_ENTRIES, SparseBlock
from w2vspark.storage.listed import listed_files, read_listed, scan_listed


def scan_row_entries(uri: str) -> Iterator[tuple[int, np.ndarray]]:
    """The number of entries in each row of a staged table of counts: yields a first row and int32 (rows,)."""
    for file in listed_files(uri, SUMS):
        yield file["first_id"], read_listed(uri, ["entries"], files=[file])["entries"].to_numpy()


def scan_counts(uri: str, first: int, last: int) -> Iterator[SparseBlock]:
    """Rows first … last - 1 of a staged table of counts, in blocks of some 4 million entries.

    Raises DamagedTable when a file is missing or damaged.
    """
    waiting: list[pa.RecordBatch] = []
    size, at = 0, first
    for file in listed_files(uri, COUNTS):
        begin, end = max(first, file["first_id"]), min(last, file["first_id"] + file["rows"])
        if begin >= end:
            continue
        wanted = [("row", ">=", begin), ("row", "<", end)]
        for batch in scan_listed(uri, COOCCURRENCES.names, wanted, files=[file]):
            waiting.append(batch)
            size += batch.num_rows
            if size > BLOCK_ENTRIES:
                table = pa.Table.from_batches(waiting)
                whole = table["row"][-1].as_py()  # this row may go on in the next batch
                yield from _sparse_block(table, at, whole)
                rest = table.slice(int(np.searchsorted(table["row"].to_numpy(), whole)))
                at, waiting, size = whole, rest.to_batches(), rest.num_rows
    yield from _sparse_block(pa.Table.from_batches(waiting, COOCCURRENCES), at, last)


def _sparse_block(counts: pa.Table, first: int, last: int) -> Iterator[SparseBlock]:
    """Rows first … last - 1 of counts, which are sorted by row and may have later rows. Without rows, no block."""
    if first < last:
        ends = np.searchsorted(counts["row"].to_numpy(), np.arange(first, last), side="right")
        of_rows = counts.slice(0, int(ends[-1]))
        yield SparseBlock(first, ends, of_rows["col"].to_numpy(), of_rows["weight"].to_numpy().astype(np.float32))
