"""The command line.

The scripts for spark-submit call it too: jobs/train.py is `w2vspark run`, and jobs/job.py NAME is `w2vspark NAME`.
"""

import argparse
import sys
import textwrap
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from w2vspark import __version__
from w2vspark.base.errors import GateFailed, W2VSparkError
from w2vspark.base.terminated import Terminated, sigterm_raises
from w2vspark.cli.configurations import add_configuration_commands
from w2vspark.cli.documents import add_document_commands
from w2vspark.cli.judging import add_judging_commands
from w2vspark.cli.phrases import add_phrase_command
from w2vspark.cli.printing import write_json
from w2vspark.cli.queries import add_query_commands
from w2vspark.cli.report import add_report_command
from w2vspark.cli.versions import add_version_commands
from w2vspark.cli.works import add_job_commands, add_listing_commands, add_run_command, add_setup_commands
from w2vspark.config.values import closest

ABOUT = "Train vectors of words and documents on Spark, and use them. Begin with: w2vspark demo"
EXIT_CODES = """exit codes: 0 done, or nothing to do; 1 unexpected failure (a bug: please report it);
2 wrong command line or configuration; 3 input missing, empty or malformed; 4 output folder in use, not made by
w2vspark, or without a model; 5 Java, Spark, storage or an executor failed or is not suitable; 6 training failed; 7 the
corpus or the new version did not pass the gate; 130 interrupted; 143 terminated (SIGTERM)"""
# The groups of commands in --help. The jobs follow `run`.
GROUPS = {
    "make": ("run", "demo"),
    "look": ("similar", "analogy", "evaluate", "compare", "probe", "search", "phrases", "report"),
    "keep": ("versions", "promote", "rollback", "clean"),
    "tools": ("export", "config", "methods", "jobs", "warm-up"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    return _call(make_parser(given), given)


def make_parser(given: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The parser of all commands. given: the arguments; if they name another command, jobs are left out."""
    parser = Parser(
        prog="w2vspark",
        usage="w2vspark COMMAND …   (w2vspark COMMAND --help shows its options)",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"w2vspark {__version__}", help="show the version")
    commands = parser.add_subparsers(
        prog="w2vspark", required=True, metavar="COMMAND", help=argparse.SUPPRESS, parser_class=argparse.ArgumentParser
    )
    add_run_command(commands, EXIT_CODES)
    add_setup_commands(commands)
    add_listing_commands(commands)
    add_configuration_commands(commands)
    add_query_commands(commands)
    add_judging_commands(commands, EXIT_CODES)
    add_phrase_command(commands)
    add_document_commands(commands)
    add_report_command(commands)
    add_version_commands(commands)
    # The jobs' modules need Spark, which takes a while to load.
    if not given or given[0] not in {*commands.choices, "--version"}:
        add_job_commands(commands, EXIT_CODES)
    for command in _leaves(commands.choices.values()):
        command.add_argument("--json", action="store_true", help="print one JSON object on one line")
    parser.commands = commands.choices
    helps = {action.dest: action.help or "" for action in commands._choices_actions}
    parser.description = f"{ABOUT}\n\n{grouped(helps)}"
    parser.epilog = textwrap.fill(" ".join(EXIT_CODES.split()), 80, subsequent_indent="  ")
    return parser


class Parser(argparse.ArgumentParser):
    """Says what to write instead of what is not understood."""

    commands: Mapping[str, argparse.ArgumentParser] = {}

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse as argparse does. Ends the program with exit code 2 on a wrong command line."""
        given = list(args or [])
        if given and not given[0].startswith("-") and given[0] not in self.commands:
            hint = closest(given[0], list(self.commands)) or "; w2vspark --help lists the commands"
            self.error(f"{given[0]}: there is no such command{hint}")
        parsed, rest = self.parse_known_args(given, namespace)
        bare = next((text for text in getattr(parsed, "overrides", []) if "=" not in text), None)
        of_command = self.commands.get(given[0] if given else "", self)
        if bare is not None and (rest or getattr(parsed, "config", None)):  # argparse takes the value for a file
            of_command.error(f"--set {bare}: write key and value as one word, as in --set {bare}=VALUE")
        if rest:
            of_command.error(f"unrecognized arguments: {' '.join(rest)}{_hint(rest, of_command)}")
        return parsed


def _leaves(parsers: Iterable[argparse.ArgumentParser]) -> Iterator[argparse.ArgumentParser]:
    """The parsers of commands that have no commands of their own."""
    for parser in parsers:
        inner = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        yield from _leaves(chain.from_iterable(one.choices.values() for one in inner)) if inner else [parser]


def _hint(rest: Sequence[str], command: argparse.ArgumentParser) -> str:
    """What the user may have meant. rest: the words that are not understood."""
    option = next((word for word in rest if word.startswith("--")), None)
    options = [text for action in command._actions for text in action.option_strings]
    if option is not None and "--set" in options:
        return closest(option, options) or "; a setting is given as --set TABLE.KEY=VALUE"
    if option is not None:
        return closest(option, options)
    return (
        "; put quotes around a value with spaces, as in --set 'phrases.thresholds=[100, 50]'" if "]" in rest[-1] else ""
    )


def grouped(helps: Mapping[str, str]) -> str:
    """The commands in groups, each with a line of help. helps: the help of every command."""
    jobs = [name for name in helps if not any(name in names for names in GROUPS.values())]
    lines = []
    for group, (first, *others) in GROUPS.items():
        names = [first, *(jobs if group == "make" else []), *others]
        lines += [f"{group}:", *(f"  {name:<10}{helps[name]}" for name in names if name in helps)]
    return "\n".join(lines)


def _call(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    """Parse, run the handler, and turn its error into one message and an exit code."""
    parsed = parser.parse_args(arguments)
    try:
        with sigterm_raises():
            return int(parsed.handler(parsed))
    except W2VSparkError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"w2vspark: error: {line}\n")
        facts = error.facts if isinstance(error, GateFailed) else {}
        return _failed(parsed, str(error), error.exit_code, facts)
    except Terminated as end:
        sys.stderr.write("w2vspark: terminated; the same command goes on after the last complete round\n")
        return _failed(parsed, "terminated", end.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("\nw2vspark: interrupted; the same command goes on after the last complete round\n")
        return _failed(parsed, "interrupted", 130)
    except BrokenPipeError:  # the reader of our output has closed it
        sys.stderr.close()
        return 0
    except Exception as error:
        traceback.print_exc()
        sys.stderr.write("w2vspark: error: unexpected failure, see above; the published versions are unchanged\n")
        return _failed(parsed, f"unexpected failure: {error!r}", 1)


def _failed(parsed: argparse.Namespace, text: str, code: int, facts: Mapping[str, Any] = MappingProxyType({})) -> int:
    """With --json, write the error as an object; returns the exit code."""
    if parsed.json:
        write_json({"error": text, "exit_code": code, **facts})
    return code
