"""Intermediate tables: OUTPUT/staging/<table>/<fingerprint>/<attempt>/, complete when <attempt>.json is beside it.

Every attempt has its own name, so that two runs never write into one folder. The record <attempt>.json is created once
and never replaced. It does not matter which run made a table: the fingerprint fixes its content.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from w2vspark import storage
from w2vspark.base.errors import DamagedTable, W2VSparkError
from w2vspark.base.log import get_logger, key_values
from w2vspark.storage import deletion
from w2vspark.storage.listed import LIST, missing_file
from w2vspark.storage.sealed import read_sealed_json, sealed_json

STAGING = "staging"
PARTIAL = "partial_"  # begins the names of tables that consist of several attempts: each has some parts of the corpus
_ATTEMPT = re.compile(r"[0-9]{6,}-[0-9a-f]{8}")
_MAKING = re.compile(r"[0-9a-f]{1,16}")  # a fingerprint, or the number of a round or pass
_DAMAGED = re.compile(rf"(?:[\w-]+/){{2,3}}{_ATTEMPT.pattern}")  # <table>/<fingerprint>/[<round>/]<attempt>
_OUR_FILES = re.compile(
    r"_files\.json|\.(_files\.json|artefact-[0-9a-f]{32})\.[0-9a-f]{32}|_transform(_scaled)?|[\w-]+-[0-9a-f]{32}(\.parquet|\.arrow)?"
)


class Claim(Protocol):
    """Held by a run while it may write to the output."""

    term: int

    def check(self) -> None:
        """Raise OutputError when the run may no longer write."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A complete table: the folder of its attempt, and its record."""

    uri: str
    record: dict[str, Any]


class Staging:
    """The intermediate tables of an output folder. Without a claim they can only be read."""

    def __init__(self, output: str, claim: Claim | None = None) -> None:
        self._output, self._claim = output, claim
        self._discarded: set[str] = set()  # attempts that `find` ignores, even if they could not be deleted

    def find(self, table: str, fingerprint: str) -> Staged | None:
        """The table with this fingerprint; None when no attempt is complete with all its files."""
        return next(self._whole(table, fingerprint), None)

    def find_all(self, table: str, fingerprint: str) -> list[Staged]:
        """All complete attempts at a table that consists of several, the newest term first."""
        return list(self._whole(table, fingerprint))

    def _whole(self, table: str, fingerprint: str) -> Iterator[Staged]:
        folder = self._folder(table, fingerprint)
        for name in self._records(folder):
            uri = storage.join(folder, name.removesuffix(".json"))
            if uri not in self._discarded and (content := self._is_whole(uri)):
                yield Staged(uri, content["record"])

    def _is_whole(self, uri: str) -> dict[str, Any]:
        """The record of an attempt, if all its files are there; empty if not."""
        try:
            content = read_sealed_json(f"{uri}.json")
            for part in content["lists"]:
                if missing := missing_file(storage.join(self._output, part)):
                    raise DamagedTable(f"{storage.join(self._output, part)}: {missing} is missing or cut")
        except FileNotFoundError:  # it was never finished, or another run has just deleted it
            return {}
        except DamagedTable as damage:
            get_logger().warning(key_values(event="damaged", problem=damage, made_again=True))
            return {}
        return content

    def partial(self) -> Iterator[tuple[str, str, Staged]]:
        """All complete attempts at tables that consist of several, each with its table and fingerprint."""
        root = storage.join(self._output, STAGING)
        for table in storage.list_folders(root):
            if table.startswith(PARTIAL):
                for fingerprint in filter(_MAKING.fullmatch, storage.list_folders(storage.join(root, table))):
                    for staged in self._whole(table, fingerprint):
                        yield table, fingerprint, staged

    def record(self, table: str, fingerprint: str) -> dict[str, Any] | None:
        """The record of a table, even if its files are gone; None without a record."""
        folder = self._folder(table, fingerprint)
        for name in self._records(folder):
            try:
                found: dict[str, Any] = read_sealed_json(storage.join(folder, name))["record"]
            except (FileNotFoundError, DamagedTable):
                continue
            return found
        return None

    def newest_record(self, table: str) -> dict[str, Any] | None:
        """The record of the newest whole attempt at a table, of whatever fingerprint; None where there is none."""
        parent = storage.join(self._output, STAGING, table)
        found = [
            (name, fingerprint)
            for fingerprint in storage.list_folders(parent)
            for name in self._records(storage.join(parent, fingerprint))
        ]
        return self.record(table, max(found)[1]) if found else None

    def begin(self, table: str, fingerprint: str) -> str:
        """The folder of a new attempt. Raises OutputError when the run may no longer write."""
        claim = self._held()
        claim.check()
        attempt = f"{claim.term:06}-{uuid.uuid4().hex[:8]}"
        return storage.join(self._folder(table, fingerprint), attempt)

    def complete(self, uri: str, record: dict[str, Any], lists: list[str] | None = None) -> Staged:
        """Record that an attempt is complete. record: row counts and timings, which `find` returns from now on.

        lists: the folders whose listed files make up the table; None = all folders of the attempt with a list.
        """
        parts = _folders_with_lists(uri) if lists is None else lists
        content = {"record": record, "lists": [self.relative(part) for part in parts]}
        self._held().check()
        storage.write_text(f"{uri}.json", sealed_json(content))
        return Staged(uri, record)

    def relative(self, uri: str) -> str:
        """A URI relative to the output folder, for records: the folder may be mounted elsewhere one day."""
        return uri.removeprefix(f"{self._output}/")

    def absolute(self, part: str) -> str:
        """The URI for a result of `relative`."""
        return storage.join(self._output, part)

    def discard(self, table: str, fingerprint: str, keep_records: bool = False) -> None:
        """Delete all attempts at a table, also at its rounds and passes. keep_records: delete only their files."""
        self._discard_below(self._folder(table, fingerprint), keep_records)

    def discard_rest(self, table: str, fingerprint: str, keep: str) -> None:
        """Delete the attempts at a table's rounds and passes, except the one in the folder `keep`."""
        folder = self._folder(table, fingerprint)
        for making in filter(_MAKING.fullmatch, storage.list_folders(folder)):
            self._discard_below(storage.join(folder, making), False, keep)

    def delete_files(self, uri: str) -> None:
        """Delete the files of an attempt, or of a folder in it by which tasks exchanged rows. The record stays."""
        self._held().check()
        deletion.delete_own(uri, _OUR_FILES, self._output)
        deletion.delete_empty_folder(storage.parent(uri))

    def discard_attempt(self, uri: str, keep_record: bool = False) -> None:
        """Delete an attempt, its record first, so that an incomplete table never has a record.

        Nothing is deleted through a link. If a link is on the path, this run ignores the attempt from now on.
        """
        self._held().check()
        self._discarded.add(uri)
        if not keep_record:
            deletion.delete_own_file(f"{uri}.json", self._output)
        deletion.delete_own(uri, _OUR_FILES, self._output)

    def give_up(self, uri: str) -> None:
        """Delete an unfinished attempt. A failure is only logged: the first error counts."""
        try:
            self.discard_attempt(uri)
        except W2VSparkError as problem:
            get_logger().warning(key_values(event="attempt_not_deleted", attempt=self.relative(uri), problem=problem))

    def discard_others(self, table: str, keep: str) -> None:
        """Delete a table's attempts with other fingerprints than `keep`, and the unfinished ones with `keep`."""
        parent = storage.join(self._output, STAGING, table)
        for name in storage.list_folders(parent):
            if name == keep:
                self._discard_unfinished(storage.join(parent, name))
            elif _MAKING.fullmatch(name):
                self._discard_below(storage.join(parent, name), False)

    def unfinished(self) -> list[str]:
        """The folders of attempts without a record, or with missing files."""
        return sorted(self._unfinished(storage.join(self._output, STAGING)))

    def _unfinished(self, folder: str) -> list[str]:
        found = []
        for name in storage.list_folders(folder):
            uri = storage.join(folder, name)
            if not _ATTEMPT.fullmatch(name):
                found += self._unfinished(uri)
            elif not self._is_whole(uri):
                found.append(uri)
        return found

    def damaged(self, error: DamagedTable) -> str | None:
        """The folder of the staged attempt that an error is about; None for any other table."""
        folder = storage.join(self._output, STAGING, "")
        text = str(error)
        found = _DAMAGED.match(text, len(folder)) if text.startswith(folder) else None
        return folder + found[0] if found else None

    def _discard_below(self, folder: str, keep_records: bool, keep: str = "") -> None:
        names = storage.list_names(folder)
        # Rounds and passes have attempts of their own.
        for name in filter(_MAKING.fullmatch, storage.list_folders(folder)):
            self._discard_below(storage.join(folder, name), keep_records, keep)
        for attempt in sorted({name.removesuffix(".json") for name in names if _is_of_attempt(name)}):
            if storage.join(folder, attempt) != keep:
                self.discard_attempt(storage.join(folder, attempt), keep_records)
        if names and not keep_records:
            deletion.delete_empty_folder(folder)

    def _discard_unfinished(self, folder: str) -> None:
        names = set(storage.list_names(folder))
        for name in storage.list_folders(folder):
            if _MAKING.fullmatch(name):
                self._discard_unfinished(storage.join(folder, name))
            elif _ATTEMPT.fullmatch(name) and f"{name}.json" not in names:
                self.discard_attempt(storage.join(folder, name))

    def _records(self, folder: str) -> list[str]:
        """The names of records, the newest term first."""
        names = [name for name in storage.list_names(folder) if name.endswith(".json") and _is_of_attempt(name)]
        return sorted(names, reverse=True)

    def _folder(self, table: str, fingerprint: str) -> str:
        return storage.join(self._output, STAGING, table, fingerprint)

    def _held(self) -> Claim:
        if self._claim is None:
            raise ValueError("this run holds no claim on the output folder, so it may not write")
        return self._claim


def _is_of_attempt(name: str) -> bool:
    return _ATTEMPT.fullmatch(name.removesuffix(".json")) is not None


def _folders_with_lists(uri: str) -> list[str]:
    found = [uri] if storage.exists(storage.join(uri, LIST)) else []
    for name in storage.list_folders(uri):
        found += _folders_with_lists(storage.join(uri, name))
    return found
