"""The output folder: versions that never change, and current.json, the one file that is ever replaced, last."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from w2vspark.base import storage
from w2vspark.base.advice import how_to_mend, is_below_version
from w2vspark.base.errors import OutputError

CURRENT, VERSIONS, MANIFEST = "current.json", "versions", "manifest.json"


def read_current(output_uri: str) -> dict[str, Any] | None:
    """What current.json says (version, path, published, run_id, tables); None when nothing is published yet."""
    uri = storage.join(output_uri, CURRENT)
    try:
        return _read_object(uri, {"version", "path"}, "restore it, or run the job again into a new folder")
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

    def table(self, name: str) -> str:
        """The URI of a table. Reads the footers of its files.

        Raises OutputError where the version has no such table, or where files of it are missing or damaged.
        """
        tables = self.manifest["tables"]
        if name not in tables:
            raise OutputError(f"{self.folder}: this version has no table {name!r}; it has {', '.join(sorted(tables))}")
        uri = storage.join(self.folder, name)
        found = storage.count_rows(uri)
        if found != tables[name]:
            raise damaged(uri, f"has {found:,} rows, expected {tables[name]:,}")
        return uri

    def files(self, *tables: str) -> tuple[str, ...]:
        """The names of some tables' files, for the keys of caches."""
        return tuple(
            f"{table}/{name}" for table in tables for name in storage.list_names(storage.join(self.folder, table))
        )

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
        manifest = _read_object(uri, {"run_id", "tables"}, how_to_mend(uri))
    except FileNotFoundError:
        return None
    if not isinstance(manifest["tables"], dict):
        raise damaged(uri, f"tables is no object with rows of tables but {manifest['tables']!r}")
    return Version(folder, str(manifest["run_id"]), manifest)


def damaged(uri: str, what: str) -> OutputError:
    """The error for a damaged or missing part of a version: names the part and the commands that mend it."""
    return OutputError(f"{uri}: {what}; {how_to_mend(uri)}")


def _without_manifest(folder: str) -> OutputError:
    return damaged(storage.join(folder, MANIFEST), f"is missing though {CURRENT} names its version")


def _read_object(uri: str, needed: set[str], fix: str) -> dict[str, Any]:
    text = storage.read_bytes(uri)
    try:
        value = json.loads(text)
    except ValueError as error:
        raise OutputError(f"{uri}: is not JSON ({error}); {fix}") from error
    if not isinstance(value, dict) or not needed <= set(value):
        names = ", ".join(sorted(needed))
        raise OutputError(f"{uri}: lacks {names}; {fix}")
    return value
