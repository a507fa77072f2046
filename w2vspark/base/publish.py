"""The output folder: versions that never change, and current.json, the one file that is ever replaced, last."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from w2vspark.base import storage
from w2vspark.base.errors import OutputError

CURRENT, VERSIONS, MANIFEST = "current.json", "versions", "manifest.json"
OURS = {CURRENT, VERSIONS, "staging", "lock.json"}  # by any of these a folder is known as an output of w2vspark
RESTORE = "restore it, or run the job again into a new folder"
RESTORE_CURRENT = (
    'write the version that is to be read into it, as in {"version": "000001", "path": "versions/000001"}, or run the '
    "job again into a new folder"
)

_Kind = tuple[str, Callable[[Any], bool]]  # what a value must be, in words, and whether it is


def _is_table(values: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(type(inner) is values for inner in value.values())


_TEXT: _Kind = ("a text", lambda value: isinstance(value, str) and bool(value))
_ROWS: _Kind = ('an object of names and numbers of rows, as in {"vectors": 100}', _is_table(int))
_OF_CURRENT = {
    "version": ('a name as "000001"', lambda value: isinstance(value, str) and _is_version(value)),
    "path": _TEXT,
    "run_id": _TEXT,
    "tables": _ROWS,
}
_OF_MANIFEST = {
    "run_id": _TEXT,
    "tables": _ROWS,
    "fingerprints": ("an object of texts", _is_table(str)),
    "config": ("an object of objects", _is_table(dict)),
    "corpus": ("an object", lambda value: isinstance(value, dict)),
    "vocabulary": ("an object of numbers", _is_table(int)),
}


def check_output(output_uri: str) -> None:
    """Raises OutputError when the folder holds something, and nothing of it is ours; a missing folder is fine."""
    if storage.is_file(output_uri):
        raise OutputError(f"output.path {output_uri}: holds something else (a file); name a new or an empty folder")
    names = {name for name in storage.list_names(output_uri) if not name.startswith(".")}
    if names and not names & OURS:
        found = ", ".join(sorted(names)[:5])
        raise OutputError(f"output.path {output_uri}: holds something else ({found}); name a new or an empty folder")


def read_current(output_uri: str) -> dict[str, Any] | None:
    """What current.json says (version, path, published, run_id, tables); None when nothing is published yet."""
    uri = storage.join(output_uri, CURRENT)
    try:
        return _read_object(uri, {"version", "path"}, _OF_CURRENT, RESTORE_CURRENT)
    except FileNotFoundError:
        return None


def current_path(output_uri: str) -> str:
    """The absolute URI of the current version's folder. Raises OutputError when nothing is published."""
    current = read_current(output_uri)
    if current is None:
        why = "has no published version" if storage.exists(output_uri) else "is not there"
        raise OutputError(f"{output_uri}: {why}; make one with w2vspark run … --set output.path={output_uri}")
    return storage.join(storage.absolute_uri(output_uri), str(current["path"]))


def read_manifest(output_uri: str) -> dict[str, Any]:
    """The current version's manifest. Raises OutputError when there is none, or no version."""
    return read_version_manifest(current_path(output_uri))


def read_version_manifest(folder: str) -> dict[str, Any]:
    """The manifest in the folder of a published version. Raises OutputError when there is none."""
    uri = storage.join(folder, MANIFEST)
    try:
        return _read_object(uri, {"tables"}, _OF_MANIFEST, RESTORE)
    except FileNotFoundError as error:
        raise OutputError(f"{uri}: is missing though {CURRENT} names its version; run the job again") from error


def next_version(output_uri: str) -> str:
    """The name of a new version, past all that there are, published or not: "000001", …"""
    taken = _versions(output_uri)
    current = read_current(output_uri)
    if current is not None:  # its folder may be gone, but its name is not to be used twice
        taken.append(str(current["version"]))
    return f"{max(map(int, taken), default=0) + 1:06}"


def version_path(output_uri: str, version: str) -> str:
    """The folder of a version: the tables are written into it before it is published."""
    return storage.join(output_uri, VERSIONS, version)


def publish(output_uri: str, version: str, manifest: dict[str, Any], owned: Callable[[], None]) -> None:
    """Makes a written version the current one; until the last step a reader sees the one before.

    ``manifest`` holds at least "run_id" and "tables", {name: rows}; every table must be in the version's folder with
    that many rows. ``owned`` raises when this run does not hold the output's lock any more. Raises OutputError when a
    table is missing or has other rows, or when the version has been published before.
    """
    folder = version_path(output_uri, version)
    if storage.exists(storage.join(folder, MANIFEST)):
        raise OutputError(f"{folder}: is published already and never changes; publish as {next_version(output_uri)}")
    for table, rows in manifest["tables"].items():
        found = storage.count_rows(storage.join(folder, table))
        if found != rows:
            raise OutputError(
                f"{folder}/{table}: has {found} rows, expected {rows}; run the job again to write it anew"
            )
    current = {
        "version": version,
        "path": f"{VERSIONS}/{version}",
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": manifest["run_id"],
        "tables": manifest["tables"],
    }
    owned()
    storage.write_text(storage.join(folder, MANIFEST), _json(manifest))
    owned()  # once more: writing to a store may have taken long
    storage.write_text(storage.join(output_uri, CURRENT), _json(current))


def prune(output_uri: str, keep: int) -> list[str]:
    """Deletes old versions, and returns their names: all but the ``keep`` newest published ones up to the current, and
    folders without a manifest that are older than the current one (runs that failed). Newer folders stay: a run may be
    writing there. Nothing is deleted while nothing is published.
    """
    current = read_current(output_uri)
    if current is None:
        return []
    older = [name for name in _versions(output_uri) if int(name) < int(current["version"])]
    whole = [name for name in older if storage.exists(storage.join(version_path(output_uri, name), MANIFEST))]
    kept = whole[len(whole) - min(keep - 1, len(whole)) :]
    dropped = [name for name in older if name not in kept]
    for name in dropped:
        storage.delete_folder(version_path(output_uri, name))
    return dropped


def _versions(output_uri: str) -> list[str]:
    names = storage.list_names(storage.join(output_uri, VERSIONS))
    return sorted(filter(_is_version, names), key=int)


def _is_version(name: str) -> bool:
    return re.fullmatch(r"[0-9]{6,}", name) is not None


def _read_object(uri: str, needed: set[str], kinds: dict[str, _Kind], fix: str) -> dict[str, Any]:
    text = storage.read_bytes(uri)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OutputError(f"{uri}: is not JSON ({error}); {fix}") from error
    if not isinstance(value, dict) or not needed <= set(value):
        raise OutputError(f"{uri}: lacks {', '.join(sorted(needed))}; {fix}")
    for key, (kind, fits) in kinds.items():
        if key in value and not fits(value[key]):
            raise OutputError(f"{uri}: {key} is {json.dumps(value[key])[:100]}, not {kind}; {fix}")
    return value


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
