"""Files and Parquet tables behind URIs, local or remote, through pyarrow.fs; Spark is not needed."""

import io
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from w2vspark.base import globs
from w2vspark.base.errors import InputError, OutputError
from w2vspark.base.uris import FLAT_STORES, absolute_uri, filesystem, first_line, join, reaching, split_uri

__all__ = [
    "Filters",
    "InputFile",
    "absolute_uri",
    "copy_file",
    "copy_folder",
    "count_rows",
    "delete_file",
    "delete_folder",
    "exists",
    "filesystem",
    "is_file",
    "is_hidden",
    "join",
    "list_files",
    "list_names",
    "open_at",
    "open_for_writing",
    "read_bytes",
    "read_table",
    "read_text",
    "scan_table",
    "write_table",
    "write_text",
]

Filters = Sequence[tuple[str, str, Any]] | Sequence[Sequence[tuple[str, str, Any]]]


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """A file of the corpus; sizes and times tell whether it has changed since."""

    uri: str
    size: int  # bytes
    modified_ns: int  # nanoseconds since 1970


def exists(uri: str) -> bool:
    """Whether there is a file or folder."""
    fs, path = filesystem(uri)
    with reaching(uri):
        return bool(fs.get_file_info(path).type != pafs.FileType.NotFound)


def is_file(uri: str) -> bool:
    """Whether there is a file, not a folder."""
    fs, path = filesystem(uri)
    with reaching(uri):
        return bool(fs.get_file_info(path).type == pafs.FileType.File)


def read_bytes(uri: str) -> bytes:
    """The bytes of a file. Raises FileNotFoundError when there is none."""
    fs, path = filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        return bytes(file.read())


def read_text(uri: str) -> str:
    """The UTF-8 text of a file. Raises FileNotFoundError when there is none, UnicodeDecodeError for other bytes."""
    return read_bytes(uri).decode("utf-8")


def write_text(uri: str, text: str) -> None:
    """Replaces a file whole: a reader sees the old text or the new one. Parent folders are made."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if isinstance(fs, pafs.LocalFileSystem):
            _replace_local(path, text.encode("utf-8"))
            return
        if fs.type_name not in FLAT_STORES:
            fs.create_dir(path.rpartition("/")[0] or "/", recursive=True)
        with fs.open_output_stream(path) as file:  # an object appears when it is closed, whole
            file.write(text.encode("utf-8"))


@contextmanager
def open_for_writing(uri: str) -> Iterator[pa.NativeFile]:
    """A new file to write bytes to. Parent folders are made."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.type_name not in FLAT_STORES:
            fs.create_dir(path.rpartition("/")[0] or "/", recursive=True)
        with fs.open_output_stream(path) as file:
            yield file


@contextmanager
def open_for_reading(uri: str) -> Iterator[pa.NativeFile]:
    """A file's bytes from its beginning, read ahead. Raises FileNotFoundError when there is none."""
    fs, path = filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        yield io.BufferedReader(file, 1 << 20)


@contextmanager
def open_at(uri: str, offset: int) -> Iterator[pa.NativeFile]:
    """A file's bytes from a place on. Raises FileNotFoundError when there is none."""
    fs, path = filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        file.seek(offset)
        yield file


def delete_file(uri: str) -> None:
    """Deletes a file; a missing one is fine."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.get_file_info(path).type == pafs.FileType.File:
            fs.delete_file(path)


def delete_folder(uri: str) -> None:
    """Deletes a folder and all that is in it; a missing one is fine."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.get_file_info(path).type == pafs.FileType.Directory:
            fs.delete_dir(path)


def list_names(uri: str) -> list[str]:
    """Sorted names of a folder's direct children; a missing folder has none."""
    fs, path = filesystem(uri)
    with reaching(uri):
        children = fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(child.base_name for child in children)


def list_files(pattern: str) -> list[InputFile]:
    """The files that a path means, sorted: a file, a folder with all below it, or a Hadoop glob (``* ? [] {a,b}``).

    Just what Spark reads of it with the option recursiveFileLookup=true: names that begin with ``_`` or ``.`` are
    skipped, except folders that the pattern itself matches. Raises InputError when nothing is left, and for a malformed
    pattern.
    """
    fs, whole = filesystem(pattern)
    base, path = split_uri(pattern)
    root = whole.removesuffix(path)  # the bucket, where the store has one
    found = set()
    with reaching(pattern):
        for alternative in globs.expand_braces(path):
            for match in _matches(fs, root, alternative):
                for file in _files_of(fs, match):
                    uri = f"{base}/{file.path[len(root) :].lstrip('/')}"
                    found.add(InputFile(uri, file.size, file.mtime_ns or 0))
    if not found:
        missing = "nothing matches it" if globs.is_pattern(pattern) else "it is not there"
        why = "it holds no file" if exists(pattern) else missing
        raise InputError(f"input path {pattern}: {why} (names that begin with _ or . are skipped); check its spelling")
    return sorted(found)


def is_hidden(name: str) -> bool:
    """Whether Spark skips a file or folder of this name; ``_key=value`` is a partition folder, not hidden."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def read_table(uri: str, columns: Sequence[str] | None = None, filters: Filters | None = None) -> pa.Table:
    """A Parquet table: a folder as Spark writes it (``key=value`` folders become columns) or one file.

    Files are read in the order of their names, rows in the order of the file. ``filters`` are pyarrow's:
    [(column, op, value), …], all of which must hold. Raises OutputError when the table is missing or unreadable.
    """
    with _table_errors(uri):
        return _dataset(uri).to_table(columns=_listed(columns), filter=_expression(filters))


def scan_table(
    uri: str,
    columns: Sequence[str] | None = None,
    filters: Filters | None = None,
    files_ahead: int = 1,
    batches_ahead: int = 2,
) -> Iterator[pa.RecordBatch]:
    """As read_table, batch by batch, for tables that should not be in memory at once.

    files_ahead: how many files are opened side by side; many where most have no row that passes. batches_ahead: how
    many are read while one is used; 0 where they are large: then this thread reads them one by one.
    """
    with _table_errors(uri):
        yield from _dataset(uri).to_batches(
            columns=_listed(columns),
            filter=_expression(filters),
            batch_readahead=batches_ahead,
            use_threads=batches_ahead > 0,  # threads would read some hundred MB ahead of a slow reader all the same
            fragment_readahead=files_ahead,
            fragment_scan_options=ds.ParquetFragmentScanOptions(pre_buffer=False),  # would hold a file's columns whole
        )


def count_rows(uri: str) -> int:
    """Rows of a Parquet table, from the files' footers alone. Raises OutputError as read_table does."""
    with _table_errors(uri):
        return int(_dataset(uri).count_rows())


def write_table(table: pa.Table, uri: str) -> None:
    """A small table as a Parquet folder of one file."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.type_name not in FLAT_STORES:
            fs.create_dir(path, recursive=True)
        pq.write_table(table, f"{path}/part-00000.parquet", filesystem=fs)


def copy_folder(source: str, target: str) -> None:
    """Copies a table's files, those that Spark reads, byte for byte; both must be on one store."""
    from_fs, from_path = filesystem(source)
    to_fs, to_path = filesystem(target)
    with reaching(target):
        if to_fs.type_name not in FLAT_STORES:
            to_fs.create_dir(to_path, recursive=True)
        for file in _files_of(from_fs, from_fs.get_file_info(from_path)):
            pafs.copy_files(
                file.path, f"{to_path}/{file.base_name}", source_filesystem=from_fs, destination_filesystem=to_fs
            )


def copy_file(source: str, target: str) -> None:
    """Copies a file byte for byte; both must be on one store. Parent folders are made."""
    from_fs, from_path = filesystem(source)
    to_fs, to_path = filesystem(target)
    with reaching(target):
        if to_fs.type_name not in FLAT_STORES:
            to_fs.create_dir(to_path.rpartition("/")[0] or "/", recursive=True)
        pafs.copy_files(from_path, to_path, source_filesystem=from_fs, destination_filesystem=to_fs)


def _replace_local(path: str, content: bytes) -> None:
    folder, name = os.path.split(path)
    os.makedirs(folder, exist_ok=True)
    temporary = os.path.join(folder, f".{name}.{uuid.uuid4().hex}")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _dataset(uri: str) -> ds.Dataset:
    fs, path = filesystem(uri)
    info = fs.get_file_info(path)
    if info.type == pafs.FileType.NotFound:
        raise OutputError(f"{uri}: there is no such table; make it again by running the job")
    if info.type == pafs.FileType.File:
        return ds.FileSystemDatasetFactory(fs, [path], ds.ParquetFileFormat()).finish()
    files = sorted(file.path for file in _files_of(fs, info))
    if not files:
        raise OutputError(f"{uri}: holds no Parquet file; make the table again by running the job")
    options = ds.FileSystemFactoryOptions(partition_base_dir=path, partitioning=ds.HivePartitioning.discover())
    return ds.FileSystemDatasetFactory(fs, files, ds.ParquetFileFormat(), options).finish()


def _matches(fs: pafs.FileSystem, root: str, pattern: str) -> list[pafs.FileInfo]:
    # The existing files and folders that a glob without braces names; hidden folders too, as for Spark.
    paths = [root]
    for part in pattern.strip("/").split("/"):
        if not globs.has_wildcard(part):
            paths = [f"{path}/{globs.literal(part)}".rstrip("/") for path in paths]
            continue
        regex = globs.name_regex(part)
        infos = fs.get_file_info([path or "/" for path in paths])
        folders = [pafs.FileSelector(info.path) for info in infos if info.type == pafs.FileType.Directory]
        children = [child for folder in folders for child in fs.get_file_info(folder)]
        paths = [child.path for child in children if regex.fullmatch(child.base_name)]
    return [info for info in fs.get_file_info([path or "/" for path in paths]) if info.type != pafs.FileType.NotFound]


def _files_of(fs: pafs.FileSystem, info: pafs.FileInfo) -> list[pafs.FileInfo]:
    # A file itself, or the files below a folder; without those that Spark skips.
    if info.type == pafs.FileType.File:
        return [] if is_hidden(info.base_name) else [info]
    below = fs.get_file_info(pafs.FileSelector(info.path, recursive=True))
    files = [file for file in below if file.type == pafs.FileType.File]
    return [file for file in files if not any(map(is_hidden, file.path[len(info.path) :].strip("/").split("/")))]


@contextmanager
def _table_errors(uri: str) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        advice = "check that it can be reached; where it is damaged, delete it and run the job again"
        raise OutputError(f"{uri}: cannot be read as Parquet ({first_line(error)}); {advice}") from error


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


def _expression(filters: Filters | None) -> ds.Expression | None:
    return pq.filters_to_expression(filters) if filters else None
