"""The output folder: versions that never change, and current.json, the one file that is ever replaced, last."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from w2vspark.base import storage
from w2vspark.base.advice import how_to_mend, is_below_version
from w2vspark.base.errors import OutputError

CURRENT, VERSIONS, MANIFEST = "current.json", "versions", "manifest.json"
OURS = {CURRENT, VERSIONS, "staging", "lock.json"}  # by any of these a folder is known as an output of w2vspark


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
            why = "was deleted after it was found, as output.keep_versions says"
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
            raise damaged(storage.join(of_current, MANIFEST), f"is missing though {CURRENT} names its version")
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
    return sorted((name for name in names if re.fullmatch(r"[0-9]{6,}", name)), key=int)


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


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
