"""The commands that start Spark (run, demo, warm-up, and one for each job), and the lists methods and jobs."""

import argparse
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2vspark.base import log
from w2vspark.base.errors import ConfigError, W2VSparkError
from w2vspark.cli.printing import answer
from w2vspark.output.settings import OutputConfig

if TYPE_CHECKING:
    from w2vspark.api import Result
    from w2vspark.config.config import Config
    from w2vspark.flow.work import Command, Work

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

CONFIG = "a TOML file, or a ready-made configuration (w2vspark config list); without it, all defaults"


def add_run_command(commands: "Commands", epilog: str) -> None:
    """Add `run`, which trains with any method."""
    about = "train a model on your text"
    example = "as in: w2vspark run quickstart --set input.path=TEXT --set output.path=VECTORS"
    run = commands.add_parser("run", help=about, description=f"{about}, {example}", epilog=epilog)
    run.add_argument("config", nargs="?", help=CONFIG)
    add_options(run, "training.dimensions=300")
    run.add_argument(
        "--cluster", metavar="executors=N,cores=N",
        help="with --dry-run: estimate how long the run would take on a cluster, and the best spark.task.cpus; "
        "memory=16g is the Python memory of an executor",
    )  # fmt: skip
    run.set_defaults(handler=handle_run)


def add_job_commands(commands: "Commands", epilog: str) -> None:
    """Add a command for each job."""
    from w2vspark.jobs import JOBS

    for job in JOBS.values():
        if job.name in commands.choices:  # it has options of its own (cli.judging)
            continue
        command = commands.add_parser(job.name, help=job.help, description=job.help, epilog=epilog)
        command.add_argument("model", metavar="MODEL", help=job.model)
        command.add_argument("--config", metavar="CONFIG", help=CONFIG)
        add_options(command, "output.path=TABLES")
        command.set_defaults(handler=handle_job, job=job.name)


def add_setup_commands(commands: "Commands") -> None:
    """Add demo and warm-up."""
    demo = commands.add_parser("demo", help="for a first look: train on the documentation of Python's library")
    demo.add_argument("folder", nargs="?", default="demo-output", help="the folder for corpus and tables (demo-output)")
    demo.add_argument("--verbose", action="store_true", help="log everything")
    demo.set_defaults(handler=handle_demo)
    about = (
        "compile the kernels and save Spark's loaded classes, once, so that local runs start faster, and measure this "
        "machine for --dry-run --cluster; a file with the classes that is already there is kept: delete it to have a "
        "new one made"
    )
    warm_up = commands.add_parser("warm-up", help="make later local runs start faster", description=about)
    warm_up.set_defaults(handler=handle_warm_up)


def add_listing_commands(commands: "Commands") -> None:
    """Add methods and jobs."""
    for name, help, of_one in (
        ("methods", "list the methods and their tables", "print this method's configuration, with every key"),
        ("jobs", "list the jobs and their tables", "print this job's configuration, with every key"),
    ):
        command = commands.add_parser(name, help=help, description=help)
        command.add_argument("name", metavar="NAME", nargs="?", help=of_one)
        command.set_defaults(handler=handle_listing, kind=name)


def add_options(parser: argparse.ArgumentParser, example: str) -> None:
    """Add the options of every command that makes a version."""
    parser.add_argument(
        "--set", action="append", default=[], metavar="TABLE.KEY=VALUE", dest="overrides",
        help=f"a setting that replaces the file's, as in {example}; may be repeated",
    )  # fmt: skip
    parser.add_argument("--dry-run", action="store_true", help="print the plan, the memory and the settings, and stop")
    parser.add_argument("--all", action="store_true", help="with --dry-run: print every setting, not only changed ones")
    parser.add_argument(
        "--from",
        metavar="STAGE",
        dest="force_from",
        help="make this stage's table and all later ones again; --dry-run lists the stages",
    )
    parser.add_argument(
        "--until", metavar="STAGE", help="end after this stage's table, in OUTPUT/staging; publish nothing"
    )
    parser.add_argument(
        "--hold", action="store_true", help="leave the new version a candidate, to promote later (w2vspark promote)"
    )
    parser.add_argument("--verbose", action="store_true", help="log everything")


def handle_run(arguments: argparse.Namespace) -> int:
    """Train a model, or print what the run would do."""
    from w2vspark import methods

    log.configure(arguments.verbose)
    method, config = methods.load_config(arguments.config, arguments.overrides)
    return _carry_out(method, config, arguments)


def handle_job(arguments: argparse.Namespace) -> int:
    """Run a job on a published model, or print what it would do."""
    return carry_out_job(arguments.job, arguments, arguments.model)


def carry_out_job(name: str, arguments: argparse.Namespace, model: str) -> int:
    """Run a job with the options of add_options, or print what it would do."""
    from w2vspark import jobs

    log.configure(arguments.verbose)
    job = jobs.JOBS[name]
    config = jobs.load_config(job, arguments.config, arguments.overrides)
    return _carry_out(job, config, arguments, model)


def _carry_out(work: "Work", config: "Config", arguments: argparse.Namespace, model: str = "") -> int:
    from w2vspark.api import carry_out, dry_run, estimate_run
    from w2vspark.flow.cluster import as_json, estimate_text, parse_cluster

    how = {"model": model, "force_from": arguments.force_from, "until": arguments.until, "hold": arguments.hold}
    cluster = getattr(arguments, "cluster", None)  # only methods say what they cost
    if arguments.dry_run:
        estimate = None if cluster is None else estimate_run(work, config, parse_cluster(cluster), **how)
        planned = dry_run(work, config, every_setting=arguments.all, **how)
        value: dict[str, Any] = {"plan": planned}
        if estimate is not None:
            value |= {"estimate": as_json(estimate)}
            planned = f"{estimate_text(estimate)}\n{planned}"
        return answer(arguments, value, lambda: planned)
    if cluster is not None:
        raise ConfigError("--cluster: works only with --dry-run; add --dry-run, or leave --cluster out")
    if arguments.all:
        raise ConfigError("--all: works only with --dry-run; add --dry-run, or leave --all out")
    result = carry_out(work, config, **how)
    is_candidate = result.state == "candidate"

    def text() -> str:
        return result.summary + try_next(next_commands(work, result, config[OutputConfig].path, is_candidate))

    return answer(arguments, result.as_json(), text)


def next_commands(work: "Work", result: "Result", output: str, hold: bool = False) -> list["Command"]:
    """The commands to try after a run; [] if nothing was published. output: as the user wrote it.

    hold: the version is a candidate, so commands name its own folder.
    """
    from w2vspark.output import publish

    if not result.version:
        return [("phrases", output)] if "phrases" in result.tables else []
    try:
        commands = work.next_commands(publish.resolve(result.folder), result.folder if hold else output)
        if not hold:
            return commands
        return [("promote", output, result.version), *(one for one in commands if one[0] != "versions")]
    except (W2VSparkError, OSError) as problem:  # the run has ended well; its version may be replaced by now
        log.get_logger().warning(log.key_values(event="no_commands_to_try", why=problem))
        return []


def try_next(commands: list["Command"]) -> str:
    """The lines with the commands to try next; "" without commands."""
    lines = "".join(f"  {shlex.join((program(), *command))}\n" for command in commands)
    return f"try next:\n{lines}" if lines else ""


def program() -> str:
    """The name or path of this w2vspark for the user's shell. With `make demo`, its environment is not activated."""
    own = Path(sys.executable).with_name("w2vspark")
    if not own.exists() or shutil.which("w2vspark") == str(own):
        return "w2vspark"
    return str(own.relative_to(Path.cwd())) if own.is_relative_to(Path.cwd()) else str(own)


def handle_demo(arguments: argparse.Namespace) -> int:
    """Make the demo."""
    from w2vspark.cli.demo import demo

    log.configure(arguments.verbose)
    result, text = demo(arguments.folder)
    return answer(arguments, result.as_json(), lambda: text)


def handle_warm_up(arguments: argparse.Namespace) -> int:
    """Compile the kernels and save Spark's classes."""
    from w2vspark.cli.warm_up import warm_up

    archive, text = warm_up()
    return answer(arguments, {"archive": archive}, lambda: text)


def handle_listing(arguments: argparse.Namespace) -> int:
    """List the methods or jobs, or print the configuration of one."""
    from w2vspark.cli.reference import configuration_of, list_works, listing_of

    if arguments.name is None:
        listed = {arguments.kind: list_works(arguments.kind)}
        return answer(arguments, listed, lambda: listing_of(arguments.kind))
    text = configuration_of(arguments.kind, arguments.name)
    return answer(arguments, {"name": arguments.name, "toml": text}, lambda: text)
