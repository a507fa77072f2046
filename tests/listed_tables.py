"""Staged tables that a test wrote by hand."""

from pathlib import Path

import pyarrow.parquet as pq

from w2vspark.storage.listed import ROWS, footer_of, write_list


def list_folder(folder: Path | str) -> str:
    """Declare a folder's Parquet files, in the order of their names, to be a table; its URI."""
    files, first = [], 0
    for path in sorted(Path(folder).glob("*.parquet")):
        rows = pq.read_metadata(path).num_rows
        files.append(
            {"matrix": ROWS, "first_id": first, "rows": rows, "file": path.name, **footer_of(str(path))._asdict()}
        )
        first += rows
    write_list(str(folder), files)
    return str(folder)
