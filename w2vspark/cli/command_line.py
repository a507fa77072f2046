"""The command line: w2vspark run, demo, warm-up; similar, analogy, evaluate, probe, export, search; fold; versions, …

spark-submit's scripts share `run` and `fold`.
"""

import argparse
import sys
import traceback
from collections.abc import Sequence

from w2vspark import __version__
from w2vspark.base import log
from w2vspark.base.errors import W2VSparkError
from w2vspark.base.terminated import Terminated, sigterm_raises
from w2vspark.cli.documents import add_fold_options, add_lsa_commands, handle_fold
from w2vspark.cli.queries import add_query_commands
from w2vspark.cli.versions import add_version_commands

EXIT_CODES = """exit codes: 0 done, or nothing to do; 1 unexpected failure (a bug: please report it);
2 wrong command line or configuration; 3 input missing, empty or malformed; 4 output folder in use, not ours or
without a model; 5 Java, Spark, storage or an executor does not fit; 6 training failed; 130 interrupted;
143 terminated (SIGTERM)"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="w2vspark", description=__doc__, epilog=EXIT_CODES)
    parser.add_argument("--version", action="version", version=f"w2vspark {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="make vectors from text, as a configuration says", epilog=EXIT_CODES)
    run.add_argument("config", nargs="?", help="TOML file; without one the defaults stand")
    add_run_options(run)
    run.set_defaults(handler=run_command)
    demo = commands.add_parser("demo", help="vectors from the documentation of Python's standard library")
    demo.add_argument("folder", nargs="?", default="demo-output", help="where the corpus and tables go (demo-output)")
    demo.add_argument("--verbose", action="store_true", help="log everything")
    demo.set_defaults(handler=demo_command)
    warm_up = commands.add_parser(
        "warm-up", help="once: compile the kernels and keep Spark's loaded classes, so that local runs start faster"
    )
    warm_up.set_defaults(handler=warm_up_command)
    add_query_commands(commands)
    add_lsa_commands(commands)
    add_version_commands(commands)
    return call(parser, arguments)


def run_job(arguments: Sequence[str] | None = None) -> int:
    """The entry of spark-submit's job scripts: the same options as `w2vspark run`, the file as --config."""
    parser = argparse.ArgumentParser(description="vectors from text, as a configuration says", epilog=EXIT_CODES)
    parser.add_argument("--config", help="TOML file; without one the defaults stand")
    add_run_options(parser)
    parser.set_defaults(handler=run_command)
    return call(parser, arguments)


def fold_job(arguments: Sequence[str] | None = None) -> int:
    """The entry of spark-submit's fold script: the same options as `w2vspark fold`."""
    parser = argparse.ArgumentParser(description="vectors of new documents, in an lsa run's space", epilog=EXIT_CODES)
    parser.add_argument("output", metavar="RUN", help="the output folder of the lsa run")
    add_fold_options(parser)
    parser.set_defaults(handler=handle_fold)
    return call(parser, arguments)


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Options of a run, the same on the command line and for spark-submit."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", dest="overrides",
        help="a setting over the file's, as in training.dimensions=300",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print configuration, plan and memory needed, and stop")
    parser.add_argument(
        "--from", metavar="STAGE", dest="force_from", help="make this stage's table and what follows again"
    )
    parser.add_argument(
        "--until", metavar="STAGE", help="make this stage's table and what it needs, in staging, and publish nothing"
    )
    parser.add_argument(
        "--hold", action="store_true", help="leave the new version a candidate, for a later w2vspark promote"
    )
    parser.add_argument("--verbose", action="store_true", help="log everything")


def call(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
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


def run_command(arguments: argparse.Namespace) -> int:
    """`w2vspark run`."""
    from w2vspark.config.config import load_config
    from w2vspark.flow.report import dry_run, report, report_tables

    log.configure(arguments.verbose)
    config = load_config(arguments.config, arguments.overrides)
    if arguments.dry_run:
        write(dry_run(config, arguments.force_from, arguments.until, arguments.hold))
        return 0
    from w2vspark.flow.progress import Progress
    from w2vspark.methods.pipeline import run_flow

    run = run_flow(config, Progress(), arguments.force_from, arguments.until, arguments.hold)
    write(report_tables(run) if arguments.until not in (None, "vectors") else report(run))
    return 0


def demo_command(arguments: argparse.Namespace) -> int:
    """`w2vspark demo`."""
    from w2vspark.cli.demo import demo

    log.configure(arguments.verbose)
    write(demo(arguments.folder))
    return 0


def warm_up_command(_arguments: argparse.Namespace) -> int:
    """`w2vspark warm-up`."""
    from w2vspark.cli.warm_up import warm_up

    write(warm_up())
    return 0


def write(text: str) -> None:
    """To standard output: what the command was called for. The log goes to standard error."""
    sys.stdout.write(text)


if __name__ == "__main__":
    sys.exit(main())
