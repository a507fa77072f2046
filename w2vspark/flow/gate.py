"""The gate: a candidate is scored, described and judged, before it becomes the current version."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from w2vspark.base.errors import GateFailed, OutputError
from w2vspark.base.log import get_logger, key_values, log_end, log_start
from w2vspark.base.redaction import redacted_value
from w2vspark.fingerprints.fingerprint import code_of, fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION
from w2vspark.output import publish
from w2vspark.output.candidates import staged_artefact
from w2vspark.output.checks import Check
from w2vspark.output.publish import Version
from w2vspark.output.scores import as_json, failures
from w2vspark.output.settings import OutputConfig
from w2vspark.output.versions import (
    CHECKED,
    FAILED,
    HELD,
    ListedVersion,
    promote,
    prune,
    prune_candidates,
    version_folder,
)
from w2vspark.spark.worker_errors import worker_errors

# The key of the manifest that says what a version was judged by: all that decided, its fingerprint, and the version
# that was current then.
GATE = "gate"


def previous_version(run: Run) -> Version | None:
    """The current version, which a new one is compared with; None if there is none, or it is damaged."""
    try:
        return publish.find_version(run.output)
    except OutputError as damage:
        get_logger().warning(key_values(event="damaged", problem=damage))
        return None


def is_judged(run: Run, candidate: ListedVersion) -> bool:
    """Whether a candidate passed, and was judged by what would decide its verdict now. It need not be judged again."""
    if not candidate.candidate:  # it was current once, or was about to be
        return True
    if candidate.candidate not in (CHECKED, HELD):
        return False
    return run.work.gate is None or candidate.manifest.get(GATE, {}).get("fingerprint") == _fingerprint(run)


def finish(run: Run, name: str, judged: bool = False) -> None:
    """Judge a candidate, and promote it unless run.hold. judged: it has passed already.

    Raises GateFailed if it does not pass; then it stays a candidate, and the current version is as it was.
    """
    keep = run.config[OutputConfig].keep_versions
    if not judged and (failed := _judge(run, name)):
        prune_candidates(run.output, run.held(), keep)
        folder, scores = version_folder(run.output, name), as_json(run.scores)
        facts = {"output": run.output, "version": name, "folder": folder, "state": "failed", "scores": scores}
        raise GateFailed("\n".join([*failed, _advice(run, name)]), facts)
    if run.hold:
        prune_candidates(run.output, run.held(), keep)
    else:
        promote_and_prune(run, name)


def promote_and_prune(run: Run, name: str) -> None:
    """Make a version the current one, and delete versions that are too old."""
    before = publish.read_current(run.output) or {"version": ""}
    if "rolled_back" in before:
        get_logger().warning(key_values(event="rollback_ended", version=before["version"], promoted=name))
    promote(run.output, run.held(), name)
    prune(run.output, run.held(), run.config[OutputConfig].keep_versions, before["version"])


def _judge(run: Run, name: str) -> list[str]:
    """Score and describe a candidate, and write the verdict; return what did not pass."""
    log_start("gate", version=name)
    began, attempt = time.perf_counter(), run.staging.begin(VERSION, run.fingerprints[VERSION])
    try:
        with run.progress.stage("gate"):
            failed = _checked(run, name, lambda: staged_artefact(attempt))
    except BaseException:
        run.staging.give_up(attempt)
        raise
    run.staging.delete_files(attempt)
    log_end("gate", version=name, passed=not failed, seconds=round(time.perf_counter() - began, 3))
    return failed


def _checked(run: Run, name: str, new_file: Callable[[], str]) -> list[str]:
    """The check of a candidate; returns what did not pass. new_file: makes the URI of a new file in staging."""
    check = Check(run.output, run.held(), name, new_file)
    run.previous = previous_version(run)
    try:
        _add_all(run, check, new_file)
    except OutputError as damage:
        if run.previous is None or not str(damage).startswith(run.previous.folder):
            raise
        # The current version is damaged: this one replaces it, and there is nothing to compare it with.
        get_logger().warning(key_values(event="not_compared", problem=damage))
        run.previous = None
        _add_all(run, check, new_file)
    failed = failures(run.scores)
    names = ", ".join(f"{score.task} {score.metric}" for score in run.scores if score.passed is False)
    check.end(FAILED + names if failed else HELD if run.hold else CHECKED, _facts(run))
    return failed


def _add_all(run: Run, check: Check, new_file: Callable[[], str]) -> None:
    """Score the candidate, and add the tables and files that are made from it.

    It may be another run's, so only the configuration and the candidate itself tell about it.
    """
    work, config, run.candidate = run.work, run.config, check.version()
    if work.gate is not None:
        with _timed(run, "gate"), worker_errors():
            run.scores = work.gate.score(run)
    for table in work.tables(config):
        if table.of_candidate:
            with _timed(run, table.name):
                check.add_table(table.name, table.small(run, table.schema_of(config)))
            run.candidate = check.version()
    for artefact in work.artefacts(config):
        if artefact.of_candidate:
            staged = new_file()
            with _timed(run, artefact.name.partition(".")[0]):
                artefact.write(run, staged)
            check.add_artefact(artefact.name, staged)


@contextmanager
def _timed(run: Run, name: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    run.after[name] = time.perf_counter() - began


def _facts(run: Run) -> dict[str, Any]:
    """Entries of the manifest: the scores, and what decided them."""
    if run.work.gate is None:
        return {}
    before = None if run.previous is None else run.previous.name
    decided = {"fingerprint": _fingerprint(run), "previous": before, **run.work.gate.decides(run)}
    return {"scores": as_json(run.scores), GATE: redacted_value(decided)}


def _fingerprint(run: Run) -> str:
    """The fingerprint of all that decides the verdict, besides the candidate."""
    gate, previous = run.work.gate, previous_version(run)
    assert gate is not None
    before = None if previous is None else previous.run_id
    return fingerprint(previous=before, code=code_of(gate.score), **gate.decides(run))


def _advice(run: Run, name: str) -> str:
    output = run.config[OutputConfig].path
    current = publish.read_current(run.output)
    stays = f"version {current['version']} stays current" if current else "no version is current"
    return (
        f"{version_folder(run.output, name)}: did not pass the gate and stays a candidate; {stays}; to use it all the "
        f"same: w2vspark promote {output} {name}"
    )
