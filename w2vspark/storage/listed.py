"""Tables as lists of files: how they are written, checked and read, without Spark.

A table is a folder with Parquet files and `_files.json`, the list of the table's files in the order of its rows. Other
files in the folder, left by an attempt that failed or was overtaken, are never read. The list has each file's size and
the CRC32 of its footer, and each page has a CRC32. So every reader notices a changed byte. One folder may hold several
matrices, each with a name.
"""

import functools
import uuid
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from w2vspark import storage
from w2vspark.base.errors import DamagedTable, EnvironmentFailure, OutputError
from w2vspark.storage.sealed import read_sealed_json, sealed_json
from w2vspark.storage.uris import first_line, reaching

LIST = "_files.json"
ROWS = "rows"  # the name of the only matrix of a plain table
COLUMNS = ("matrix", "first_id", "rows", "file", "size", "crc32")
_TAIL = 1 << 16  # bytes at a file's end that hold most footers
_READ_BYTES = 8 << 20

ListedFile = dict[str, Any]  # the keys of COLUMNS


class Footer(NamedTuple):
    """A Parquet file's size in bytes and the CRC32 of its footer: they show whether it is the file that was written."""

    size: int
    crc32: int


class NewFile:
    """A Parquet file of a table while it is written; use it in a `with` statement. Every attempt gets a new name."""

    def __init__(self, folder: str, name: str, schema: pa.Schema, **options: Any) -> None:
        """folder: the table's folder. name: the beginning of the file's name. options: of pyarrow's ParquetWriter;
        write_page_checksum is True by default."""
        self.file = f"{name}-{uuid.uuid4().hex}.parquet"
        self.rows = 0
        self._uri = storage.join(folder, self.file)
        self._schema, self._options = schema, {"write_page_checksum": True} | options
        self._stack = ExitStack()

    def __enter__(self) -> "NewFile":
        sink = self._stack.enter_context(storage.open_for_writing(self._uri))
        writer = pq.ParquetWriter(sink, self._schema, **self._options)
        self._writer = self._stack.enter_context(writer)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def write(self, batch: pa.RecordBatch | pa.Table, row_group_rows: int | None = None) -> None:
        """Append rows, in row groups of `row_group_rows` rows; None = one group."""
        if isinstance(batch, pa.RecordBatch):
            self._writer.write_batch(batch, row_group_rows)
        else:
            self._writer.write_table(batch, row_group_rows)
        self.rows += batch.num_rows

    def listed(self) -> dict[str, Any]:
        """The keys file, size and crc32 for the list. Call it after the file is closed."""
        return {"file": self.file, **footer_of(self._uri)._asdict()}


def write_list(uri: str, files: Sequence[ListedFile]) -> None:
    """Write the list of the files of a table. files: each with the keys of COLUMNS; other keys are left out."""
    kept = [{name: file[name] for name in COLUMNS} for file in files]
    storage.write_text(
        storage.join(uri, LIST), sealed_json({"files": sorted(kept, key=itemgetter("matrix", "first_id"))})
    )


def write_small(table: pa.Table, uri: str) -> None:
    """Write a small table into a new folder, as one file with a list."""
    with NewFile(uri, "part", table.schema) as file:
        file.write(table)
    write_list(uri, [{"matrix": ROWS, "first_id": 0, "rows": file.rows, **file.listed()}])


def listed_files(uri: str, matrix: str = ROWS) -> list[ListedFile]:
    """A matrix's files, in the order of its rows. Raises DamagedTable when the list is missing or damaged."""
    return [file for file in read_list(uri) if file["matrix"] == matrix]


def read_list(uri: str) -> list[ListedFile]:
    """All files of a table. Raises DamagedTable when the list is missing or damaged."""
    try:
        found: list[ListedFile] = read_sealed_json(storage.join(uri, LIST))["files"]
    except FileNotFoundError as error:
        raise DamagedTable(f"{uri}: lacks {LIST}, the list of its files") from error
    return found


def file_names(uri: str) -> tuple[str, ...]:
    """The names of a table's files, which differ from those of any other table that was written to the same folder.

    Raises DamagedTable when the list is missing or damaged.
    """
    return tuple(file["file"] for file in read_list(uri))


def missing_file(uri: str) -> str:
    """The name of a listed file that is missing or has another size; "" if there is none.

    Raises DamagedTable when the list is missing or damaged.
    """
    sizes: dict[str, dict[str, int]] = {}
    for file in read_list(uri):
        whole = file_uri(uri, file["file"])
        folder = storage.parent(whole)
        if folder not in sizes:
            sizes[folder] = storage.file_sizes(folder)
        if sizes[folder].get(whole.rpartition("/")[2]) != file["size"]:
            return str(file["file"])
    return ""


def file_uri(uri: str, name: str) -> str:
    """The URI of a listed file. A name that begins with ../ is a file of another table in staging."""
    while name.startswith("../"):
        uri, name = storage.parent(uri), name[3:]
    return storage.join(uri, name)


def _own_folder(uri: str, name: str) -> tuple[str, str]:
    """The folder that holds a listed file, and its name there."""
    whole = file_uri(uri, name)
    return (storage.parent(whole), whole.rpartition("/")[2]) if name.startswith("../") else (uri, name)


def listed_elsewhere(uri: str, other: str, file: ListedFile) -> ListedFile:
    """A file of the table `other` for the list of the table `uri`. Both are in the staging of one output folder."""
    ours, theirs = uri.rstrip("/").split("/"), other.rstrip("/").split("/")
    same = next((at for at, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), len(ours))
    return file | {"file": "/".join([*[".."] * (len(ours) - same), *theirs[same:], file["file"]])}


def count_listed(uri: str, matrix: str = ROWS) -> int:
    """The number of rows of a matrix, from the list."""
    return sum(int(file["rows"]) for file in listed_files(uri, matrix))


def count_rows(uri: str, file: ListedFile) -> int:
    """The number of rows in one file. The list has a matrix's rows, which are not always the file's rows."""
    return sum(batch.num_rows for batch in scan_listed(uri, [], files=[file]))


def read_listed(
    uri: str,
    columns: Sequence[str] | None = None,
    filters: storage.Filters | None = None,
    matrix: str = ROWS,
    files: Sequence[ListedFile] | None = None,
) -> pa.Table:
    """A table in memory, in the order of its rows. filters: as in storage.read_table; files: as in scan_listed.

    Raises DamagedTable as scan_listed does, and when no file is listed.
    """
    chosen = listed_files(uri, matrix) if files is None else files
    if not chosen:
        raise DamagedTable(f"{uri}: lists no file of {matrix!r}")
    with _damage_errors(uri, chosen):
        return _dataset(uri, _keys(chosen)).to_table(columns=_list(columns), filter=storage.expression(filters))


def scan_listed(
    uri: str,
    columns: Sequence[str] | None = None,
    filters: storage.Filters | None = None,
    matrix: str = ROWS,
    files: Sequence[ListedFile] | None = None,
    files_ahead: int = 1,
    batches_ahead: int = 2,
    keep_footers: bool = False,
) -> Iterator[pa.RecordBatch]:
    """The rows of read_listed in batches. files: some of the listed files; None = all files of the matrix.

    files_ahead, batches_ahead: as in storage.scan_table. keep_footers: keep the footers in memory, because this process
    will read other rows of the table; only the last table's are kept. Raises DamagedTable when a file is missing or is
    not what was written, EnvironmentFailure when the storage fails.
    """
    chosen = listed_files(uri, matrix) if files is None else files
    if not chosen:
        return
    with _damage_errors(uri, chosen):
        dataset = _kept_dataset if keep_footers else _dataset
        yield from dataset(uri, _keys(chosen)).to_batches(
            columns=_list(columns),
            filter=storage.expression(filters),
            batch_readahead=batches_ahead,
            fragment_readahead=files_ahead,
            use_threads=batches_ahead > 0,  # Arrow's threads would hold more batches in memory
        )


def footer_of(uri: str) -> Footer:
    """A Parquet file's size and the CRC32 of its footer. Raises OutputError when it does not end as a Parquet file."""
    fs, path = storage.filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        size = file.size()
        tail = file.read_at(min(size, _TAIL), max(0, size - _TAIL))
        length = int.from_bytes(tail[-8:-4], "little") + 8 if tail[-4:] == b"PAR1" else 0
        if not 8 < length <= size:
            raise OutputError(f"{uri}: does not end as a Parquet file does")
        footer = tail[-length:] if length <= len(tail) else file.read_at(length, size - length)
    return Footer(size, zlib.crc32(footer))


def _keys(files: Sequence[ListedFile]) -> tuple[tuple[str, int, int], ...]:
    return tuple((file["file"], file["size"], file["crc32"]) for file in files)


def _dataset(uri: str, files: tuple[tuple[str, int, int], ...]) -> ds.Dataset:
    """The files as one table. Raises DamagedTable when one is not what was written."""
    fs, _ = storage.filesystem(uri)
    fragments = []
    options = ds.ParquetFragmentScanOptions(pre_buffer=False, page_checksum_verification=True)
    kind = ds.ParquetFileFormat(default_fragment_scan_options=options)
    for name, size, crc32 in files:
        found = footer_of(file_uri(uri, name))
        if found != (size, crc32):
            where, own = _own_folder(uri, name)
            raise DamagedTable(f"{where}: {own} is not what was written: {found}, not size={size}, crc32={crc32}")
        fragments.append(kind.make_fragment(storage.filesystem(file_uri(uri, name))[1], fs))
    return ds.FileSystemDataset(fragments, fragments[0].physical_schema, kind, fs)


_kept_dataset = functools.lru_cache(maxsize=1)(_dataset)


@contextmanager
def _damage_errors(uri: str, files: Sequence[ListedFile]) -> Iterator[None]:
    try:
        yield
    except DamagedTable:
        raise
    except (OSError, OutputError, pa.ArrowException) as error:
        for file in files:
            _read_through(uri, file)
        check_values(uri, files)
        if not isinstance(error, OSError):
            raise  # neither damage nor a failure of the storage
        why = f"could be read only at the second try ({first_line(error)})"
        raise EnvironmentFailure(f"{uri}: {why}; check the disk or store, and run this again") from error


def check_values(uri: str, files: Sequence[ListedFile]) -> None:
    """Read every page of some files of a table. Raises DamagedTable when one is not what was written."""
    for file in files:
        try:
            for _ in _dataset(uri, _keys([file])).to_batches(
                batch_readahead=1, fragment_readahead=1, use_threads=False
            ):
                pass
        except (OSError, OutputError, pa.ArrowException) as damage:
            where, _ = _own_folder(uri, file["file"])
            raise DamagedTable(f"{where}: a file of it is damaged ({first_line(damage)})") from damage


def _read_through(uri: str, file: ListedFile) -> None:
    """Read a file's bytes, to tell damage from a failure of the storage.

    Raises DamagedTable when the file is missing or has another size, EnvironmentFailure when it cannot be read.
    """
    whole = file_uri(uri, file["file"])
    fs, path = storage.filesystem(whole)
    try:
        with reaching(whole), fs.open_input_file(path) as content:
            size = 0
            while part := content.read(_READ_BYTES):
                size += len(part)
    except FileNotFoundError as error:
        raise DamagedTable("{}: {} is missing".format(*_own_folder(uri, file["file"]))) from error
    if size != file["size"]:
        where, own = _own_folder(uri, file["file"])
        raise DamagedTable(f"{where}: {own} has {size} bytes, not {file['size']}")


def _list(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)
