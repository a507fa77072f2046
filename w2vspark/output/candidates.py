"""Write a version: its manifest first, then its files, which are checked in their final place."""

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from w2vspark import storage
from w2vspark.base.errors import DamagedTable, OutputError, W2VSparkError
from w2vspark.base.log import get_logger, key_values
from w2vspark.output.publish import ARTEFACTS, digest_of, unreadable
from w2vspark.output.versions import (
    WRITING,
    Claim,
    changed_file,
    delete_files,
    problem_of,
    version_folder,
    write_manifest,
)
from w2vspark.storage.listed import ROWS, check_values, count_rows, listed_files, missing_file

MOVES = 8  # files that are moved or copied at once


@dataclass(frozen=True, slots=True)
class StagedTable:
    """A table to publish: the staged files of one matrix."""

    table: str
    uri: str  # of a folder with a list
    matrix: str = ROWS
    copy: bool = False  # True: staging still needs the files


@dataclass(frozen=True, slots=True)
class ArtefactFile:
    """A file to publish that is not a table: its published name, and the staged file."""

    name: str
    uri: str


def staged_artefact(folder: str) -> str:
    """The URI of a new file for an artefact, in a staged folder."""
    return storage.join(folder, f"artefact-{uuid.uuid4().hex}")


def write_candidate(
    output: str,
    claim: Claim,
    tables: Sequence[StagedTable],
    manifest: dict[str, Any],
    why: str,
    artefacts: Sequence[ArtefactFile] = (),
) -> str:
    """Write and check a version that is not current yet; return its name, the claim's term.

    The staged files are moved or copied into the version's folder. manifest: written with the further keys version,
    files, tables, candidate, and artefacts if there are any. why: the value of candidate. Raises OutputError when a
    file is not what was written, DamagedTable when a staged file is missing. After any error nothing of the version
    stays.
    """
    name = f"{claim.term:06}"
    folder = version_folder(output, name)
    files = {staged.table: _published_files(staged) for staged in tables}
    rows = {table: sum(file["rows"] for file in of_table) for table, of_table in files.items()}
    whole = manifest | {"version": name, "tables": rows, "files": files}
    if artefacts:
        whole[ARTEFACTS] = {artefact.name: digest_of(artefact.uri) for artefact in artefacts}
    if len(files) != len(tables):
        raise OutputError(f"{folder}: two of its tables have one name; fix the method or job that publishes them")
    if why_not := unreadable(whole):
        raise OutputError(f"{folder}: {why_not}; fix the method or job that publishes it")
    claim.check()
    if found := storage.list_names(folder):
        raise OutputError(f"{folder}: holds {found[0]}, which is not ours; run this again, under the next number")
    try:
        write_manifest(folder, whole | {"candidate": WRITING})
        with ThreadPoolExecutor(MOVES) as pool:
            for staged in tables:
                if staged.copy:  # without the checks, a page that was damaged in staging would be published
                    if missing := missing_file(staged.uri):
                        raise DamagedTable(f"{storage.join(staged.uri, missing)}: is missing or cut")
                    check_values(staged.uri, listed_files(staged.uri, staged.matrix))
                pairs = _pairs(staged, folder, files[staged.table])
                for first in range(0, len(pairs), MOVES):
                    claim.check()  # so that a paused run that wakes up moves no more than these files
                    list(pool.map(lambda pair, staged=staged: _move(staged.copy, *pair), pairs[first : first + MOVES]))
            for artefact in artefacts:
                claim.check()
                _move(False, artefact.uri, storage.join(folder, ARTEFACTS, artefact.name))
        problem = problem_of(folder, whole) or _stranger(folder, whole) or changed_file(folder, whole)
        if problem:
            raise OutputError(f"{folder}: {problem}; run the command again")
        claim.check()
        write_manifest(folder, whole | {"candidate": why})
    except BaseException:
        _give_up(output, claim, name, whole)
        raise
    return name


def _give_up(output: str, claim: Claim, name: str, manifest: dict[str, Any]) -> None:
    """Delete the files of this run's version. Only log an error here: the one that stopped the run is raised."""
    try:
        claim.check()
        delete_files(output, version_folder(output, name), manifest)
    except W2VSparkError as problem:
        get_logger().warning(key_values(event="candidate_not_deleted", version=name, problem=problem))


def _published_files(staged: StagedTable) -> list[dict[str, Any]]:
    found = []
    for number, file in enumerate(listed_files(staged.uri, staged.matrix)):
        # A list counts the rows of a matrix, but the file's rows may be its entries.
        rows = file["rows"] if staged.matrix == ROWS else count_rows(staged.uri, file)
        found.append({"file": f"part-{number:05}.parquet", "size": file["size"], "rows": rows, "crc32": file["crc32"]})
    return found


def _pairs(staged: StagedTable, folder: str, files: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The staged URI and the published URI of each file of a table."""
    sources = [storage.join(staged.uri, file["file"]) for file in listed_files(staged.uri, staged.matrix)]
    return [
        (source, storage.join(folder, staged.table, file["file"])) for source, file in zip(sources, files, strict=True)
    ]


def _move(copy: bool, source: str, target: str) -> None:
    try:
        if copy:
            storage.copy_file(source, target)
        else:
            storage.move_file(source, target)
    except FileNotFoundError as error:
        raise DamagedTable(f"{source}: is missing") from error


def _stranger(folder: str, manifest: dict[str, Any]) -> str:
    """A text that names a file in a table's folder that is not listed; "" = none."""
    listed = {table: {file["file"] for file in files} for table, files in manifest["files"].items()}
    for table, names in (listed | {ARTEFACTS: set(manifest.get(ARTEFACTS, {}))}).items():
        strangers = set(storage.list_names(storage.join(folder, table))) - names
        if strangers:
            return f"{table} holds {min(strangers)}, which is not ours"
    return ""
