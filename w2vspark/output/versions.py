"""List, promote, roll back and delete the versions of an output folder. (output.candidates writes them.)

A version's manifest is written first, with the list of its files, so that every file in its folder is known by name.
While the manifest has the key "candidate", the version has never been the current one.
"""

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.output.publish import ARTEFACTS, MANIFEST, NAME, VERSIONS, Version, read_current, read_version
from w2vspark.storage import deletion
from w2vspark.storage.listed import footer_of

TOMBSTONE = "deleted.json"  # says that a version's files are being deleted
# Why a version is a candidate. A run is writing it, or died. A run has checked it and is about to promote it. Its run
# was told to hold it back, or not to check it yet. A run checks it, or died. It did not pass (the metrics follow).
WRITING, CHECKED, HELD = "is being written", "is checked", "is held back by --hold"
UNCHECKED, CHECKING, FAILED = "is not checked yet", "is being checked", "did not pass "
ADDED = "added"  # a key of the manifest: tables and files that a check of the candidate has added, and may replace

_LISTS = ("tables", "files", ARTEFACTS)  # keys of the manifest with an entry for each table or file
_OURS = rf"({re.escape(MANIFEST)}|{re.escape(TOMBSTONE)})"
# The second form is left by a run that was killed while it wrote such a file.
_OUR_FILES = re.compile(rf"{_OURS}|\.{_OURS}\.[0-9a-f]{{32}}")


class Claim(Protocol):
    """Held by a run while it may write to the output."""

    run_id: str
    term: int

    def check(self) -> None:
        """Raise OutputError when the run may no longer write."""

    def replace_current(self, text: str) -> None:
        """Replace current.json, unless another run has taken over."""


@dataclass(frozen=True, slots=True)
class ListedVersion:
    """A version in the output folder."""

    name: str  # six digits or more
    folder: str
    manifest: dict[str, Any]
    current: bool
    candidate: str  # why it is a candidate; "" = it is or was the current version

    @property
    def fingerprints(self) -> dict[str, str]:
        """The fingerprints of its tables, from its manifest; "request" is that of corpus and settings."""
        found: dict[str, str] = self.manifest.get("fingerprints", {})
        return found

    @property
    def deleting(self) -> bool:
        """Whether its deletion has begun."""
        return storage.exists(storage.join(self.folder, TOMBSTONE))

    @property
    def problem(self) -> str:
        """A text that names a missing or changed file; "" = the version is good. Reads all footers."""
        if self.deleting:
            return "its deletion has begun"
        manifest = without_added(self.manifest) if self.candidate == CHECKING else self.manifest
        return problem_of(self.folder, manifest) or changed_file(self.folder, manifest)


def without_added(manifest: dict[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """A manifest without the tables and files that a check adds: an interrupted check leaves them half written.

    but: names that stay.
    """
    added = set(manifest.get(ADDED, [])) - set(but)
    lists = [key for key in _LISTS if key in manifest]
    return manifest | {key: {name: of for name, of in manifest[key].items() if name not in added} for key in lists}


def version_folder(output: str, name: str) -> str:
    """The folder of a version."""
    return storage.join(output, VERSIONS, name)


def promote(output: str, claim: Claim, name: str, rolled_back: dict[str, Any] | None = None) -> None:
    """Make a version the current one. rolled_back: the entry of current.json for a rollback; None = it is none.

    Raises OutputError when the version is missing, incomplete or being deleted.
    """
    folder = version_folder(output, name)
    if storage.exists(storage.join(folder, TOMBSTONE)):
        raise OutputError(f"{folder}: is being deleted; choose another version: w2vspark versions {output}")
    version = _written_here(output, name)
    if version is None:
        raise OutputError(f"{folder}: there is no such version; list them with: w2vspark versions {output}")
    manifest = version.manifest
    if manifest.get("candidate") == CHECKING:
        raise OutputError(f"{folder}: its check was interrupted; run again the command that made it, then promote it")
    if problem := problem_of(folder, manifest) or changed_file(folder, manifest):
        raise OutputError(f"{folder}: {problem}; choose another version: w2vspark versions {output}")
    if manifest.get("candidate") == WRITING:
        raise OutputError(f"{folder}: was never finished; choose another version: w2vspark versions {output}")
    if "candidate" in manifest:
        claim.check()
        manifest = {key: value for key, value in manifest.items() if key != "candidate"}
        write_manifest(folder, manifest)
    current = {
        "version": name,
        "path": f"{VERSIONS}/{name}",
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": manifest["run_id"],
        "tables": manifest["tables"],
    }
    if request := manifest.get("fingerprints", {}).get("request"):
        current["request"] = request
    if rolled_back:
        current["rolled_back"] = rolled_back
    before = _current_or_none(output) or {}
    left = set(before.get("rolled_back_from", [])) & set(_names(output))
    if rolled_back:
        left |= {other.name for other in list_versions(output) if int(other.name) > int(name) and not other.candidate}
    if left - {name}:
        current["rolled_back_from"] = sorted(left - {name})
    claim.check()
    claim.replace_current(_json(current))


def rollback(output: str, claim: Claim, name: str | None = None) -> str:
    """Make an earlier version the current one again; return its name.

    name: None = the one that `earlier_version` finds. It may be the current version if newer ones were current once.
    current.json then lists the requests (corpus and settings) of all newer versions: a later run must not publish them
    again. Raises OutputError when there is no such version.
    """
    current = read_current(output)
    if current is None:
        raise OutputError(f"{output}: no version is current; see w2vspark versions {output}, and promote one")
    now, versions = str(current["version"]), [v for v in list_versions(output) if not v.candidate]
    if name is None:
        name = earlier_version(output, current)
        if name is None:
            raise OutputError(
                f"{output}: has no older version that is whole and was never rolled back from; list its versions with: "
                f"w2vspark versions {output}"
            )
    newer = [version for version in versions if int(version.name) > int(name)]
    if int(name) > int(now) or not (newer or name != now):
        raise OutputError(
            f"{output}: {name} is not before the current version {now}; use w2vspark promote {output} {name}"
        )
    left = now if name != now else newer[-1].name
    requests = {version.fingerprints.get("request") for version in newer}
    requests |= set(current.get("rolled_back", {}).get("requests", []))
    if name != now:  # its manifest may be lost
        requests.add(current.get("request"))
    promote(output, claim, name, {"from": left, "requests": sorted(requests - {None})})
    return name


def earlier_version(output: str, current: dict[str, Any]) -> str | None:
    """The newest version before the current one that was current once, is complete, and was not rolled back from.

    current: the content of current.json. Returns None when there is no such version.
    """
    versions, left = list_versions(output), current.get("rolled_back_from", [])
    replaced = next((version.fingerprints for version in versions if version.current), {})
    earlier = [
        version.name
        for version in versions
        if int(version.name) < int(current["version"])
        and not version.candidate
        and version.name not in left
        and not (replaced and version.fingerprints == replaced)  # it was damaged, and the current one replaced it
        and not version.problem
    ]
    return earlier[-1] if earlier else None


def list_versions(output: str) -> list[ListedVersion]:
    """All versions with a manifest, the oldest first; other folders are not ours."""
    current = _current_or_none(output)
    now = str(current["version"]) if current else ""
    found = []
    for name in _names(output):
        folder = version_folder(output, name)
        try:
            version = _written_here(output, name)
        except OutputError:  # somebody else's
            continue
        if version is None:
            continue
        candidate = str(version.manifest.get("candidate", ""))
        found.append(ListedVersion(name, folder, version.manifest, name == now, candidate))
    return found


def unlisted_versions(output: str) -> dict[str, str]:
    """The versions that list_versions leaves out, {name: reason}: a manifest that cannot be read, or a copy.

    A folder with a damaged manifest may be somebody else's. A folder without a manifest counts only as the current
    version.
    """
    found = {}
    for name in _names(output):
        try:
            _written_here(output, name)
        except OutputError as problem:
            why = str(problem).partition("; ")[0]  # without the advice, which is for a current version
            found[name] = f"left alone: {why}; if it is a version of this output, delete its folder by hand"
    current = _current_or_none(output)
    if current is not None:
        name = str(current["version"])
        try:
            if read_version(version_folder(output, name)) is None:
                found[name] = f"current; damaged: {MANIFEST} is missing"
        except OutputError:
            found[name] = f"current; damaged: {MANIFEST} is not what was written"
    return found


def _written_here(output: str, name: str) -> Version | None:
    """The version with this name; None without a manifest.

    Raises OutputError for a damaged manifest, and for another version's manifest: that is somebody's copy, which we do
    not delete.
    """
    version = read_version(version_folder(output, name))
    if version is not None and (of := version.manifest.get("version", name)) != name:
        raise OutputError(f"{storage.join(version.folder, MANIFEST)}: is a copy of that of version {of}; promote {of}")
    return version


def problem_of(folder: str, manifest: dict[str, Any]) -> str:
    """A text that names a missing or cut file of a version; "" when every file is there with its size."""
    for table, files in manifest["files"].items():
        sizes = storage.file_sizes(storage.join(folder, table))
        for file in files:
            if sizes.get(file["file"]) != file["size"]:
                return f"{table}/{file['file']} is missing or cut"
    if artefacts := manifest.get(ARTEFACTS):
        sizes = storage.file_sizes(storage.join(folder, ARTEFACTS))
        for name, about in artefacts.items():
            if sizes.get(name) != about["size"]:
                return f"{ARTEFACTS}/{name} is missing or cut"
    return ""


def changed_file(folder: str, manifest: dict[str, Any]) -> str:
    """A text that names a file with another footer than was written; "" = none. Reads the end of every file."""
    for table, files in manifest["files"].items():
        for file in files:
            try:
                whole = footer_of(storage.join(folder, table, file["file"])) == (file["size"], file["crc32"])
            except (FileNotFoundError, OutputError):
                whole = False
            if not whole:
                return f"{table}/{file['file']} is not what was written"
    return ""


def prune(output: str, claim: Claim, keep: int, before: str = "") -> list[str]:
    """Delete old versions; return their names.

    Of the versions before the current one that were current once, `keep` - 1 stay: the one that was current `before`
    this promotion, because readers may still use it, and the newest ones. Newer versions that were current once stay.
    Candidates are pruned by prune_candidates.
    """
    current = read_current(output)
    now = 0 if current is None else int(current["version"])
    versions = list_versions(output)
    older = [version for version in versions if not version.candidate and int(version.name) < now]
    older.sort(key=lambda version: version.name == before)  # it counts as the newest
    made_from = next((version.fingerprints for version in versions if version.current), {})
    # An older version with the same fingerprints was damaged: the current one replaces it.
    replaced = {version.name for version in older if made_from and version.fingerprints == made_from}
    return _delete_but(output, claim, older, keep - 1, replaced) + prune_candidates(output, claim, keep)


def prune_candidates(output: str, claim: Claim, keep: int) -> list[str]:
    """Delete all but the newest `keep` candidates that were held back or never promoted; return their names."""
    candidates = [version for version in list_versions(output) if version.candidate and not version.current]
    return _delete_but(output, claim, [version for version in candidates if version.candidate != WRITING], keep)


def _delete_but(
    output: str, claim: Claim, versions: list[ListedVersion], keep: int, replaced: Collection[str] = ()
) -> list[str]:
    """Delete all versions before the last `keep` that are complete and not replaced; return their names."""
    whole = [version.name for version in versions if version.name not in replaced and not version.problem]
    kept = set(whole[max(0, len(whole) - keep) :])
    first = next((at for at, version in enumerate(versions) if version.name in kept), len(versions))
    dropped = sorted(versions[:first], key=lambda version: int(version.name))
    for version in dropped:
        delete_version(output, claim, version)
    return [version.name for version in dropped]


def delete_unfinished(output: str, claim: Claim) -> list[str]:
    """Delete versions that no run will finish, or whose deletion was interrupted; return their names.

    Also delete a tombstone in the current version: a run that lost its claim while it deleted may have left it.
    """
    for version in list_versions(output):
        if version.current and version.deleting:
            claim.check()
            deletion.delete_own_file(storage.join(version.folder, TOMBSTONE), output)
    dropped = [version for version in unfinished(output) if int(version.name) < claim.term]
    for version in dropped:
        delete_version(output, claim, version)
    return [version.name for version in dropped]


def unfinished(output: str) -> list[ListedVersion]:
    """Versions that a run is writing, or died while writing, and versions whose deletion was interrupted."""
    left = [version for version in list_versions(output) if not version.current]
    return [version for version in left if version.candidate == WRITING or version.deleting]


def named(output: str, number: str) -> str:
    """The name of the version with this number. Raises OutputError when there is none."""
    names = [version.name for version in list_versions(output)]
    name = number.lstrip("0").zfill(6)
    if name not in names:
        there = ", ".join(names) or "none"
        raise OutputError(f"{output}: has no version {number}; its versions are {there}")
    return name


def two_versions(output: str, numbers: Sequence[str] = ()) -> tuple[Version, Version]:
    """Two versions of an output, the older one first. numbers: their numbers; () = the current one and the one before.

    The version before is the newest one that was current once and is complete. Raises OutputError when one is missing.
    """
    uri = storage.absolute_uri(output).rstrip("/")
    current = read_current(uri)
    if numbers:
        names = [named(uri, number) for number in numbers]
    elif current is None:
        raise OutputError(f"{output}: no version is current; name two versions: w2vspark versions {output}")
    elif (before := earlier_version(uri, current)) is None:
        raise OutputError(f"{output}: has no version before the current one that could be compared with it")
    else:
        names = [before, str(current["version"])]
    found = [read_version(version_folder(uri, name)) for name in names]
    for name, version in zip(names, found, strict=True):
        if version is None:
            raise OutputError(f"{output}: version {name} was deleted meanwhile; see w2vspark versions {output}")
    old, new = (version for version in found if version is not None)
    return old, new


def delete_version(output: str, claim: Claim, version: ListedVersion) -> None:
    """Delete the files that a version's manifest lists, then the manifest. Raises OutputError for the current one."""
    folder = version_folder(output, version.name)
    if link := deletion.first_link(folder, output):
        get_logger().warning(key_values(event="not_deleted", folder=folder, link=link))
        return
    claim.check()
    storage.write_text(storage.join(folder, TOMBSTONE), _json({"by": claim.run_id}))
    claim.check()
    current = read_current(output)
    if current is not None and str(current["version"]) == version.name:
        storage.delete_file(storage.join(folder, TOMBSTONE))
        raise OutputError(f"{folder}: is the current version, which is never deleted")
    delete_files(output, folder, version.manifest)


def delete_files(output: str, folder: str, manifest: dict[str, Any]) -> None:
    """Delete the files that a version's manifest lists, and the manifest."""
    for table, files in manifest["files"].items():
        deletion.delete_named(storage.join(folder, table), [file["file"] for file in files], output)
    if artefacts := manifest.get(ARTEFACTS):
        deletion.delete_named(storage.join(folder, ARTEFACTS), list(artefacts), output)
    ours = [name for name in storage.list_names(folder) if _OUR_FILES.fullmatch(name)]
    for name in sorted(ours):  # the manifest last, because it lists the others
        deletion.delete_own_file(storage.join(folder, name), output)
    deletion.delete_named(folder, [], output)


def _current_or_none(output: str) -> dict[str, Any] | None:
    """Like read_current, but None for a damaged file too: the next promotion replaces it."""
    try:
        return read_current(output)
    except OutputError as damage:
        get_logger().warning(key_values(event="damaged", problem=damage))
        return None


def _names(output: str) -> list[str]:
    names = storage.list_folders(storage.join(output, VERSIONS))
    return sorted((name for name in names if NAME.fullmatch(name)), key=int)


def write_manifest(folder: str, manifest: dict[str, Any]) -> None:
    """Create or replace a version's manifest in one step."""
    storage.write_text(storage.join(folder, MANIFEST), _json(manifest))


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
