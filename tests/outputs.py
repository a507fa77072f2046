"""Published versions made by hand, without Spark."""

import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from w2vspark.output.marker import create_marker
from w2vspark.storage.listed import footer_of


def publish_version(output: Path, version: str, tables: dict[str, pa.Table], **manifest: Any) -> Path:
    """Publishes tables as a version, each in files of 200 rows in the order of their names; the version's folder."""
    for name, table in tables.items():
        folder = output / "versions" / version / name
        folder.mkdir(parents=True)
        for number, start in enumerate(range(0, max(1, len(table)), 200)):
            file = folder / f"part-{number:05d}.parquet"
            pq.write_table(table.slice(start, 200), file, row_group_size=64, write_page_checksum=True)
    return declare(output, version, {name: len(table) for name, table in tables.items()}, **manifest)


def declare(output: Path, version: str, tables: dict[str, int], **manifest: Any) -> Path:
    """Writes the manifest of a version whose tables, with so many rows, are there, and current.json."""
    folder = output / "versions" / version
    files = {name: files_of(folder / name) for name in tables}
    whole = {"run_id": uuid.uuid4().hex, "tables": tables, "files": files, "config": {}, "fingerprints": {}} | manifest
    create_marker(str(output), "method")
    (folder / "manifest.json").write_text(json.dumps(whole))
    pointer = {"version": version, "path": f"versions/{version}", "run_id": whole["run_id"], "tables": tables}
    (output / "current.json").write_text(json.dumps(pointer))
    return folder


def files_of(folder: Path) -> list[dict[str, Any]]:
    """A table's files as a manifest lists them."""
    return [
        {"file": path.name, "rows": pq.read_metadata(path).num_rows, **footer_of(str(path))._asdict()}
        for path in sorted(folder.glob("*.parquet"))
    ]


def flip_bit(file: Path, column: int) -> None:
    """Flips a bit in the last byte of a column's data in the first row group."""
    found = pq.ParquetFile(file).metadata.row_group(0).column(column)
    content = bytearray(file.read_bytes())
    first = found.data_page_offset if found.dictionary_page_offset is None else found.dictionary_page_offset
    content[first + found.total_compressed_size - 1] ^= 4
    file.write_bytes(content)
