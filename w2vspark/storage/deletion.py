"""Delete our own files and nothing else: by their whole names, and never through a link."""

import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pyarrow.fs as pafs

from w2vspark.base.log import get_logger, key_values
from w2vspark.storage.files import delete_file, list_names
from w2vspark.storage.uris import filesystem, reaching

DELETIONS = 8  # files that are deleted at once


def delete_own(uri: str, names: re.Pattern[str], below: str) -> None:
    """Delete the files in and below a folder if their whole names match `names`, then the empty folders.

    Other files stay, with a warning. Nothing is deleted through a link, whether it is inside the folder or on the path
    from the folder `below` to it. A missing folder is fine.
    """
    fs, path = filesystem(uri)
    with reaching(uri):
        if not isinstance(fs, pafs.LocalFileSystem):
            _delete_own_remote(fs, path, names)
        elif link := first_link(uri, below):
            get_logger().warning(key_values(event="not_deleted", folder=uri, link=link))
        else:
            _delete_own_local(path, names)


def delete_named(folder: str, names: Sequence[str], below: str) -> None:
    """Delete some files of a folder by their names, then the folder if it is empty. Missing ones are fine.

    Deletes nothing in the folders below it. Like delete_own, deletes nothing through a link.
    """
    if link := first_link(folder, below):
        get_logger().warning(key_values(event="not_deleted", folder=folder, link=link))
        return
    with ThreadPoolExecutor(DELETIONS) as pool:
        list(pool.map(lambda name: delete_own_file(f"{folder}/{name}", below), names))
    if left := list_names(folder):
        get_logger().warning(key_values(event="not_deleted", folder=folder, holds=left[0], why="it is not ours"))
        return
    fs, path = filesystem(folder)
    if isinstance(fs, pafs.LocalFileSystem):
        delete_empty_folder(folder)
        return
    with reaching(folder):
        if fs.get_file_info(path).type == pafs.FileType.Directory:  # Arrow leaves an empty object as the folder
            fs.delete_dir(path)


def delete_own_file(uri: str, below: str) -> None:
    """Delete a file, unless a link is on the path from the folder `below` to it. A missing file is fine."""
    if link := first_link(uri, below):
        get_logger().warning(key_values(event="not_deleted", file=uri, link=link))
    else:
        delete_file(uri)


def first_link(uri: str, below: str) -> str:
    """The first link on the path from the folder `below` to a file or folder; "" if there is none, and on a store.

    `below` itself may be a link.
    """
    fs, path = filesystem(uri)
    if not isinstance(fs, pafs.LocalFileSystem):
        return ""
    at = filesystem(below)[1]
    for name in os.path.relpath(path, at).split(os.sep):
        at = os.path.join(at, name)
        if os.path.islink(at):
            return at
    return ""


def delete_empty_folder(uri: str) -> None:
    """Delete a folder of a disk if it is empty. Does nothing on a store, where folders are only names."""
    fs, path = filesystem(uri)
    if isinstance(fs, pafs.LocalFileSystem) and not os.path.islink(path):
        with suppress(OSError):  # it holds something, or is gone
            os.rmdir(path)


def delete_empty_folders(uri: str) -> None:
    """Delete a folder of a disk and the folders in it, where no file is in any of them. Never through a link."""
    fs, path = filesystem(uri)
    if isinstance(fs, pafs.LocalFileSystem) and not os.path.islink(path):
        for folder, _, _ in os.walk(path, topdown=False):
            with suppress(OSError):  # it holds something
                os.rmdir(folder)


def _delete_own_local(folder: str, names: re.Pattern[str]) -> None:
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            _delete_own_local(entry.path, names)
        elif names.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
            os.unlink(entry.path)
        else:
            get_logger().warning(key_values(event="not_deleted", file=entry.path, why="it is not ours"))
    with suppress(OSError):  # it still holds files that are not ours
        os.rmdir(folder)


def _delete_own_remote(fs: pafs.FileSystem, path: str, names: re.Pattern[str]) -> None:
    below = fs.get_file_info(pafs.FileSelector(path, recursive=True, allow_not_found=True))
    files = [file for file in below if file.type == pafs.FileType.File]
    strangers = [file.path for file in files if not names.fullmatch(file.base_name)]
    if not files or not strangers:
        if below or fs.get_file_info(path).type == pafs.FileType.Directory:
            fs.delete_dir(path)
        return
    for file in files:
        if file.path not in strangers:
            fs.delete_file(file.path)
    get_logger().warning(key_values(event="not_deleted", files=strangers, why="they are not ours"))
