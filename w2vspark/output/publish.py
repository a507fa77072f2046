"""Read an output folder: its versions, which never change, and current.json, the only file that is ever replaced."""

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
from w2vspark.base.schemas import schema_version
from w2vspark.output.current import CURRENT, read_current_bytes
from w2vspark.storage.listed import footer_of

VERSIONS, MANIFEST = "versions", "manifest.json"
SCHEMA_VERSIONS = "schema_versions"  # of tables: a key of the manifest
ARTEFACTS = "artefacts"  # files of a version that are not tables: the name of their folder and of their manifest key

RENAMED = {"subwords": "ngrams"}  # tables, and their names in older versions
NAME = re.compile(r"[0-9]{6,18}")  # of a version
_READ_BYTES = 8 << 20

_FILE_NAME = re.compile(r"\w[\w.-]*")  # of a table or file; never a path to another folder, which would be deleted

_Kind = tuple[str, Callable[[Any], bool]]  # a text that says what a value must be, and the test of it


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


def _is_scores(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, dict)
        and all(isinstance(row.get(name), str) for name in ("task", "metric"))
        and all(isinstance(row.get(name, ""), int | float | None) for name in ("value", "threshold"))
        for row in value
    )


def _is_gate(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), dict) for name in ("settings", "tests"))


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
    SCHEMA_VERSIONS: ("an object of numbers", _is_table(int)),
    "scores": ("a list of scores, each with task, metric, value and threshold", _is_scores),
    "gate": ("an object with settings and tests", _is_gate),
}


def read_current(output_uri: str) -> dict[str, Any] | None:
    """The content of current.json; None when nothing is published. Raises OutputError when it is damaged.

    Keys: version, path, published, run_id, tables; request: the fingerprint of corpus and settings; rolled_back_from:
    the versions that were rolled back from; rolled_back, only after a rollback: the version that was current, and the
    requests that must not be published again.
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
    """A published version, as a reader found it. The reader keeps to it, whatever is published later.

    Two versions are equal when the same run published them in the same folder. So a version can be the key of a cache.
    """

    folder: str  # absolute URI
    run_id: str  # of the run that published it
    manifest: dict[str, Any] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """The version's name, as in current.json: "000003"."""
        return self.folder.rpartition("/")[2]

    def has(self, name: str) -> bool:
        """Whether the version has a table with this name, or with its name in older versions."""
        return self._own(name) in self.manifest["tables"]

    def listed(self, name: str) -> list[dict[str, Any]]:
        """A table's files, as the manifest lists them."""
        found: list[dict[str, Any]] = self.manifest["files"][self._own(name)]
        return found

    def _own(self, name: str) -> str:
        older = "method" not in self.manifest and "job" not in self.manifest
        return RENAMED.get(name, name) if older and name not in self.manifest["tables"] else name

    def table(self, name: str) -> str:
        """The URI of a table, after a check of its files' sizes and footers.

        Raises OutputError when the version has no such table, when a newer w2vspark gave it other columns, or when
        files of it are missing or damaged.
        """
        tables, name = self.manifest["tables"], self._own(name)
        if name not in tables:
            raise OutputError(f"{self.folder}: this version has no table {name!r}; it has {', '.join(sorted(tables))}")
        uri = storage.join(self.folder, name)
        found, known = self.manifest.get(SCHEMA_VERSIONS, {}).get(name, 1), schema_version(name)
        if found > known:
            raise OutputError(
                f"{uri}: its columns have schema version {found}, and this w2vspark reads up to {known}; use the "
                "w2vspark that made it, or a newer one"
            )
        for file in self.manifest["files"][name]:
            try:
                whole = footer_of(storage.join(uri, file["file"])) == (file["size"], file["crc32"])
            except (FileNotFoundError, OutputError):
                whole = False
            if not whole:
                raise damaged(uri, f"{file['file']} is missing or is not what was written")
        return uri

    def artefact(self, name: str) -> str:
        """The URI of an artefact, a file that is not a table, after a check of its bytes.

        Raises OutputError when the version has no such artefact, or when it is missing or damaged.
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
        """The names and checksums of some tables' files, for the keys of caches."""
        files = self.manifest["files"]
        return tuple(f"{table}/{file['file']}:{file['crc32']}" for table in tables for file in files.get(table, []))

    @contextmanager
    def reading(self, again: str) -> Iterator[None]:
        """Put this around code that reads the version's files.

        Raises OutputError when the version was deleted or replaced meanwhile. again: the advice in that error, such as
        "load the vectors again".
        """
        try:
            yield
        except Exception:
            self._check_unchanged(again)  # its error explains better why a file is missing
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
    """The version at a path or URI: the current one of an output folder, or the one whose own folder is given.

    Reads current.json once. Raises OutputError when nothing is published there, or when the version is damaged.
    """
    folder = storage.absolute_uri(output).rstrip("/")
    version = find_version(folder)
    if version is not None:
        return version
    if is_below_version(folder):
        raise damaged(folder, f"there is no published version (it has no {MANIFEST})")
    make = f"make one with w2vspark run … --set output.path={folder}"
    if not storage.exists(folder):
        raise OutputError(f"{folder}: is not there; check the path, or {make}")
    inside = [name for name in storage.list_folders(folder) if storage.exists(storage.join(folder, name, CURRENT))]
    fix = f"did you mean {storage.join(folder, inside[0])}?" if inside else make
    raise OutputError(f"{folder}: has no published version; {fix}")


def find_version(output: str) -> Version | None:
    """Like resolve, but None when nothing is published."""
    folder = storage.absolute_uri(output).rstrip("/")
    current = read_current(folder)
    while current is not None:
        of_current = storage.join(folder, str(current["path"]))
        version = read_version(of_current)
        if version is not None:
            return version
        before, current = current, read_current(folder)
        if current == before:  # if not, a newer version was published and the old one deleted between the two reads
            raise _without_manifest(of_current)
    return read_version(folder)


def read_version(folder: str) -> Version | None:
    """The version in its own folder; None without a manifest. Raises OutputError for a damaged manifest."""
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
    """A file's size in bytes and the SHA-256 of its content, which show whether it is the file that was written.

    Raises FileNotFoundError.
    """
    digest, size = hashlib.sha256(), 0
    with storage.open_for_reading(uri) as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
            size += len(part)
    return {"size": size, "sha256": digest.hexdigest()}


def damaged(uri: str, what: str) -> OutputError:
    """The error for a damaged or missing part of a version. It names the part and the commands that replace it."""
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
    """Why readers would refuse a manifest that is about to be written; "" = they would not."""
    if ARTEFACTS in manifest["tables"]:
        return f"{ARTEFACTS} is no name for a table"
    return _misfit(manifest, _OF_MANIFEST)


def _misfit(value: dict[str, Any], kinds: dict[str, _Kind]) -> str:
    for key, (kind, fits) in kinds.items():
        if key in value and not fits(value[key]):
            return f"{key} is {json.dumps(value[key])[:100]}, not {kind}"
    return ""
