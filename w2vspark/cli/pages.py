"""Reference pages that are made from the code: the commands, the published tables, the exit codes."""

import argparse
import inspect
from collections.abc import Iterable, Iterator, Mapping

import pyarrow as pa

from w2vspark.base import errors
from w2vspark.base.errors import W2VSparkError
from w2vspark.base.schemas import schema_version
from w2vspark.config.config import Config
from w2vspark.flow.work import Artefact, Table, Work
from w2vspark.output.marker import FORMAT, MARKER

GENERATED = "<!-- made by `make reference` from the code; edit the lines there -->"
NAME, HELP = "w2vspark", ("-h", "--help")

# What a column holds, by its name; under "table.column" where a table's column holds something else.
COLUMNS = {
    "id": "the word's number in this version, from 0 on; 0 is the most frequent word, but for kept ids",
    "word": "the word",
    "count": "how often the corpus has it; after a warm start, how often both corpora have it",
    "vector": "as many numbers as `training.dimensions`",
    "bucket": "the hash of a character n-gram, from 0 to `subwords.buckets` - 1",
    "matrix": "`words`, or the matrix of the output side",
    "adagrad.id": "the row of that matrix",
    "squares": "the sum of the row's squared gradients",
    "cosine": "between the word's old and new vector, after the rotation that brings both models closest",
    "distance": "between the two, after that rotation",
    "pass": "the pass over the text, from 1 on",
    "left": "the first word",
    "between": "connector words between the two; mostly empty",
    "right": "the second word",
    "phrases.count": "how often the pair occurs",
    "score": "the pair's score, as `phrases.scoring` says",
    "round": "the round, from 1 on",
    "shard": "the shard, from 0 on",
    "tokens": "what the shard trained on in this round",
    "loss": "the mean loss",
    "seconds": "in the training calls",
    "learning_rate": "at the end of the round",
    "nodes.id": "the node's number; the root has the highest",
    "nodes": "the inner nodes on the path to the word, from the root on",
    "code": "the branch that the path takes at each of these nodes: 0 or 1",
    "bias": "of the word",
    "context_bias": "of the word as a context",
    "row": "the word's id",
    "col": "the id of the word near it",
    "cooccurrences.weight": "the sum over all places where the two stand near each other, by their distance",
    "dimension": "from 0 on",
    "value": "the singular value",
    "doc_id": "the document's id: of `input.id_column`, or else a hash of its content",
    "documents": "how many documents have the word",
    "term_weights.weight": "the weight of the word in a document",
    "reason": "why it has no vector",
    "x": "the place on the map, without a unit: words with similar vectors are near each other",
    "y": "as `x`, upwards",
    "map.cluster": "the word's cluster on the map, from 0 on; 0 is the largest; null for a word without a vector",
    "task": "the test set's name, or what the figure is about: `vectors`, `neighbours`, `vocabulary` or `corpus`",
    "metric": "what was measured, as [the guide](../guides/quality-gate.md) tells",
    "scores.value": "the figure; null if it could not be measured",
    "covered": "the rows, words or documents that the figure is about",
    "total": "all rows, words or documents; `covered` may be fewer",
    "threshold": "from the table `[gate]`; null if it has none",
    "passed": "whether the figure passed; null without a threshold",
    "drift.id": "the word's number in the newer version",
    "drift.count": "its count in the newer version",
    "old_id": "its number in the older version",
    "old_count": "its count in the older version",
    "name": "the URI of a file; or of a folder, with `/*` and the day of its small files",
    "identity": "a hash of the names, sizes and times of its files",
    "words": "it was encoded with the words whose `id` is less than this",
    "units.tokens": "how many of its words these were",
    "shared_neighbours": "the share of its 10 nearest neighbours that are the same; null but for 1,000 frequent words",
    "cluster": "the cluster's number, from 0 on; null for a word without a vector (all zeros)",
    "centroids.cluster": "the cluster's number, from 0 on",
    "clusters.cosine": "between the word's vector and its cluster's centroid; null as `cluster`",
    "size": "how many words the cluster has",
    "label": "the words nearest to the centroid, joined by commas",
    "centroids.vector": "the centroid, the direction of the sum of its words' unit vectors; its length is 1",
}

# What a retry of the same command can do, by exit codes.
ENDS = {
    0: ("The command did its work, or found nothing to do.", "It is not needed: it finds what is there."),
    130: (
        "Somebody pressed Ctrl-C.",
        "The same command goes on after the last complete round.",
    ),
    143: (
        "The process got SIGTERM, as from a scheduler.",
        "The same command goes on after the last complete round.",
    ),
}
RETRIES = {
    1: "It may, after a failure of the machine. If it happens again it is a bug: please report it.",
    2: "No. Correct the command line or the configuration; every mistake is listed, with its fix.",
    3: "No, until the input is mended, or has arrived.",
    4: "Yes, where another run held the folder: once that run has ended. Else do what the message says.",
    5: "Yes, where a machine or a store failed for a while. No, where Java, Spark or a package does not fit.",
    6: "No: the same input and settings give the same result. The message names the setting to change.",
    7: "No: the message names what failed, and the key of `[gate]`. `promote` makes the candidate current anyway.",
}
# A scheduler's rule: codes after which it tries the same command again, and those after which it stops.
RETRY, STOP = (1, 4, 5, 130, 143), (2, 3, 6, 7)


def exit_codes_page() -> str:
    """docs/reference/exit-codes.md: each code, when a command ends with it, and what a retry can mend."""
    lines = ["# Exit codes", "", GENERATED, ""]
    lines += ["Every command ends with one of these codes. A retry is the same command again, unchanged.", ""]
    lines += ["| code | when | error in Python | does a retry help? |", "| --- | --- | --- | --- |"]
    for code, (when, retry) in ENDS.items():
        if code == 0:
            lines.append(f"| {code} | {when} | | {retry} |")
    for code, kinds in sorted(_errors().items()):
        first = kinds[0]
        when = "An unexpected failure." if first is W2VSparkError else _sentences(first)
        names = ", ".join(f"`{kind.__name__}`" for kind in kinds)
        lines.append(f"| {code} | {when} | {names} | {RETRIES[code]} |")
    for code, (when, retry) in ENDS.items():
        if code:
            lines.append(f"| {code} | {when} | | {retry} |")
    retry, stop = (", ".join(map(str, codes)) for codes in (RETRY, STOP))
    lines += [
        "",
        f"A scheduler's rule: try again after {retry}; stop after {stop}.",
        "",
        "With `--json`, a command that failed prints an object with `error` and `exit_code`; after 7 also with",
        "`version`, `folder`, `state` and `scores` of the candidate.",
        "",
        "After every code, the version that was published before is as it was. Readers see it until a run has",
        "published the next one. The errors are in `w2vspark.base.errors` ([Python](python.md#errors)).",
        "",
    ]
    return "\n".join(lines)


def _errors() -> dict[int, list[type[W2VSparkError]]]:
    """The errors by their exit codes, each code's own error first."""
    found: dict[int, list[type[W2VSparkError]]] = {}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, W2VSparkError):
            found.setdefault(kind.exit_code, []).append(kind)
    return found


def _sentences(kind: type) -> str:
    return " ".join((inspect.getdoc(kind) or "").split())


def tables_page(works: Iterable[Work], config_of: Mapping[str, Config]) -> str:
    """docs/reference/tables.md: every published table with its columns, and who publishes it.

    config_of: settings of each work at their defaults, by its name.
    """
    tables: dict[str, list[tuple[Work, Table]]] = {}
    files: dict[str, list[tuple[Work, Artefact]]] = {}
    for work in works:
        for one in work.publishes:
            if isinstance(one, Table):
                tables.setdefault(one.name, []).append((work, one))
            else:
                files.setdefault(one.name, []).append((work, one))
    lines = ["# Published tables", "", GENERATED, "", _ABOUT_TABLES, ""]
    for name, of_name in tables.items():
        lines += [f"## {name}", ""]
        by_about: dict[tuple[str, str], list[str]] = {}
        for work, table in of_name:
            by_about.setdefault((table.about, table.when), []).append(f"`{work.name}`")
        for (about, when), names in by_about.items():
            condition = f", where {when}" if when else ""
            lines.append(f"A row is {about}. Published by {', '.join(names)}{condition}.")
            lines.append("")
        columns: dict[str, pa.Field] = {}
        for work, table in of_name:
            for field in table.schema_of(config_of[work.name]):
                columns.setdefault(field.name, field)
        lines += [f"Schema version {schema_version(name)}.", ""]
        lines += ["| column | type | null | what it holds |", "| --- | --- | --- | --- |"]
        for field in columns.values():
            about = COLUMNS.get(f"{name}.{field.name}") or COLUMNS[field.name]
            null = "may be" if field.nullable else "never"
            lines.append(f"| `{field.name}` | `{column_type(field.type)}` | {null} | {about} |")
        lines.append("")
    for name, of_file in files.items():
        makers = ", ".join(f"`{work.name}`" for work, _ in of_file)
        lines += [f"## {name}", "", f"A file: {of_file[0][1].about}. Published by {makers}.", ""]
    return "\n".join(lines)


def column_type(kind: pa.DataType) -> str:
    """A column's type, as people write it."""
    if pa.types.is_list(kind):
        return f"list<{kind.value_type}>"
    return str(kind)


_ABOUT_TABLES = f"""A version's folder has a folder for each table. A table is Parquet files and nothing else.
[The output folder](../explanation/output-folder.md) shows the whole layout, and
[Read the tables](../guides/reading-tables.md) how to read it.

What a reader may rely on:

- A published version never changes. A new run publishes a new version.
- Read columns by their names. A later release may add columns and tables.
- Each table has a schema version, in the manifest under `schema_versions`. A new column at the end keeps the number. A
  column that is removed, or gets another name, type or meaning, raises it. [Upgrade](../guides/upgrading.md) says what
  readers must change. w2vspark reads tables of its own schema version and of older ones, and refuses newer ones with
  exit code 4.
- The order of rows and the number of files may differ between versions. Sort by `id`, or look a word up by `word`.
- `id` belongs to one version: the same word may have another id in the next one. Join two versions by `word`.
- `{MARKER}` has the format of the output folder, now {FORMAT}. A release that finds a higher number refuses the folder
  with exit code 4.

With `glove.vectors = "both"` the table `vectors` has one more column, `context`, of the same type as `vector`."""


def commands_page() -> str:
    """docs/reference/commands.md: every command with its usage, arguments and options."""
    lines = ["# Commands", "", GENERATED, "", _ABOUT_COMMANDS, ""]
    shown = list(_commands(commands()))
    lines += ["| command | what it does |", "| --- | --- |"]
    lines += [f"| [`{name}`](#{name.replace(' ', '-')}) | {about} |" for name, about, _ in shown]
    lines.append("")
    for name, about, parser in shown:
        lines += [f"## {name}", "", f"{about[:1].upper()}{about[1:]}.", ""]
        lines += ["```text", *_usage(name, parser), "```", ""]
        rows = [row for action in parser._actions if (row := _row(action))]
        if rows:
            lines += ["| argument | what it is |", "| --- | --- |", *rows, ""]
    return "\n".join(lines)


_ABOUT_COMMANDS = (
    "`w2vspark COMMAND --help` prints the same on the terminal. Answers go to standard output, the log to\n"
    "standard error. [Exit codes](exit-codes.md) say how a command ended. Under spark-submit `jobs/train.py` takes\n"
    "the arguments of `run`, and `jobs/job.py NAME` those of a job."
)


def commands() -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """The commands with their parsers, those of the jobs too."""
    from w2vspark.cli.command_line import make_parser

    return next(action for action in make_parser()._actions if isinstance(action, argparse._SubParsersAction))


def _commands(
    of: "argparse._SubParsersAction[argparse.ArgumentParser]", before: str = ""
) -> Iterator[tuple[str, str, argparse.ArgumentParser]]:
    """The name, help and parser of each command. A command that has commands of its own is replaced by them."""
    helps = {choice.dest: choice.help or "" for choice in of._choices_actions}
    for name, parser in of.choices.items():
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if inner:
            for action in inner:
                yield from _commands(action, f"{before}{name} ")
        else:
            yield f"{before}{name}", helps.get(name) or parser.description or "", parser


def _usage(name: str, parser: argparse.ArgumentParser) -> list[str]:
    """The lines of a command's usage. Unlike argparse's they depend on no version of Python and no terminal's width."""
    parts = []
    for action in parser._actions:
        if action.option_strings and action.option_strings[-1] not in HELP:
            value = f" {_value(action)}" if action.nargs != 0 else ""
            shown = f"{action.option_strings[-1]}{value}"
            parts.append(shown if action.required else f"[{shown}]")
    for action in parser._actions:
        if not action.option_strings:
            parts.append(_positional(action))
    lines, line = [], f"{NAME} {name}"
    for part in parts:
        if len(line) + len(part) > 76:
            lines.append(line)
            line = " " * 4
        line += f" {part}"
    return [*lines, line]


def _positional(action: argparse.Action) -> str:
    shown = _value(action)
    return {"?": f"[{shown}]", "+": f"{shown} …", "*": f"[{shown} …]"}.get(str(action.nargs), shown)


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return "{" + ",".join(map(str, action.choices)) + "}"
    shown = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    return f"{shown} …" if action.option_strings and action.nargs == "+" else shown


def _row(action: argparse.Action) -> str:
    if action.option_strings and action.option_strings[-1] in HELP:
        return ""
    name = ", ".join(action.option_strings) or (action.metavar if isinstance(action.metavar, str) else action.dest)
    if action.option_strings and action.nargs != 0:
        name += f" {_value(action)}"
    elif not action.option_strings and action.choices is not None:
        name += f" {_value(action)}"
    return f"| `{name}` | {(action.help or '').replace('|', chr(92) + '|')} |"
