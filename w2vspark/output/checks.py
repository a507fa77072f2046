"""Check a candidate: tables and files that describe it are added, and the verdict is written into its manifest.

A check may be repeated, with other thresholds for example; then what it adds replaces what the last check added. While
the manifest says CHECKING, its key "added" names the tables and files that may be missing or half replaced.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.schemas import schema_version
from w2vspark.output.publish import ARTEFACTS, SCHEMA_VERSIONS, Version, digest_of, read_version
from w2vspark.output.versions import ADDED, CHECKING, Claim, version_folder, without_added, write_manifest
from w2vspark.storage import deletion
from w2vspark.storage.listed import footer_of

FILE = "part-00000.parquet"  # the only file of a table that a check adds


class Check:
    """The check of a candidate, under a claim on its output folder."""

    def __init__(self, output: str, claim: Claim, name: str, staged: Callable[[], str]) -> None:
        """Begin. name: of the version. staged: makes the URI of a new file in staging. Raises OutputError if lost."""
        self._claim, self._staged, self._folder = claim, staged, version_folder(output, name)
        self._output, self._done = output, set[str]()  # what this check has added
        manifest = self._read().manifest
        self._manifest = manifest | {"candidate": CHECKING, ADDED: manifest.get(ADDED, [])}
        self._write()

    def version(self) -> Version:
        """The candidate with what this check has added so far. Raises OutputError if it is gone.

        What an earlier check has added is left out: that check may have been cut.
        """
        version = self._read()
        return replace(version, manifest=without_added(version.manifest, self._done))

    def _read(self) -> Version:
        version = read_version(self._folder)
        if version is None:
            raise OutputError(f"{self._folder}: was deleted while it was checked; run the command again")
        return version

    def add_table(self, name: str, rows: pa.Table) -> None:
        """Add a small table, or replace it. It becomes one file."""
        staged = self._staged()
        with storage.open_for_writing(staged) as sink:
            pq.write_table(rows, sink, write_page_checksum=True)
        file = {"file": FILE, "rows": rows.num_rows, **footer_of(staged)._asdict()}
        for key, value in (("tables", rows.num_rows), ("files", [file]), (SCHEMA_VERSIONS, schema_version(name))):
            self._manifest[key] = self._manifest.get(key, {}) | {name: value}
        self._add(name, staged, storage.join(self._folder, name, FILE))

    def add_artefact(self, name: str, staged: str) -> None:
        """Add a file that is not a table, or replace it. staged: the URI of the file in staging, which is moved."""
        self._manifest[ARTEFACTS] = self._manifest.get(ARTEFACTS, {}) | {name: digest_of(staged)}
        self._add(name, staged, storage.join(self._folder, ARTEFACTS, name))

    def end(self, verdict: str, facts: dict[str, Any]) -> None:
        """Write the verdict, and delete what an earlier check has added and this one has not.

        verdict: the value of "candidate". facts: further entries of the manifest.
        """
        for name in sorted(set(self._manifest[ADDED]) - self._done):
            self._claim.check()
            files = [file["file"] for file in self._manifest["files"].get(name, [])]
            folder, names = (name, files) if files else (ARTEFACTS, [name])
            deletion.delete_named(storage.join(self._folder, folder), names, self._output)
        self._manifest = without_added(self._manifest, self._done) | {ADDED: sorted(self._done)}
        self._manifest |= facts | {"candidate": verdict}
        self._write()

    def _add(self, name: str, staged: str, target: str) -> None:
        # Listed before it is there, so that whoever deletes the version deletes it too.
        self._manifest[ADDED] = sorted({*self._manifest[ADDED], name})
        self._write()
        self._claim.check()
        storage.move_file(staged, target)
        self._done.add(name)

    def _write(self) -> None:
        self._claim.check()
        write_manifest(self._folder, self._manifest)
