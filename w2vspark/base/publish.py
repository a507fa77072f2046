"""The output folder: versions that never change, and current.json, the one file that is ever replaced, last."""

import json
from typing import Any

from w2vspark.base import storage
from w2vspark.base.errors import OutputError

CURRENT, VERSIONS, MANIFEST = "current.json", "versions", "manifest.json"


def read_current(output_uri: str) -> dict[str, Any] | None:
    """What current.json says (version, path, published, run_id, tables); None when nothing is published yet."""
    uri = storage.join(output_uri, CURRENT)
    try:
        return _read_object(uri, {"version", "path"})
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
        return _read_object(uri, {"tables", "files"})
    except FileNotFoundError as error:
        raise OutputError(f"{uri}: is missing though {CURRENT} names its version; run the job again") from error


def _read_object(uri: str, needed: set[str]) -> dict[str, Any]:
    text = storage.read_bytes(uri)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OutputError(
            f"{uri}: is not JSON ({error}); restore it, or run the job again into a new folder"
        ) from error
    if not isinstance(value, dict) or not needed <= set(value):
        names = ", ".join(sorted(needed))
        raise OutputError(f"{uri}: lacks {names}; restore it, or run the job again into a new folder")
    return value
