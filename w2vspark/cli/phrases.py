"""The command phrases, which helps to choose thresholds. It does not start Spark."""

import argparse
from typing import Any

from w2vspark.base.errors import ConfigError, OutputError
from w2vspark.cli.printing import table_lines, write_json, write_text
from w2vspark.cli.queries import add_command, positive

TO_CHOOSE = """To choose phrases.thresholds: raise the threshold of a pass if pairs just above it are not phrases;
lower it if pairs just below it are phrases."""
TITLES = (
    ("best", "best pairs"),
    ("last", "just above the threshold (joined)"),
    ("below", "just below the threshold (not joined)"),
)
MOST = 20  # that a run keeps of each
COUNT_THEM = "count them with: w2vspark run … --set 'phrases.thresholds=[100]' --until phrases"


def add_phrase_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command, which sets `handler`, a function (arguments) -> exit code, by set_defaults."""
    phrases = add_command(subparsers, "phrases", "show phrases, to choose phrases.thresholds", handle_phrases)
    phrases.description = (
        "For each pass over the text: the best pairs, those just above the threshold, and those just below it, which "
        "are not joined. Needs a run with phrases.thresholds."
    )
    phrases.add_argument("--top", metavar="N", type=positive, default=10, help="how many of each kind (10, at most 20)")


def handle_phrases(arguments: argparse.Namespace) -> int:
    """Print for each pass the best phrases, and the pairs just above and just below the threshold."""
    if arguments.top > MOST:
        raise ConfigError(f"--top {arguments.top}: a run keeps at most {MOST} pairs of each kind; give {MOST} or fewer")
    passes, where = read_passes(arguments.output)
    if arguments.json:
        return write_json({"passes": [_cut(of_pass, arguments.top) for of_pass in passes]})
    lines = [f"{where}\n"]
    for number, of_pass in enumerate(passes, 1):
        shown = _cut(of_pass, arguments.top)
        lines.append(f"pass {number}: {of_pass['found']:,} phrases score above {of_pass['threshold']:g}\n")
        for kind, title in TITLES:
            rows = [(f"  {row['phrase']}", f"{row['score']:,.4g}", f"{row['count']:,}") for row in shown[kind]]
            lines.append(table_lines([title, "score", "count"], rows) if rows else f"{title}: none\n")
    return write_text("".join([*lines, f"\n{TO_CHOOSE}\n"]))


def read_passes(output: str) -> tuple[list[dict[str, Any]], str]:
    """The records of all passes: from staging if it has phrases, else from the current version.

    Raises OutputError if the folder was not made by w2vspark, or has no phrases.
    """
    from w2vspark import storage
    from w2vspark.output.marker import check_ours
    from w2vspark.output.publish import find_version
    from w2vspark.output.staging import Staging

    uri = storage.absolute_uri(output)
    version = find_version(uri)
    if version is None or version.folder != uri.rstrip("/"):
        check_ours(uri)
        record = Staging(uri).newest_record("phrases")
        if record is not None and "passes" in record:  # records before 0.4 have no examples
            return list(record["passes"]), f"{output}: as counted last"
    if version is None or not version.manifest.get("phrases"):
        raise OutputError(f"{output}: has no phrases; {COUNT_THEM}")
    return list(version.manifest["phrases"]), f"{output}: as published in version {version.name}"


def _cut(of_pass: dict[str, Any], most: int) -> dict[str, Any]:
    return of_pass | {"best": of_pass["best"][:most], "last": of_pass["last"][-most:], "below": of_pass["below"][:most]}
