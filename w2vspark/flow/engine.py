"""How a run goes through its steps: what stands is left, what is missing or damaged is made, the last is published."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from w2vspark.base.advice import how_to_mend
from w2vspark.base.errors import ConfigError, DamagedTable, OutputError, W2VSparkError
from w2vspark.base.log import get_logger, key_values, log_end, log_start
from w2vspark.base.redaction import redacted_value
from w2vspark.config.config import Config
from w2vspark.flow.run import Run
from w2vspark.output import publish
from w2vspark.output.candidates import Part, write_candidate
from w2vspark.output.claims import Claim
from w2vspark.output.marker import Kind
from w2vspark.output.staging import Staging
from w2vspark.output.versions import (
    CHECKED,
    HELD,
    WRITING,
    ListedVersion,
    delete_unfinished,
    earlier_version,
    list_versions,
    promote,
    prune,
    prune_candidates,
    version_folder,
)
from w2vspark.spark.worker_errors import worker_errors


@dataclass(frozen=True, slots=True)
class Step:
    """One table of the flow."""

    table: str
    needs: tuple[str, ...]  # what it is made from; "corpus" is the input
    settings: Callable[[Config], dict[str, Any]]  # what it depends on of the configuration, and nothing else
    make: Callable[[Run], dict[str, Any]]  # writes it, and returns its record: row counts and the like
    wanted: Callable[[Config], bool] = lambda config: True  # whether a run has it


def run_steps(run: Run, kind: Kind, steps: Sequence[Step], forced: Sequence[str] = ()) -> None:
    """Make what is not there yet, under a claim on the output folder.

    run: with its fingerprints; its claim and staging are set here. forced: tables that are made again. Where nothing is
    to do, no claim is made, and run.nothing_to_do says why. Raises the errors of base.errors; what was published before
    stays as it is then.
    """
    publishes = run.last in [step.table for step in steps] and not forced
    if publishes and _stands(run):
        return
    with Claim(run.output, kind=kind, single_writer=run.config.output.single_writer) as claim:
        run.claim, run.staging = claim, Staging(run.output, claim)
        delete_unfinished(run.output, claim)
        try:
            if not (publishes and (_stands(run) or _promoted(run))):
                _make_all(run, steps, forced)
        finally:
            run.progress.done()


def forced_stages(steps: Sequence[Step], first: str | None) -> tuple[str, ...]:
    """The stages from `first` on. Raises ConfigError for a name that is none of these steps'."""
    if first is None:
        return ()
    stages = tuple(step.table for step in steps)
    if first not in stages:
        raise ConfigError(f"--from {first}: is no stage of this run; they are {names_of(steps)}")
    return stages[stages.index(first) :]


def names_of(steps: Sequence[Step]) -> str:
    """The names of steps, for a message."""
    return ", ".join(step.table for step in steps)


def publish_tables(run: Run, parts: Sequence[Part], manifest: dict[str, Any]) -> dict[str, Any]:
    """Publish staged tables as the next version, or leave it a candidate; the last step's record."""
    name = write_candidate(run.output, run.held(), parts, manifest, HELD if run.hold else CHECKED)
    run.staging.delete_part(run.uri(run.last))
    if run.hold:
        prune_candidates(run.output, run.held(), run.config.output.keep_versions)
    else:
        _promote(run, name)
    return {"version": name, "path": version_folder(run.output, name)}


def _promote(run: Run, name: str) -> None:
    before = publish.read_current(run.output) or {"version": ""}
    if "rolled_back" in before and run.fingerprints["request"] in before["rolled_back"]["requests"]:
        get_logger().warning(key_values(event="rollback_ended", version=before["version"], promoted=name))
    promote(run.output, run.held(), name)
    prune(run.output, run.held(), run.config.output.keep_versions, before["version"])


def standing(run: Run) -> str:
    """Why there is nothing to do; "" where the run has to make or promote something.

    Raises OutputError where a rollback is in force whose version is damaged: what it keeps away is not made again.
    """
    current = publish.read_current(run.output)
    now = next((version for version in list_versions(run.output) if version.current), None)
    if current is not None:
        damage = "has no manifest that can be read" if now is None else now.problem
        if not damage and now is not None and now.fingerprints.get(run.last) == run.fingerprints[run.last]:
            return f"{now.folder} was made from this input, configuration and code"
        rolled_back = current.get("rolled_back", {"requests": []})
        if run.fingerprints["request"] in rolled_back["requests"]:
            return _by_rollback(run, current, damage)
    if run.hold and (candidate := matching_candidate(run)) is not None:
        return f"{candidate.folder} is a candidate of this input, configuration and code"
    return ""


def nothing_made(run: Run) -> str:
    """What to tell of a run that made nothing; "" where it made something."""
    if run.nothing_to_do:
        return f"nothing to do: {run.nothing_to_do}\n"
    if run.promoted:
        folder = version_folder(run.output, run.promoted)
        return f"promoted: {folder} was made from this input, configuration and code, and is current now\n"
    return ""


def _stands(run: Run) -> bool:
    run.nothing_to_do = standing(run)
    return bool(run.nothing_to_do)


def _by_rollback(run: Run, current: dict[str, Any], damage: str) -> str:
    output, name = run.config.output.path, str(current["version"])
    force = "is current by a rollback, which stays in force until the input or the configuration changes"
    made = [
        version.name
        for version in list_versions(run.output)
        if not version.candidate
        and int(version.name) > int(name)
        and version.fingerprints.get("request") == run.fingerprints["request"]
        and not version.problem
    ]
    undo = f"undo it with: w2vspark promote {output} {made[-1]}" if made else f"undo it by adding --from {run.last}"
    if damage:
        back = earlier_version(run.output, current) is not None
        further = f"; or go further back with: w2vspark rollback {output}" if back else ""
        raise OutputError(f"{version_folder(run.output, name)}: {damage}; it {force}; {undo}{further}")
    return f"version {name} {force}; {undo}"


def matching_candidate(run: Run) -> ListedVersion | None:
    """The newest whole version that was made from just this, and has never been current or is newer than the current.

    A run that dies while it promotes may leave a version that is called a candidate no more.
    """
    current = publish.read_current(run.output) or {"version": "0"}
    found = [
        version
        for version in list_versions(run.output)
        if version.candidate != WRITING
        and (version.candidate or int(version.name) > int(current["version"]))
        and version.fingerprints.get(run.last) == run.fingerprints[run.last]
        and not version.problem
    ]
    return found[-1] if found else None


def _promoted(run: Run) -> bool:
    """Whether there was a candidate of just this, which is the current version now."""
    candidate = matching_candidate(run)
    if candidate is None:
        return False
    _promote(run, candidate.name)
    run.promoted = candidate.name
    return True


def _make_all(run: Run, steps: Sequence[Step], forced: Sequence[str]) -> None:
    """Make the tables that are not there. A table in staging that turns out to be damaged is made again, once."""
    for table in forced:
        run.staging.discard(table, run.fingerprints[table])
    damaged: set[str] = set()
    while True:
        try:
            for step in steps:
                _make_or_find(run, step)
            return
        except DamagedTable as damage:
            attempt = run.staging.damaged(damage)
            if attempt is None:  # of what is published: the model that a run begins from, or folds into
                raise OutputError(f"{damage}; {how_to_mend(str(damage).partition(': ')[0])}") from damage
            table = attempt.rpartition("/")[0]
            if table in damaged:
                raise OutputError(f"{damage}; it was made twice, so check the disk or store that holds it") from damage
            damaged.add(table)
            get_logger().warning(key_values(event="damaged", problem=damage, made_again=True))
            run.staging.discard_attempt(attempt)


def _make_or_find(run: Run, step: Step) -> None:
    own = run.fingerprints[step.table]
    found = run.staging.find(step.table, own)
    if found is not None:
        if step.table not in run.made:
            log_end(step.table, made=False, fingerprint=own)
        run.records[step.table], run.uris[step.table] = found.record, found.uri
        return
    run.progress.stage(step.table.replace("_", " "))
    log_start(step.table, fingerprint=own, **_shown(step.settings(run.config)))
    run.staging.discard_others(step.table, own)
    run.uris[step.table] = run.staging.begin(step.table, own)
    began = time.perf_counter()
    try:
        with worker_errors():
            record = step.make(run)
    except BaseException:
        _give_up(run, step.table)
        raise
    record["seconds"] = round(time.perf_counter() - began, 3)
    run.records[step.table] = record
    run.made.append(step.table)
    if step.table != run.last:
        lists = record.pop("lists", None)
        of_output = None if lists is None else [run.staging.absolute(part) for part in lists]
        run.staging.complete(run.uris[step.table], record, of_output)
    figures = {key: value for key, value in record.items() if isinstance(value, str | int | float)}
    log_end(step.table, made=True, **figures)


def _give_up(run: Run, table: str) -> None:
    """Delete what this run has written of a table; the error that stopped it counts more than one of this."""
    try:
        run.staging.discard_attempt(run.uris[table])
    except W2VSparkError as problem:
        get_logger().warning(key_values(event="attempt_not_deleted", table=table, problem=problem))


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= asdict(value) if is_dataclass(value) and not isinstance(value, type) else {key: value}
    return {key: redacted_value(value) for key, value in found.items()}
