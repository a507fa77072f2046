"""Replace current.json, the only file of an output that is ever replaced: a reader sees all of the old or new text."""

import json
import os
import re
import time
from collections.abc import Callable

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.storage.conditional import Conflict, ObjectVersion, Store
from w2vspark.storage.uris import FLAT_STORES, reaching

CURRENT = "current.json"
DRAFT = re.compile(r"\.current\.([0-9]{6,})")  # on disks: what the run of this term is about to promote
# Arrow and others read an object in two requests, the first for its size. A text that is replaced between them must not
# be cut. So in stores spaces, which JSON ignores, fill all texts up to this size, or a multiple of it.
STORE_BYTES = 4096
HDFS_GAP_SECONDS = 5  # how long current.json may be missing on HDFS while it is replaced

Check = Callable[[], None]  # raises OutputError when this run may no longer write


def replace_on_disk(folder: str, term: int, text: str, check: Check) -> None:
    """Replace current.json on a disk. Raises OutputError when a run that took over has deleted our draft."""
    draft, current = os.path.join(folder, f".current.{term:06}"), os.path.join(folder, CURRENT)
    with reaching(current):
        try:
            with open(draft, "wb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            check()  # a run that takes over from now on deletes the draft, so the rename fails
            os.rename(draft, current)
        except FileNotFoundError as error:
            raise stopping(folder, "another run has taken over this output") from error
        except BaseException:
            _unlink(draft)
            raise
        _sync(folder)


def delete_drafts(folder: str, term: int) -> None:
    """Delete the drafts of runs with lower terms on a disk, so that these runs can no longer promote."""
    with reaching(folder):
        for name in os.listdir(folder):
            draft = DRAFT.fullmatch(name)
            if draft and int(draft[1]) < term:
                _unlink(os.path.join(folder, name))


def replace_in_store(store: Store, term: int, seen: ObjectVersion | None, text: str, check: Check) -> ObjectVersion:
    """Replace current.json in a store; return its new version. seen: its version when the output was claimed, or None.

    S3 identifies a content by its hash, so ``text`` must differ from the texts of other runs, for example by the time.
    A paused run of a lower term may have promoted since our claim; its text is replaced like any other. Raises
    OutputError when current.json changed in any other way.
    """
    content = _padded(text.encode(), term)
    for _ in range(3):
        check()  # after ``seen`` was read: if a run takes over from now on and publishes, the write fails
        try:
            if seen is None:
                return store.create(CURRENT, content)
            return store.replace(CURRENT, content, seen)
        except Conflict:
            found = store.read(CURRENT)
            if found is None or not 0 < version_number(found[0]) < term:
                break
            seen = found[1]
    raise stopping(store.uri, "another run published meanwhile")


def outdate(store: Store, term: int) -> ObjectVersion | None:
    """Write the same current.json again, so that a paused run that saw it before cannot replace it when it wakes up.

    Returns its new version; None when there is no such file. Raises OutputError when others replace it over and over.
    """
    for _ in range(20):
        found = store.read(CURRENT)
        if found is None:
            return None
        try:
            return store.replace(CURRENT, _padded(found[0], term), found[1])
        except Conflict:
            continue
    raise stopping(store.uri, "other runs publish over and over")


def version_number(text: bytes) -> int:
    """The number of the version in a text of current.json; 0 when there is none."""
    try:
        version = json.loads(text)["version"]
        return int(version) if re.fullmatch(r"[0-9]{6,18}", version) else 0
    except (ValueError, TypeError, KeyError):
        return 0


def replace_plainly(folder_uri: str, text: str) -> None:
    """Replace current.json for a single writer. HDFS cannot rename onto a file; its branch is untested."""
    fs, path = storage.filesystem(storage.join(folder_uri, CURRENT))
    if fs.type_name != "hdfs":
        content = _padded(text.encode(), 0).decode() if fs.type_name in FLAT_STORES else text
        storage.write_text(storage.join(folder_uri, CURRENT), content)
        return
    temporary = storage.join(folder_uri, ".current")
    storage.write_text(temporary, text)
    with reaching(folder_uri):
        storage.delete_file(storage.join(folder_uri, CURRENT))
        fs.move(storage.filesystem(temporary)[1], path)


def read_current_bytes(folder_uri: str) -> bytes:
    """The bytes of current.json. Raises FileNotFoundError when there is none.

    On HDFS the file is missing for a moment while it is replaced, so a reader retries for 5 s; that is untested.
    """
    uri = storage.join(folder_uri, CURRENT)
    if storage.filesystem(uri)[0].type_name != "hdfs":
        return storage.read_bytes(uri)
    end = time.monotonic() + HDFS_GAP_SECONDS
    while True:
        try:
            return storage.read_bytes(uri)
        except FileNotFoundError:
            if time.monotonic() > end or not storage.exists(storage.join(folder_uri, "versions")):
                raise
        time.sleep(0.1)


def stopping(output_uri: str, why: str) -> OutputError:
    """The error of a run that has lost its claim."""
    return OutputError(f"{output_uri}: {why}; this run stops and publishes nothing more; run it again")


def _padded(text: bytes, term: int) -> bytes:
    """The text, filled up with spaces and tabs, which JSON ignores. The last 64 are the term's binary digits."""
    content, mark = text.rstrip() + b"\n", f"{term:064b}".translate({ord("0"): " ", ord("1"): "\t"}).encode()
    return content.ljust(-(-(len(content) + len(mark)) // STORE_BYTES) * STORE_BYTES - len(mark)) + mark


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync(folder: str) -> None:
    # Makes the rename survive a power cut.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
