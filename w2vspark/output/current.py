"""current.json, the one file of an output that is ever replaced: a reader sees the old text or the new one, whole."""

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
# Arrow and others read an object in two requests, one for its size: a text that is replaced between them must not be
# cut. So in stores all texts have one size, or a multiple of it; spaces at the end say nothing in JSON.
STORE_BYTES = 4096
HDFS_GAP_SECONDS = 5  # how long current.json may be missing on HDFS while it is replaced

Check = Callable[[], None]  # raises OutputError when this run may not write any more


def replace_on_disk(folder: str, term: int, text: str, check: Check) -> None:
    """Promotes on a disk. Raises OutputError when a run that took over has deleted our draft meanwhile."""
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
    """Deletes what runs of lower terms were about to promote on a disk, so that they cannot any more."""
    with reaching(folder):
        for name in os.listdir(folder):
            draft = DRAFT.fullmatch(name)
            if draft and int(draft[1]) < term:
                _unlink(os.path.join(folder, name))


def replace_in_store(store: Store, term: int, seen: ObjectVersion | None, text: str, check: Check) -> ObjectVersion:
    """Promotes in a store, over the content that was seen when the output was claimed (None: there was none).

    On S3 what identifies a content is its hash: ``text`` must hold something that no other run writes, such as the
    time. A paused run of a lower term may have promoted between our claim and now; its version is replaced like any
    other. Raises OutputError when current.json changed in any other way.
    """
    content = _padded(text.encode(), term)
    for _ in range(3):
        check()  # after ``seen`` was read: whoever takes over from now on and publishes makes the write fail
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
    """Write current.json again as it is, so that a paused run that saw it before cannot replace it when it wakes.

    Returns what stands there now; None where there is none. Raises OutputError where others replace it over and over.
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
    """The number of the version that a text of current.json names; 0 where it names none."""
    try:
        version = json.loads(text)["version"]
        return int(version) if re.fullmatch(r"[0-9]{6,18}", version) else 0
    except (ValueError, TypeError, KeyError):
        return 0


def replace_plainly(folder_uri: str, text: str) -> None:
    """Replaces current.json for the only writer. HDFS cannot rename onto a file; that branch is untested."""
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

    On HDFS, where the file is missing for a moment while it is replaced, a reader tries for 5 s; that is untested.
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
    """What a run says that has lost its claim."""
    return OutputError(f"{output_uri}: {why}; this run stops and publishes nothing more; run it again")


def _padded(text: bytes, term: int) -> bytes:
    """The text with spaces and tabs behind it, which say nothing in JSON: the term as 64 binary digits at the end."""
    content, mark = text.rstrip() + b"\n", f"{term:064b}".translate({ord("0"): " ", ord("1"): "\t"}).encode()
    return content.ljust(-(-(len(content) + len(mark)) // STORE_BYTES) * STORE_BYTES - len(mark)) + mark


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _sync(folder: str) -> None:
    # So that the rename survives a power cut.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
