"""The last step of every run: it publishes a version, with tables, artefacts and a manifest."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa

from w2vspark import __version__, storage
from w2vspark.base.errors import OutputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.base.redaction import redacted
from w2vspark.base.schemas import schema_version
from w2vspark.config.config import to_dict
from w2vspark.fingerprints.fingerprint import library_versions, package_fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION, StagedRows, Table
from w2vspark.output import publish
from w2vspark.output.candidates import ArtefactFile, StagedTable, staged_artefact, write_candidate
from w2vspark.output.settings import OutputConfig
from w2vspark.output.versions import CHECKED, HELD, promote, prune, prune_candidates, version_folder
from w2vspark.spark.listed_files import write_table
from w2vspark.storage.listed import ROWS, write_small


def make_version(run: Run) -> dict[str, Any]:
    """Write the next version, with all tables and artefacts of the method or job, and make it the current one.

    With run.hold, the version stays a candidate.
    """
    folder, config = run.uri(VERSION), run.work.resolved(run)
    tables = [_staged(run, table, table.schema_of(config)) for table in run.work.tables(config)]
    artefacts = []
    for artefact in run.work.artefacts(config):
        uri = staged_artefact(folder)
        artefact.write(run, uri)
        artefacts.append(ArtefactFile(artefact.name, uri))
    name = write_candidate(run.output, run.held(), tables, manifest(run), HELD if run.hold else CHECKED, artefacts)
    run.staging.delete_files(folder)
    if run.hold:
        prune_candidates(run.output, run.held(), run.config[OutputConfig].keep_versions)
    else:
        promote_and_prune(run, name)
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


def promote_and_prune(run: Run, name: str) -> None:
    """Make a version the current one, and delete versions that are too old."""
    before = publish.read_current(run.output) or {"version": ""}
    if "rolled_back" in before:
        get_logger().warning(key_values(event="rollback_ended", version=before["version"], promoted=name))
    promote(run.output, run.held(), name)
    prune(run.output, run.held(), run.config[OutputConfig].keep_versions, before["version"])


def manifest(run: Run) -> dict[str, Any]:
    """The manifest of a version, without its list of files: what it is, and all that is needed to make it again."""
    work = run.work
    return {
        "run_id": run.held().run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        work.kind: work.name,
        "config": redacted(to_dict(work.resolved(run))),
        publish.SCHEMA_VERSIONS: {table.name: schema_version(table.name) for table in work.tables(run.config)},
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
