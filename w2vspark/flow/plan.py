"""What --dry-run prints: the configuration without `auto`, which tables are there, and the memory that is needed."""

from w2vspark.base.redaction import redacted
from w2vspark.config.config import to_dict, to_toml
from w2vspark.flow.run import Run
from w2vspark.flow.standing import matching_candidate, standing


def plan(run: Run) -> str:
    """The resolved configuration, which tables are there and which will be made, and the memory needed.

    run: as it begins. Nothing is written.
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
        lines[1:] = [f"  {candidate.folder} was made from just this and will be promoted"]
    needed = run.work.needed(run)
    memory = f"memory, {needed.memory}; the driver's Python less than 400 MB"
    return "\n".join([to_toml(redacted(to_dict(needed.config))), *lines, memory, ""])
