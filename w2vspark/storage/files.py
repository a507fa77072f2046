"""Local and remote files and Parquet tables, through pyarrow.fs. Needs no Spark."""

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

from w2vspark.base.advice import how_to_mend
from w2vspark.base.errors import InputError, OutputError
from w2vspark.storage import globs
from w2vspark.storage.uris import FLAT_STORES, filesystem, first_line, reaching, split_uri

# Compare the checksums of pages, where there are any, so that a flipped bit is an error.
_FORMAT = ds.ParquetFileFormat(
    default_fragment_scan_options=ds.ParquetFragmentScanOptions(page_checksum_verification=True)
)

Filters = Sequence[tuple[str, str, Any]] | Sequence[Sequence[tuple[str, str, Any]]]


@dataclass(frozen=True, slots=True, order=True)
class InputFile:
    """A file of the corpus. Its size and time tell whether it has changed."""

    uri: str
    size: int  # bytes
    modified_ns: int  # nanoseconds since 1970


def exists(uri: str) -> bool:
    """Whether a file or folder exists."""
    fs, path = filesystem(uri)
    with reaching(uri):
        return bool(fs.get_file_info(path).type != pafs.FileType.NotFound)


def is_file(uri: str) -> bool:
    """Whether the URI is that of an existing file, not of a folder."""
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
    """Create or replace a file in one step: a reader sees the old text or the new one. Makes parent folders."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if isinstance(fs, pafs.LocalFileSystem):
            _replace_local(path, text.encode("utf-8"))
            return
        if fs.type_name not in FLAT_STORES:
            fs.create_dir(path.rpartition("/")[0] or "/", recursive=True)
        with fs.open_output_stream(path) as file:  # an object appears whole, when it is closed
            file.write(text.encode("utf-8"))


@contextmanager
def open_for_writing(uri: str) -> Iterator[pa.NativeFile]:
    """A new file to write bytes to. Makes parent folders."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.type_name not in FLAT_STORES:
            fs.create_dir(path.rpartition("/")[0] or "/", recursive=True)
        with fs.open_output_stream(path) as file:
            yield file


@contextmanager
def open_for_reading(uri: str) -> Iterator[pa.NativeFile]:
    """A file opened at its beginning, with a buffer. Raises FileNotFoundError when there is none."""
    fs, path = filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        yield io.BufferedReader(file, 1 << 20)


@contextmanager
def open_at(uri: str, offset: int) -> Iterator[pa.NativeFile]:
    """A file opened at an offset in bytes. Raises FileNotFoundError when there is none."""
    fs, path = filesystem(uri)
    with reaching(uri), fs.open_input_file(path) as file:
        file.seek(offset)
        yield file


def delete_file(uri: str) -> None:
    """Delete a file; a missing one is fine."""
    fs, path = filesystem(uri)
    with reaching(uri):
        if fs.get_file_info(path).type == pafs.FileType.File:
            fs.delete_file(path)


def list_folders(uri: str) -> list[str]:
    """Sorted names of the folders in a folder; none for a missing folder."""
    fs, path = filesystem(uri)
    with reaching(uri):
        children = fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(child.base_name for child in children if child.type == pafs.FileType.Directory)


def move_file(source: str, target: str) -> None:
    """Move a file within one disk or store; on a disk, flush its content and rename it. Makes parent folders."""
    fs, path = filesystem(source)
    to_fs, to_path = filesystem(target)
    with reaching(target):
        if to_fs.type_name not in FLAT_STORES:
            to_fs.create_dir(to_path.rpartition("/")[0] or "/", recursive=True)
        if isinstance(fs, pafs.LocalFileSystem):
            _to_disk(path)
        fs.move(path, to_path)


def _to_disk(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def list_names(uri: str) -> list[str]:
    """Sorted names of the files and folders in a folder; none for a missing folder."""
    fs, path = filesystem(uri)
    with reaching(uri):
        children = fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return sorted(child.base_name for child in children)


def file_sizes(uri: str) -> dict[str, int]:
    """Names and sizes in bytes of the files in a folder; none for a missing folder."""
    fs, path = filesystem(uri)
    with reaching(uri):
        children = fs.get_file_info(pafs.FileSelector(path, allow_not_found=True))
    return {child.base_name: child.size for child in children if child.type == pafs.FileType.File}


def list_files(pattern: str) -> list[InputFile]:
    """The sorted files of a path: a file, a folder with all files below it, or a Hadoop glob (``* ? [] {a,b}``).

    They are the files that Spark reads with the option recursiveFileLookup=true: names that begin with ``_`` or ``.``
    are skipped, except folders that the pattern itself matches. Raises InputError when no file is left, and for a
    malformed pattern.
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
    """Whether Spark skips a file or folder of this name. ``_key=value`` is a partition's folder, and not hidden."""
    return name.startswith(".") or (name.startswith("_") and "=" not in name) or name.endswith("._COPYING_")


def read_table(uri: str, columns: Sequence[str] | None = None, filters: Filters | None = None) -> pa.Table:
    """A Parquet table in memory, from one file or from a folder as Spark writes it (``key=value`` folders are columns).

    Files are read in the order of their names, rows in the order of the file. filters: [(column, op, value), …] as in
    pyarrow; a row must pass all of them. Raises OutputError when the table is missing or unreadable.
    """
    with _table_errors(uri):
        return _dataset(uri).to_table(columns=_listed(columns), filter=expression(filters))


def scan_table(
    uri: str,
    columns: Sequence[str] | None = None,
    filters: Filters | None = None,
    files_ahead: int = 1,
    batches_ahead: int = 2,
) -> Iterator[pa.RecordBatch]:
    """The rows of read_table in batches, for tables that are too large for memory.

    files_ahead: files to open at once; choose many when most files have no row that passes the filters. batches_ahead:
    batches to read while one is in use; choose 0 for large batches: then this thread reads them one by one.
    """
    with _table_errors(uri):
        yield from _dataset(uri).to_batches(
            columns=_listed(columns),
            filter=expression(filters),
            batch_readahead=batches_ahead,
            use_threads=batches_ahead > 0,  # threads would still read some hundred MB ahead of a slow reader
            fragment_readahead=files_ahead,
            fragment_scan_options=ds.ParquetFragmentScanOptions(
                pre_buffer=False,  # it would hold whole columns of a file in memory
                page_checksum_verification=True,
            ),
        )


def column_names(uri: str) -> list[str]:
    """The names of a table's columns, in their order. Raises OutputError as read_table does."""
    with _table_errors(uri):
        return list(_dataset(uri).schema.names)


def count_rows(uri: str) -> int:
    """The number of rows of a Parquet table, from its files' footers. Raises OutputError as read_table does."""
    with _table_errors(uri):
        return int(_dataset(uri).count_rows())


def copy_file(source: str, target: str) -> None:
    """Copy a file byte for byte within one disk or store; on a disk, flush the copy. Makes parent folders."""
    from_fs, from_path = filesystem(source)
    to_fs, to_path = filesystem(target)
    with reaching(target):
        if to_fs.type_name not in FLAT_STORES:
            to_fs.create_dir(to_path.rpartition("/")[0] or "/", recursive=True)
        pafs.copy_files(from_path, to_path, source_filesystem=from_fs, destination_filesystem=to_fs)
        if isinstance(to_fs, pafs.LocalFileSystem):
            _to_disk(to_path)


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
        raise OutputError(f"{uri}: there is no such table; {how_to_mend(uri)}")
    if info.type == pafs.FileType.File:
        return ds.FileSystemDatasetFactory(fs, [path], _FORMAT).finish()
    files = sorted(file.path for file in _files_of(fs, info))
    if not files:
        raise OutputError(f"{uri}: holds no Parquet file; {how_to_mend(uri)}")
    options = ds.FileSystemFactoryOptions(partition_base_dir=path, partitioning=ds.HivePartitioning.discover())
    return ds.FileSystemDatasetFactory(fs, files, _FORMAT, options).finish()


def _matches(fs: pafs.FileSystem, root: str, pattern: str) -> list[pafs.FileInfo]:
    # The files and folders that a glob without braces matches; also hidden folders, as in Spark.
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
    # The file itself, or the files below a folder, without those that Spark skips.
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
        advice = f"check that it can be reached; where it is damaged, {how_to_mend(uri)}"
        raise OutputError(f"{uri}: cannot be read as Parquet ({first_line(error)}); {advice}") from error


def _listed(columns: Sequence[str] | None) -> list[str] | None:
    return None if columns is None else list(columns)


def expression(filters: Filters | None) -> ds.Expression | None:
    """The filters of read_table as an expression of pyarrow."""
    return pq.filters_to_expression(filters) if filters else None
