"""The last step of every run: it writes a version, with tables, artefacts and a manifest, as a candidate."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from w2vspark import __version__, storage
from w2vspark.base.errors import OutputError
from w2vspark.base.redaction import redacted
from w2vspark.base.schemas import schema_version
from w2vspark.config.config import to_dict
from w2vspark.fingerprints.fingerprint import library_versions, package_fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION, StagedRows, Table
from w2vspark.output import publish
from w2vspark.output.candidates import ArtefactFile, StagedTable, staged_artefact, write_candidate
from w2vspark.output.versions import UNCHECKED, version_folder
from w2vspark.spark.listed_files import write_table
from w2vspark.storage.listed import ROWS, write_small


def make_version(run: Run) -> dict[str, Any]:
    """Write the next version as a candidate, with all tables and artefacts that are not made from the candidate."""
    folder, config = run.uri(VERSION), run.work.resolved(run)
    tables = [
        _staged(run, table, table.schema_of(config)) for table in run.work.tables(config) if not table.of_candidate
    ]
    artefacts = []
    for artefact in run.work.artefacts(config):
        if not artefact.of_candidate:
            uri = staged_artefact(folder)
            artefact.write(run, uri)
            artefacts.append(ArtefactFile(artefact.name, uri))
    name = write_candidate(run.output, run.held(), tables, manifest(run), UNCHECKED, artefacts)
    run.staging.delete_files(folder)
    for table, record in run.records.items():
        if "at" in record:  # the result stays, so that a run can publish it in another way without training again
            run.staging.discard_rest(table, run.fingerprints[table], run.uri(table))
    return {"version": name, "path": version_folder(run.output, name)}


def _staged(run: Run, table: Table, schema: pa.Schema) -> StagedTable:
    """Write a table to publish. Raises OutputError if its number of rows is wrong."""
    rows, uri = table.rows(run), storage.join(run.uri(VERSION), table.name)
    if isinstance(rows, StagedRows):
        return StagedTable(table.name, rows.uri, rows.matrix, copy=True)
    if isinstance(rows, pa.Table):
        write_small(rows.cast(schema), uri)
        found = len(rows)
    else:
        found = write_table(rows, uri, schema)
    expected = found if table.count is None else table.count(run)
    if found != expected:
        raise OutputError(f"{uri}: has {found} rows, expected {expected}; run the command again")
    return StagedTable(table.name, uri, ROWS)


def parent_of(version: publish.Version) -> dict[str, str]:
    """The manifest's entry about the version that a run began from."""
    output = storage.parent(storage.parent(version.folder))
    return {"output": output, "version": version.name, "run_id": version.run_id}


def manifest(run: Run) -> dict[str, Any]:
    """The manifest of a version, without its list of files: what it is, and all that is needed to make it again."""
    work = run.work
    return {
        "run_id": run.held().run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        work.kind: work.name,
        "config": redacted(to_dict(work.resolved(run))),
        publish.SCHEMA_VERSIONS: {
            table.name: schema_version(table.name) for table in work.tables(run.config) if not table.of_candidate
        },
        **({"parent": parent_of(run.parent)} if run.parent is not None else {}),
        **work.facts(run),
        "fingerprints": run.fingerprints,
        "seconds": {table: record["seconds"] for table, record in run.records.items()},
        "code": package_fingerprint(),
        "versions": {
            "w2vspark": __version__,
            **{package: version(package) for package in ("pyspark", "numba", "llvmlite", "numpy", "pyarrow")},
            **library_versions(package for packages in work.libraries.values() for package in packages),
            "python": platform.python_version(),
        },
    }
