"""Whether a run has nothing to do: because of the current version, a candidate, or a rollback."""

from typing import Any, NamedTuple

from w2vspark.base.errors import OutputError
from w2vspark.flow.gate import finish, is_judged
from w2vspark.flow.run import Run
from w2vspark.flow.work import VERSION
from w2vspark.output import publish
from w2vspark.output.settings import OutputConfig
from w2vspark.output.versions import WRITING, ListedVersion, earlier_version, list_versions, version_folder


class Standing(NamedTuple):
    """The version that makes a run unnecessary."""

    why: str  # why there is nothing to do
    folder: str  # of the version


def standing(run: Run) -> Standing | None:
    """Why there is nothing to do; None if the run has to make or promote something.

    Raises OutputError if a rollback is in force but its version is damaged: the run must not undo the rollback.
    """
    current = publish.read_current(run.output)
    now = next((version for version in list_versions(run.output) if version.current), None)
    if current is not None:
        damage = "has no manifest that can be read" if now is None else now.problem
        if not damage and now is not None and now.fingerprints.get(VERSION) == run.fingerprints[VERSION]:
            return Standing(f"{now.folder} was made from this input, configuration and code", now.folder)
        rolled_back = current.get("rolled_back", {"requests": []})
        if run.fingerprints["request"] in rolled_back["requests"]:
            return _by_rollback(run, current, damage)
        if not damage and now is not None and _would_begin_from_its_like(run, now):
            why = "was made from this input and configuration, and this run would begin from it"
            return Standing(f"{now.folder} {why}", now.folder)
    candidate = matching_candidate(run) if run.hold or run.unchecked else None
    if candidate is not None and (run.unchecked or is_judged(run, candidate)):
        why = f"{candidate.folder} is a candidate made from this input, configuration and code"
        return Standing(why, candidate.folder)
    return None


def _would_begin_from_its_like(run: Run, now: ListedVersion) -> bool:
    """Whether the run begins from this output's current version, which has the run's own corpus and settings."""
    parent = run.parent
    own = parent is not None and parent.folder == version_folder(run.output, parent.name)
    return own and now.fingerprints.get("request") == run.fingerprints["request"]


def stands(run: Run) -> bool:
    """Whether there is nothing to do. If so, run.nothing_to_do gets the reason, and run.there the version's folder."""
    found = standing(run)
    if found is not None:
        run.nothing_to_do, run.there = found
    return found is not None


def _by_rollback(run: Run, current: dict[str, Any], damage: str) -> Standing:
    output, name = run.config[OutputConfig].path, str(current["version"])
    force = "is current after a rollback, which stays in force until the input or the configuration changes"
    made = [
        version.name
        for version in list_versions(run.output)
        if not version.candidate
        and int(version.name) > int(name)
        and version.fingerprints.get("request") == run.fingerprints["request"]
        and not version.problem
    ]
    undo = f"undo it with: w2vspark promote {output} {made[-1]}" if made else f"undo it by adding --from {VERSION}"
    if damage:
        back = earlier_version(run.output, current) is not None
        further = f"; or go further back with: w2vspark rollback {output}" if back else ""
        raise OutputError(f"{version_folder(run.output, name)}: {damage}; it {force}; {undo}{further}")
    return Standing(f"version {name} {force}; {undo}", version_folder(run.output, name))


def matching_candidate(run: Run) -> ListedVersion | None:
    """The newest complete version that this run may promote: it has the fingerprint that this run would make.

    It is a candidate, or newer than the current version: a run that dies while it promotes may leave a version that is
    no longer marked as a candidate.
    """
    current = publish.read_current(run.output) or {"version": "0"}
    found = [
        version
        for version in list_versions(run.output)
        if version.candidate != WRITING
        and (version.candidate or int(version.name) > int(current["version"]))
        and version.fingerprints.get(VERSION) == run.fingerprints[VERSION]
        and not version.problem
    ]
    return found[-1] if found else None


def finished(run: Run) -> bool:
    """Judge the matching candidate, if there is one, and promote it unless run.hold; returns whether there was one.

    Raises GateFailed if it does not pass.
    """
    candidate = matching_candidate(run)
    if candidate is None:
        return False
    finish(run, candidate.name, is_judged(run, candidate))
    run.there = candidate.folder
    if run.hold:
        run.judged_again = candidate.name
    else:
        run.promoted = candidate.name
    return True
