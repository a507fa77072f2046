"""The commands for versions: versions, promote, rollback, clean. They do not start Spark."""

import argparse
from typing import Any

from w2vspark.cli.printing import answer, table_lines
from w2vspark.cli.queries import add_command

OUTPUT = "the output folder of a run"
SHOWN_UNITS = 3  # of the input, in a line about their counts
# A version of which only the name is known.
_UNKNOWN: dict[str, Any] = dict.fromkeys(("version", "made", "method", "words", "scores", "state"))


def add_version_commands(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the four commands; each sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    add_command(subparsers, "versions", "list the versions of an output folder", handle_versions, OUTPUT)
    promote = add_command(subparsers, "promote", "make a version the current one", handle_promote, OUTPUT)
    promote.add_argument("version", metavar="VERSION", help="its number in `w2vspark versions`")
    rollback = add_command(
        subparsers, "rollback", "go back to an earlier version, and stay there", handle_rollback, OUTPUT
    )
    rollback.add_argument(
        "version",
        metavar="VERSION",
        nargs="?",
        help="its number; without it, the newest earlier version that is complete and was never rolled back from",
    )
    clean = add_command(subparsers, "clean", "delete files that no version or later run needs", handle_clean, OUTPUT)
    clean.add_argument("--dry-run", action="store_true", help="list these files, and delete nothing")
    for command in (promote, rollback, clean):
        command.add_argument(
            "--single-writer", action="store_true", help="as output.single_writer: no other run writes to this folder"
        )


def handle_versions(arguments: argparse.Namespace) -> int:
    """Print a line for each version, the newest first."""
    from w2vspark import storage
    from w2vspark.output.marker import check_ours
    from w2vspark.output.versions import list_versions, unlisted_versions

    output = storage.absolute_uri(arguments.output)
    check_ours(output)
    facts = [_facts(version) for version in list_versions(output)]
    facts += [_UNKNOWN | {"version": name, "state": why} for name, why in unlisted_versions(output).items()]
    facts.sort(key=lambda row: int(row["version"]), reverse=True)
    current = next((row["version"] for row in facts if str(row["state"]).startswith("current")), "")
    shown = [row | {"scores": None if row["scores"] is None else _in_words(row["scores"]) or "none"} for row in facts]
    rows = [["unknown" if value is None else str(value) for value in row.values()] for row in shown]
    value = {"output": output, "current": current, "versions": facts}
    return answer(arguments, value, lambda: table_lines(list(_UNKNOWN), rows))


def handle_promote(arguments: argparse.Namespace) -> int:
    """Make a version the current one."""
    from w2vspark.output.versions import list_versions, named, promote

    output, claim = _claimed(arguments)
    with claim:
        name = named(output, arguments.version)
        if any(version.current and version.name == name and not version.problem for version in list_versions(output)):
            text = f"{arguments.output}: version {name} is current already\n"
            return answer(arguments, {"output": output, "version": name, "promoted": False}, lambda: text)
        newer = [v.name for v in list_versions(output) if not v.candidate and int(v.name) > int(name)]
        promote(output, claim, name)
    advice = (
        f"; the run that made {newer[-1]} will undo this, unless you use: w2vspark rollback {arguments.output} {name}"
        if newer
        else ""
    )
    text = f"{arguments.output}: version {name} is current{advice}\n"
    return answer(arguments, {"output": output, "version": name, "promoted": True}, lambda: text)


def handle_rollback(arguments: argparse.Namespace) -> int:
    """Make an earlier version the current one."""
    from w2vspark.output.versions import named, rollback

    output, claim = _claimed(arguments)
    with claim:
        name = rollback(output, claim, named(output, arguments.version) if arguments.version is not None else None)
    text = f"{arguments.output}: version {name} is current, and stays so until the input or the configuration changes\n"
    return answer(arguments, {"output": output, "version": name}, lambda: text)


def handle_clean(arguments: argparse.Namespace) -> int:
    """List or delete what killed runs have left, and what is kept of input files that are gone or have changed."""
    from w2vspark import storage
    from w2vspark.output.marker import check_ours
    from w2vspark.output.staging import Staging
    from w2vspark.output.versions import delete_unfinished, unfinished, version_folder
    from w2vspark.stages.stale_counts import delete_stale, stale_tables

    if arguments.dry_run:
        output = storage.absolute_uri(arguments.output)
        check_ours(output)
        found = [version_folder(output, version.name) for version in unfinished(output)]
        found += Staging(output).unfinished()
        notes = {stale.staged.uri: _units(stale.gone) for stale in stale_tables(Staging(output))}
        return _list(
            arguments, "would be deleted, unless a run is still writing them", dict.fromkeys(found, "") | notes
        )
    output, claim = _claimed(arguments)
    with claim:
        staging = Staging(output, claim)
        found = [version_folder(output, name) for name in delete_unfinished(output, claim)]
        for uri in staging.unfinished():
            staging.discard_attempt(uri)
            found.append(uri)
        notes = dict.fromkeys(found, "")
        for stale in list(stale_tables(staging)):
            delete_stale(staging, stale)
            notes[stale.staged.uri] = _units(stale.gone)
    return _list(arguments, "deleted", {uri: note for uri, note in notes.items() if not storage.exists(uri)})


def _units(gone: list[tuple[str, str]]) -> str:
    """The names of some units of the corpus, for a line of text."""
    names = ", ".join(name for name, _ in gone[:SHOWN_UNITS])
    more = f" and {len(gone) - SHOWN_UNITS} more" if len(gone) > SHOWN_UNITS else ""
    return f" (gone or changed: {names}{more})"


def _claimed(arguments: argparse.Namespace) -> Any:
    """The output folder, which must have the marker, and a claim on it, which the caller has to enter."""
    from w2vspark import storage
    from w2vspark.output.claims import Claim
    from w2vspark.output.marker import check_ours

    output = storage.absolute_uri(arguments.output)
    kind = check_ours(output)["kind"]
    return output, Claim(output, kind=kind, single_writer=arguments.single_writer)


def _in_words(scores: list[dict[str, Any]]) -> str:
    """The scores on test sets, as "wordsim353 0.612"."""
    from w2vspark.output.scores import OF_TEST_SETS

    measured = [row for row in scores if row["value"] is not None]
    found = {row["task"]: row["value"] for row in measured if row.get("metric", OF_TEST_SETS[0]) in OF_TEST_SETS}
    return ", ".join(f"{task} {value:.3f}" for task, value in found.items())


def _facts(version: Any) -> dict[str, Any]:
    from w2vspark.output.versions import WRITING

    manifest = version.manifest
    candidate = f"candidate: {version.candidate}" if version.candidate else "was current"
    state = "current" if version.current else candidate
    problem = "" if version.candidate == WRITING else version.problem
    made_by = manifest.get("method") or manifest.get("job")  # in 0.2 there is neither; jobs have a model there
    is_job = "job" in manifest or "model" in manifest
    made_by = made_by or manifest.get("config", {}).get("training", {}).get("method")
    first_rows = next(iter(manifest["tables"].values()), 0)
    return {
        "version": version.name,
        "made": manifest.get("created", "unknown"),
        "method": made_by or ("a job" if is_job else "unknown"),
        "words": "-" if is_job else manifest.get("vocabulary", {}).get("words", first_rows),
        "scores": manifest.get("scores", []),
        "state": f"{state}; damaged: {problem}" if problem else state,
    }


def _list(arguments: argparse.Namespace, what: str, found: dict[str, str]) -> int:
    """found: URIs, each with a note or ""."""
    lines = [f"{what}:", *(f"  {uri}{note}" for uri, note in found.items())] if found else ["nothing to delete"]
    key = "would_delete" if arguments.dry_run else "deleted"
    return answer(arguments, {"output": arguments.output, key: list(found)}, lambda: "\n".join(lines) + "\n")
