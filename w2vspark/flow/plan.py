"""The output of --dry-run: the plan, the memory that is needed, and the settings without `auto`."""

from w2vspark.base.redaction import redacted
from w2vspark.config.config import Config, Tree, to_dict, to_toml
from w2vspark.flow.gate import is_judged
from w2vspark.flow.run import Run
from w2vspark.flow.standing import matching_candidate, standing

CHANGED = (
    "# settings that differ from the defaults, and values that auto stands for (--dry-run --all prints every setting):"
)
EVERY = "# every setting:"


def plan(run: Run, every_setting: bool = False) -> str:
    """The plan as text: complete tables, tables to make, the memory needed, and the settings without `auto` as TOML.

    run: from `begin`. every_setting: also show the settings that have their defaults. Nothing is written.
    """
    lines = ["plan:"]
    found = standing(run) if run.publishes else None
    why = found.why if found is not None else ""
    candidate = matching_candidate(run) if run.publishes and not why else None
    for step in run.steps:
        there = why or run.staging.find(step.table, run.fingerprints[step.table]) is not None
        lines.append(f"  {step.table:<14} {'is there' if there and step.table not in run.forced else 'will be made'}")
    if why:
        lines.append(f"  nothing to do: {why}")
    if candidate is not None:
        what = "will be promoted" if is_judged(run, candidate) else "will be judged, and promoted if it passes"
        if run.hold:
            what = "will be judged"
        lines[1:] = [f"  {candidate.folder} was made from this input, configuration and code, and {what}"]
    needed = run.work.needed(run)
    memory = f"memory, {needed.memory}; the driver's Python less than 400 MB"
    settings = to_dict(needed.config) if every_setting else changed(needed.config)
    heading = EVERY if every_setting else CHANGED
    return "\n".join([*lines, memory, "", heading, _marked(redacted(settings), to_dict(run.config))])


def _marked(settings: Tree, given: Tree) -> str:
    """The settings as TOML; values that `auto` stands for have a comment."""

    def comment(table: str, key: str) -> str:
        return "  # auto" if given.get(table, {}).get(key) == "auto" != settings[table][key] else ""

    return to_toml(settings, comment)


def changed(config: Config) -> Tree:
    """The settings that differ from their defaults. config: without `auto`, so these settings are shown."""
    defaults = to_dict(Config({table: type(settings)() for table, settings in config.tables.items()}))
    differing = {
        table: {name: value for name, value in keys.items() if value != defaults[table][name]}
        for table, keys in to_dict(config).items()
    }
    return {table: keys for table, keys in differing.items() if keys}
