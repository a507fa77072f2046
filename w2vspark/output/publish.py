"""The output folder: versions that never change, and current.json, the one file that is ever replaced, last."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from w2vspark import storage
from w2vspark.base.advice import how_to_mend, is_below_version
from w2vspark.base.errors import OutputError
from w2vspark.output.current import CURRENT, read_current_bytes
from w2vspark.storage.listed import footer_of

VERSIONS, MANIFEST = "versions", "manifest.json"
ARTEFACTS = "artefacts"  # files of a version that are no tables: a folder of it, and a key of its manifest

RENAMED = {"subwords": "ngrams"}  # tables and what they were called in older versions
NAME = re.compile(r"[0-9]{6,18}")  # of a version
_READ_BYTES = 8 << 20

_FILE_NAME = re.compile(r"\w[\w.-]*")  # of a table and its files: never one of another folder, which would be deleted

_Kind = tuple[str, Callable[[Any], bool]]  # what a value must be, in words, and whether it is


def _is_table(values: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(type(inner) is values for inner in value.values())


def _is_files(value: Any) -> bool:
    kinds = {"file": str, "size": int, "rows": int, "crc32": int}
    return _is_table(list)(value) and all(
        _FILE_NAME.fullmatch(table)
        and isinstance(file, dict)
        and {key: type(file.get(key)) for key in kinds} == kinds
        and _FILE_NAME.fullmatch(file["file"])
        for table, files in value.items()
        for file in files
    )


def _is_artefacts(value: Any) -> bool:
    kinds = {"size": int, "sha256": str}
    return _is_table(dict)(value) and all(
        _FILE_NAME.fullmatch(name) and {key: type(about.get(key)) for key in kinds} == kinds
        for name, about in value.items()
    )


def _is_rollback(value: Any) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("requests"), list):
        return False
    return all(isinstance(text, str) for text in (value.get("from"), *value["requests"]))


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


_TEXT: _Kind = ("a text", _is_text)
_ROWS: _Kind = ('an object of names and numbers of rows, as in {"vectors": 100}', _is_table(int))
_NAME: _Kind = ('a name as "000001"', lambda value: isinstance(value, str) and bool(NAME.fullmatch(value)))
_OF_CURRENT = {
    "version": _NAME,
    "path": _TEXT,
    "run_id": _TEXT,
    "tables": _ROWS,
    "request": _TEXT,
    "rolled_back_from": ("a list of texts", lambda value: isinstance(value, list) and all(map(_is_text, value))),
    "rolled_back": ('an object as {"from": "000002", "requests": [texts]}', _is_rollback),
}
_OF_MANIFEST = {
    "version": _NAME,
    "run_id": _TEXT,
    "tables": _ROWS,
    "files": ("an object of lists of files, each with file, size, rows and crc32", _is_files),
    ARTEFACTS: ("an object of names, each with size and sha256", _is_artefacts),
    "fingerprints": ("an object of texts", _is_table(str)),
    "config": ("an object of objects", _is_table(dict)),
    "corpus": ("an object", lambda value: isinstance(value, dict)),
    "vocabulary": ("an object of numbers", _is_table(int)),
}


def read_current(output_uri: str) -> dict[str, Any] | None:
    """What current.json says; None when nothing is published. Raises OutputError where it is damaged.

    Keys: version, path, published, run_id, tables; request, the fingerprint of corpus and settings; rolled_back_from,
    the versions that were rolled back from; while a rollback is in force rolled_back, with the version that was current
    and the requests that must not be published again.
    """
    uri = storage.join(output_uri, CURRENT)
    try:
        fix = f"make a version current: w2vspark promote {output_uri} VERSION"
        fix += " (if it has no whole version, delete this file)"
        return _object(read_current_bytes(output_uri), uri, {"version", "path"}, _OF_CURRENT, fix)
    except FileNotFoundError:
        return None


@dataclass(frozen=True, slots=True)
class Version:
    """A published version, as a reader found it once. It reads this version for its whole life.

    Two are equal when one run published them in one folder, so that a version is a key for caches.
    """

    folder: str  # absolute URI
    run_id: str  # of the run that published it
    manifest: dict[str, Any] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """As current.json has it: "000003"."""
        return self.folder.rpartition("/")[2]

    def has(self, name: str) -> bool:
        """Whether the version has a table of this name, or of the name that it had before."""
        return self._own(name) in self.manifest["tables"]

    def listed(self, name: str) -> list[dict[str, Any]]:
        """A table's files, as the manifest lists them."""
        found: list[dict[str, Any]] = self.manifest["files"][self._own(name)]
        return found

    def _own(self, name: str) -> str:
        older = "method" not in self.manifest and "job" not in self.manifest
        return RENAMED.get(name, name) if older and name not in self.manifest["tables"] else name

    def table(self, name: str) -> str:
        """The URI of a table, once its files have the sizes and footers that were written.

        Raises OutputError where the version has no such table, or where files of it are missing or damaged.
        """
        tables, name = self.manifest["tables"], self._own(name)
        if name not in tables:
            raise OutputError(f"{self.folder}: this version has no table {name!r}; it has {', '.join(sorted(tables))}")
        uri = storage.join(self.folder, name)
        for file in self.manifest["files"][name]:
            try:
                whole = footer_of(storage.join(uri, file["file"])) == (file["size"], file["crc32"])
            except (FileNotFoundError, OutputError):
                whole = False
            if not whole:
                raise damaged(uri, f"{file['file']} is missing or is not what was written")
        return uri

    def artefact(self, name: str) -> str:
        """The URI of a file that is no table, once its bytes are those that were written.

        Raises OutputError where the version has no such artefact, or it is missing or damaged.
        """
        artefacts = self.manifest.get(ARTEFACTS, {})
        if name not in artefacts:
            there = ", ".join(sorted(artefacts)) or "none"
            raise OutputError(f"{self.folder}: this version has no artefact {name!r}; it has {there}")
        uri = storage.join(self.folder, ARTEFACTS, name)
        try:
            whole = digest_of(uri) == artefacts[name]
        except FileNotFoundError:
            whole = False
        if not whole:
            raise damaged(uri, "is missing or is not what was written")
        return uri

    def files(self, *tables: str) -> tuple[str, ...]:
        """The names of some tables' files with their checksums, for the keys of caches."""
        files = self.manifest["files"]
        return tuple(f"{table}/{file['file']}:{file['crc32']}" for table in tables for file in files.get(table, []))

    @contextmanager
    def reading(self, again: str) -> Iterator[None]:
        """Around all that reads the version's files: raises OutputError where the version was deleted or replaced.

        again: what the error tells the user to do, as in "load the vectors again".
        """
        try:
            yield
        except Exception:
            self._check_unchanged(again)  # explains better why a file is missing
            raise
        self._check_unchanged(again)

    def _check_unchanged(self, again: str) -> None:
        found = read_version(self.folder)
        if found is None:
            current = read_current(storage.parent(storage.parent(self.folder)))
            if current is not None and current["version"] == self.name:
                raise _without_manifest(self.folder)
            why = "was deleted after it was found (see output.keep_versions)"
            raise OutputError(f"{self.folder}: version {self.name} {why}; {again}")
        if found != self:
            why = f"was replaced by run {found.run_id} after it was found"
            raise OutputError(f"{self.folder}: version {self.name} {why}; {again}")


def resolve(output: str) -> Version:
    """The current version of an output folder, or the version whose own folder this is; a path or URI.

    current.json is read once. Raises OutputError where nothing is published there, or the version is damaged.
    """
    folder = storage.absolute_uri(output).rstrip("/")
    version = find_version(folder)
    if version is not None:
        return version
    if is_below_version(folder):
        raise damaged(folder, f"there is no published version (it has no {MANIFEST})")
    why = "has no published version" if storage.exists(folder) else "is not there"
    raise OutputError(f"{folder}: {why}; make one with w2vspark run … --set output.path={folder}")


def find_version(output: str) -> Version | None:
    """As resolve; None where nothing is published."""
    folder = storage.absolute_uri(output).rstrip("/")
    current = read_current(folder)
    while current is not None:
        of_current = storage.join(folder, str(current["path"]))
        version = read_version(of_current)
        if version is not None:
            return version
        before, current = current, read_current(folder)
        if current == before:  # else the version was deleted between the two reads, after a newer one was published
            raise _without_manifest(of_current)
    return read_version(folder)


def read_version(folder: str) -> Version | None:
    """The version whose own folder this is; None where it has no manifest. Raises OutputError for a damaged one."""
    uri = storage.join(folder, MANIFEST)
    try:
        text = storage.read_bytes(uri)
        manifest = _object(text, uri, {"run_id", "tables", "files"}, _OF_MANIFEST, how_to_mend(uri))
    except FileNotFoundError:
        return None
    if set(manifest["files"]) != set(manifest["tables"]):
        raise damaged(uri, "files and tables name different tables")
    return Version(folder, str(manifest["run_id"]), manifest)


def digest_of(uri: str) -> dict[str, Any]:
    """What tells whether a file is the one that was written: its size in bytes, and the SHA-256 of its content.

    Raises FileNotFoundError.
    """
    digest, size = hashlib.sha256(), 0
    with storage.open_for_reading(uri) as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
            size += len(part)
    return {"size": size, "sha256": digest.hexdigest()}


def damaged(uri: str, what: str) -> OutputError:
    """The error for a damaged or missing part of a version: names the part and the commands that mend it."""
    return OutputError(f"{uri}: {what}; {how_to_mend(uri)}")


def _without_manifest(folder: str) -> OutputError:
    return damaged(storage.join(folder, MANIFEST), f"is missing though {CURRENT} names its version")


def _object(text: bytes, uri: str, needed: set[str], kinds: dict[str, _Kind], fix: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OutputError(f"{uri}: is not JSON ({error}); {fix}") from error
    if not isinstance(value, dict) or not needed <= set(value):
        names = ", ".join(sorted(needed))
        raise OutputError(f"{uri}: lacks {names}; {fix}")
    if misfit := _misfit(value, kinds):
        raise OutputError(f"{uri}: {misfit}; {fix}")
    return value


def unreadable(manifest: dict[str, Any]) -> str:
    """What readers would refuse of a manifest that is still to be written; "" = nothing."""
    if ARTEFACTS in manifest["tables"]:
        return f"{ARTEFACTS} is no name for a table"
    return _misfit(manifest, _OF_MANIFEST)


def _misfit(value: dict[str, Any], kinds: dict[str, _Kind]) -> str:
    for key, (kind, fits) in kinds.items():
        if key in value and not fits(value[key]):
            return f"{key} is {json.dumps(value[key])[:100]}, not {kind}"
    return ""
