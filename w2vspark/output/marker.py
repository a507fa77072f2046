"""OUTPUT/w2vspark.json marks a folder as an output. w2vspark writes nothing to a folder in use that has no marker."""

import json
import os
import re
import uuid
from datetime import UTC, datetime
from typing import Any, Literal

from w2vspark import __version__, storage
from w2vspark.base.errors import OutputError
from w2vspark.storage.conditional import Conflict, Store, create_file, is_store, no_conditions
from w2vspark.storage.uris import reaching

MARKER, FORMAT = "w2vspark.json", 1
SINCE = "0.2"  # the first version that writes markers
Kind = Literal["method", "job"]
HOLDS = {
    "method": "holds the tables of a run; name another folder for those of a job",
    "job": "holds the tables of a job; name another folder for a run",
}
BEFORE_MARKERS = {"current.json", "versions", "staging", "lock.json"}  # names in an output of earlier versions


def check_output(output_uri: str, kind: Kind) -> None:
    """Raise OutputError unless the folder is missing, empty, or an output of this kind.

    Names that begin with a dot do not count: some systems put .snapshot or .DS_Store into empty folders.
    """
    if storage.is_file(output_uri):
        raise OutputError(f"output.path {output_uri}: holds something else (a file); name a new or an empty folder")
    found = read_marker(output_uri)
    names: set[str] = set()
    if found is None:
        names = {name for name in storage.list_names(output_uri) if not name.startswith(".")}
        if MARKER in names:  # another run has just written it
            found = read_marker(output_uri)
    if found is not None:
        if found["kind"] != kind:
            raise OutputError(f"output.path {output_uri}: {HOLDS[found['kind']]}")
        return
    if names and names <= {"claims", "staging"} and _is_left_over(output_uri):
        return
    if "claims" in names and names & {"staging", "versions"}:
        raise OutputError(
            f"output.path {output_uri}: has no {MARKER}; where it is an output of w2vspark that lost it, write "
            f'{{"format": {FORMAT}, "kind": "method"}} into it ("job" for the tables of a job), else name a new folder'
        )
    if {"current.json", "versions"} <= names or ("lock.json" in names and names <= BEFORE_MARKERS):
        raise OutputError(
            f"output.path {output_uri}: was made by w2vspark before version {SINCE}, whose outputs have no {MARKER}; "
            "name a new folder, and delete this one when nothing reads it any more"
        )
    if names:
        shown = ", ".join(sorted(names)[:5])
        raise OutputError(f"output.path {output_uri}: holds something else ({shown}); name a new or an empty folder")


def _is_left_over(output_uri: str) -> bool:
    """Whether a folder has only what a failed first run may leave: claims that are gone, and unfinished attempts.

    Such a run deletes its marker, but a task of it, or a kill, may leave files of ours behind.
    """
    if any(not name.startswith(".") for name in storage.list_names(storage.join(output_uri, "claims"))):
        return False
    attempts = [storage.join(output_uri, "staging")]
    for pattern in (r"[\w-]+", r"[0-9a-f]{1,16}", r"[0-9]{6,}-[0-9a-f]{8}"):  # <table>/<fingerprint>/<attempt>
        found = [(uri, name) for uri in attempts for name in storage.list_names(uri)]
        if any(re.fullmatch(pattern, name) is None for _, name in found):
            return False  # a record is among these: a table that is complete
        attempts = [storage.join(uri, name) for uri, name in found]
    return True


def check_ours(output_uri: str) -> dict[str, Any]:
    """The marker of an existing output. Raises OutputError when the folder has none."""
    found = read_marker(output_uri)
    if found is None and not storage.exists(output_uri):
        raise OutputError(f"{output_uri}: is not there; check the path")
    if found is None:
        raise OutputError(f"{output_uri}: is not an output of w2vspark (it has no {MARKER}); check the path")
    return found


def read_marker(output_uri: str) -> dict[str, Any] | None:
    """The marker's keys: format, kind, w2vspark (the version that made the folder), created. None without a marker.

    Raises OutputError when it is damaged or has a newer format.
    """
    uri = storage.join(output_uri, MARKER)
    try:
        text = storage.read_bytes(uri)
    except FileNotFoundError:
        return None
    try:
        marker = json.loads(text)
    except ValueError as error:
        raise _damaged(uri, str(error)) from error
    if not isinstance(marker, dict) or type(marker.get("format")) is not int:
        raise _damaged(uri, "no format in it")
    if marker["format"] > FORMAT:
        raise OutputError(
            f"{uri}: the folder has format {marker['format']}, and this w2vspark {__version__} knows up to {FORMAT}; "
            "use a newer w2vspark, or name a new folder"
        )
    if marker["format"] != FORMAT or marker.get("kind") not in list(HOLDS):
        raise _damaged(uri, f"format {marker['format']}, kind {marker.get('kind')!r}")
    return marker


def create_marker(output_uri: str, kind: Kind, *, single_writer: bool = False) -> bool:
    """Write the marker, before anything else is written to the folder. An existing marker stays as it is.

    Call check_output first. Raises OutputError when another run has marked the folder with another kind meanwhile, and
    when the store has no conditional writes.
    """
    created = read_marker(output_uri) is None and _create(output_uri, kind, single_writer)
    found = read_marker(output_uri)
    if found is None or found["kind"] != kind:
        check_output(output_uri, kind)
        raise OutputError(f"{storage.join(output_uri, MARKER)}: disappeared; is the folder being deleted?")
    return created


def _create(output_uri: str, kind: Kind, single_writer: bool) -> bool:
    """Create the marker; False where another run has made it just now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    value = {"format": FORMAT, "kind": kind, "w2vspark": __version__, "created": created}
    text = json.dumps(value, indent=2) + "\n"
    fs, path = storage.filesystem(output_uri)
    if single_writer:
        storage.write_text(storage.join(output_uri, MARKER), text)
        return True
    if is_store(output_uri):
        try:
            Store(output_uri).create(MARKER, text.encode())
        except Conflict:
            return False
        return True
    if fs.type_name == "local":
        with reaching(output_uri):
            os.makedirs(path, exist_ok=True)
            draft = os.path.join(path, f".{MARKER}.{uuid.uuid4().hex}")
            return create_file(os.path.join(path, MARKER), text.encode(), draft)
    raise no_conditions(output_uri, fs.type_name)


def _damaged(uri: str, why: str) -> OutputError:
    return OutputError(
        f"{uri}: is not a marker of w2vspark ({why}); name a new folder, or, where this one is an output of w2vspark, "
        f'write {{"format": {FORMAT}, "kind": "method"}} into it ("job" for the tables of a job)'
    )
