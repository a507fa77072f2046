"""The command report: a page about the current version, or about an old one. It does not start Spark."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2vspark.base.errors import ConfigError, OutputError
from w2vspark.cli.printing import answer
from w2vspark.cli.queries import add_command

if TYPE_CHECKING:
    from w2vspark.output.publish import Version


def add_report_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command; it sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    report = add_command(subparsers, "report", "write a page to look at: neighbours, map, drift, scores", handle_report)
    report.add_argument("--out", metavar="FILE", required=True, help="the local HTML file to write")
    report.add_argument(
        "--compare",
        metavar="VERSION",
        help="the number of the version to compare with (the newest earlier one that was current)",
    )
    report.add_argument("--overwrite", action="store_true", help="replace FILE if it exists")


def handle_report(arguments: argparse.Namespace) -> int:
    """Write the report of a version, and print its size and what it compares."""
    from w2vspark.output.publish import resolve
    from w2vspark.report import make_map, make_report

    target = _target(arguments.out, arguments.overwrite)
    version = resolve(arguments.output)
    previous = _previous(version, arguments.compare)
    with version.reading("run the command again"):
        page = make_report(version, previous, make_map(version), _defaults(version))
    _write(target, page)
    with_other = f", compared with version {previous.name}" if previous is not None else ""
    value = {
        "file": arguments.out,
        "bytes": len(page),
        "version": version.name,
        "compared_with": previous.name if previous is not None else None,
    }
    text = f"{arguments.out}: version {version.name}{with_other}, {len(page) / 1e6:.1f} MB\n"
    return answer(arguments, value, lambda: text)


def _previous(version: "Version", number: str | None) -> "Version | None":
    """The version to compare with. number: None = the newest earlier version that was current once and is whole."""
    from w2vspark import storage
    from w2vspark.output.publish import VERSIONS, read_version
    from w2vspark.output.versions import list_versions, named, version_folder

    folder = storage.parent(version.folder)
    output = storage.parent(folder)
    if folder.rpartition("/")[2] != VERSIONS:  # a copy, which has no versions beside it
        if number is None:
            return None
        raise OutputError(f"{version.folder}: is not in an output folder, so it has no version {number} beside it")
    if number is None:
        earlier = (other for other in reversed(list_versions(output)) if int(other.name) < int(version.name))
        found = next((other for other in earlier if not other.candidate and not other.problem), None)
        return read_version(found.folder) if found is not None else None
    name = named(output, number)
    if name == version.name:
        raise ConfigError(f"--compare {number}: is the version that the report is about; name another one")
    return read_version(version_folder(output, name))


def _defaults(version: "Version") -> dict[str, Any]:
    """The settings of the version's method at their defaults; {} for a method that this release does not have."""
    from w2vspark.cli.reference import default_config
    from w2vspark.config.config import to_dict
    from w2vspark.methods import METHODS

    made_by = version.manifest.get("method") or version.manifest.get("config", {}).get("training", {}).get("method")
    return to_dict(default_config(METHODS[made_by])) if made_by in METHODS else {}


def _target(path: str, overwrite: bool) -> Path:
    """The file to write. Raises ConfigError or OutputError when it is not local, a folder, or there already."""
    if "://" in path:
        raise ConfigError(
            f"--out {path}: a report is written to a local file; give a local path and copy it afterwards"
        )
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it")
    if target.exists() and not overwrite:
        raise OutputError(f"{path} is there already: give another name, or overwrite it with --overwrite")
    return target


def _write(target: Path, page: bytes) -> None:
    """Write the file under a temporary name in its folder, then rename it. Raises OutputError when that fails."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(page)
        temporary.replace(target)
    except OSError as error:
        why = f"cannot be written ({error.strerror}): give a file in a folder you may write"
        raise OutputError(f"{target} {why}") from error
    finally:
        temporary.unlink(missing_ok=True)
