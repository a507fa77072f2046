"""The command line: run and the jobs; methods, jobs; similar, analogy, evaluate, probe, search, export; versions, ….

spark-submit's scripts call it too: jobs/train.py is `w2vspark run`, jobs/job.py NAME is `w2vspark NAME`.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence

from w2vspark import __version__
from w2vspark.base.errors import W2VSparkError
from w2vspark.base.terminated import Terminated, sigterm_raises
from w2vspark.cli.documents import add_document_commands
from w2vspark.cli.queries import add_query_commands
from w2vspark.cli.versions import add_version_commands
from w2vspark.cli.works import add_job_commands, add_listing_commands, add_run_command, add_setup_commands

ABOUT = (
    "Train vectors of words and documents on Spark; query, export and manage what was published. Begin with: w2vspark "
    "demo. Every command has --help."
)
EXIT_CODES = """exit codes: 0 done, or nothing to do; 1 unexpected failure (a bug: please report it);
2 wrong command line or configuration; 3 input missing, empty or malformed; 4 output folder in use, not ours or
without a model; 5 Java, Spark, storage or an executor does not fit; 6 training failed; 130 interrupted;
143 terminated (SIGTERM)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog="w2vspark", description=ABOUT, epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"w2vspark {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_run_command(commands, EXIT_CODES)
    add_setup_commands(commands)
    add_listing_commands(commands)
    add_query_commands(commands)
    add_document_commands(commands)
    add_version_commands(commands)
    # The jobs' modules need Spark, which takes a while to load.
    if not given or given[0] not in {*commands.choices, "--version"}:
        add_job_commands(commands, EXIT_CODES)
    return _call(parser, given)


def _call(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> int:
    """Parse, run the handler, and turn what it raises into one message and an exit code."""
    parsed = parser.parse_args(arguments)
    try:
        with sigterm_raises():
            return int(parsed.handler(parsed))
    except W2VSparkError as error:
        for line in str(error).splitlines():
            sys.stderr.write(f"w2vspark: error: {line}\n")
        return error.exit_code
    except Terminated as end:
        sys.stderr.write("w2vspark: terminated; the same command goes on from the last whole round\n")
        return end.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nw2vspark: interrupted; the same command goes on from the last whole round\n")
        return 130
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 0
    except Exception:
        traceback.print_exc()
        sys.stderr.write("w2vspark: error: unexpected failure, see above; what was published before is unharmed\n")
        return 1
