"""The steps of a run, and the fingerprints of their tables."""

from typing import Any

from w2vspark.base.errors import ConfigError
from w2vspark.base.schemas import schema_version
from w2vspark.config.config import Config, deciding
from w2vspark.config.values import closest
from w2vspark.fingerprints.fingerprint import admit_makers, code_of, fingerprint, versions_of
from w2vspark.flow.run import Run
from w2vspark.flow.version import make_version
from w2vspark.flow.work import CANDIDATE, VERSION, Artefact, Chosen, Step, Table, Work


def steps_of(work: Work, config: Config) -> tuple[Step, ...]:
    """The steps of a run, in their order; the last one publishes."""
    steps = tuple(step for step in work.steps if step.wanted(config))

    def settings(config: Config) -> Chosen:
        published: list[Table | Artefact] = [*work.tables(config), *work.artefacts(config)]
        return {one.name: one.settings(config) for one in published if not one.of_candidate}

    return (*steps, Step(VERSION, tuple(step.table for step in steps), settings, make_version))


def steps_until(work: Work, config: Config, last: str | None, hold: bool = False) -> tuple[Step, ...]:
    """The steps of a run; with `last`, only this step and the steps that it needs.

    Raises ConfigError for an unknown name, and for `hold` if these steps publish no version.
    """
    steps = steps_of(work, config)
    if last is None:
        return steps
    if last not in [step.table for step in steps]:
        raise ConfigError(
            f"--until {last}: is not a stage of this run; its stages are {names_of(steps)}, and {CANDIDATE}"
            f"{_closest(last, steps)}"
        )
    wanted = {last}
    for step in reversed(steps):
        if step.table in wanted:
            wanted.update(step.needs)
    if hold and VERSION not in wanted:
        raise ConfigError(f"--hold: with --until {last} nothing is published; leave one of the two out")
    return tuple(step for step in steps if step.table in wanted)


def forced_stages(steps: tuple[Step, ...], first: str | None) -> tuple[str, ...]:
    """The stages from `first` on; () without it. Raises ConfigError for an unknown name."""
    if first is None:
        return ()
    stages = tuple(step.table for step in steps)
    if first not in stages:
        raise ConfigError(
            f"--from {first}: is not a stage of this run; its stages are {names_of(steps)}{_closest(first, steps)}"
        )
    return stages[stages.index(first) :]


def names_of(steps: tuple[Step, ...]) -> str:
    """The names of steps, for a message."""
    return ", ".join(step.table for step in steps)


def _closest(name: str, steps: tuple[Step, ...]) -> str:
    return closest(name, [step.table for step in steps])


def fingerprints(run: Run) -> dict[str, str]:
    """The fingerprint of every table: a hash of its inputs, its settings, the code that makes it, and its libraries.

    "request" is the fingerprint of the sources and settings alone: what the user asks for, without the code.
    """
    work, config = run.work, run.config
    found = work.sources(run)
    given = run.asked or config
    set_by_user = {table: deciding(settings) for table, settings in given.tables.items() if settings.of_result}
    asked = {name.replace(" ", "_"): found[name] for name in (found if work.asked is None else work.asked)}
    found["request"] = fingerprint(**asked, settings=set_by_user)
    chosen = frozenset().union(*(settings.libraries() for settings in config.tables.values()))
    admit_makers([*(step.make for step in work.steps), *publishing_code(work, config)], work.packages)
    steps = steps_of(work, config)
    absent = {step.table for step in work.steps} - {step.table for step in steps}
    for step in steps:
        if unknown := set(step.needs) - found.keys() - absent:
            raise ValueError(
                f"{work.name}: {step.table} needs {', '.join(sorted(unknown))}: neither a source nor an earlier step"
            )
        makers = (step.make,) if step.table != VERSION else publishing_code(work, config)
        found[step.table] = fingerprint(
            table=step.table,
            made_from=[found[name] for name in step.needs if name in found],
            settings=step.settings(config),
            code=code_of(*makers),
            versions=versions_of(*makers, chosen=chosen, more=work.libraries),
            **({"schemas": _schemas(work, config)} if step.table == VERSION else {}),
        )
    return found


def _schemas(work: Work, config: Config) -> dict[str, str]:
    return {
        table.name: f"{schema_version(table.name)} {table.schema_of(config).to_string()}"
        for table in work.tables(config)
        if not table.of_candidate
    }


def publishing_code(work: Work, config: Config) -> tuple[Any, ...]:
    """The functions that decide the content of a version, without what describes it (of_candidate)."""
    tables = [table for table in work.tables(config) if not table.of_candidate]
    artefacts = [artefact for artefact in work.artefacts(config) if not artefact.of_candidate]
    counts = [table.count for table in tables if table.count is not None]
    rows = [table.rows for table in tables] + [artefact.write for artefact in artefacts]
    return make_version, work.facts, work.resolved, *dict.fromkeys([*rows, *counts])
