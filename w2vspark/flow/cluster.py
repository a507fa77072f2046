"""The output of --dry-run --cluster: how long a run would take on a cluster, and the best spark.task.cpus."""

import re
from dataclasses import asdict
from typing import Any

from w2vspark.base.errors import ConfigError
from w2vspark.config.values import did_you_mean
from w2vspark.flow.costs import START, Cluster, Cost, Estimate, estimated
from w2vspark.flow.rates import FIX, rates_path, read_rates
from w2vspark.flow.run import Run

EXAMPLE = "write it as in --cluster executors=20,cores=8 or --cluster executors=20,cores=8,memory=16g"
_KEYS = ("executors", "cores", "memory")
_MOST = 100_000  # executors, or cores of one
_SIZE = re.compile(r"([1-9]\d*)([kmgt])b?")
_BYTES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_cluster(text: str) -> Cluster:
    """The cluster of a text as "executors=20,cores=8,memory=16g". Raises ConfigError, which names the fix."""
    values: dict[str, int] = {}
    for part in text.split(","):
        name, equals, value = (word.strip() for word in part.partition("="))
        if name not in _KEYS or not equals:
            hint = did_you_mean(name, list(_KEYS))
            raise ConfigError(f"--cluster {text}: {part.strip() or 'an empty part'} is not known{hint}; {EXAMPLE}")
        if name in values:
            raise ConfigError(f"--cluster {text}: {name} is given twice; {EXAMPLE}")
        values[name] = _memory(text, value) if name == "memory" else _count(text, name, value)
    for name in ("executors", "cores"):
        if name not in values:
            raise ConfigError(f"--cluster {text}: {name} is missing; {EXAMPLE}")
    return Cluster(**values)


def _count(text: str, name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 1 <= int(value[:10]) <= _MOST:
        raise ConfigError(f"--cluster {text}: {name} must be a whole number from 1 to {_MOST:,}; {EXAMPLE}")
    return int(value)


def _memory(text: str, value: str) -> int:
    found = _SIZE.fullmatch(value.lower())
    if found is None:
        raise ConfigError(f"--cluster {text}: memory must be a size with its unit, as in 16g; {EXAMPLE}")
    return int(found[1]) * _BYTES[found[2]]


def estimate(run: Run, cluster: Cluster) -> Estimate:
    """How long the run would take. run: from `begin`. Tables that are there already count as if they were not.

    Raises ConfigError if the work states no costs or if no task fits into the memory, EnvironmentFailure without the
    rates of this machine.
    """
    if run.work.costs is None:
        raise ConfigError(f"--cluster: {run.work.name} does not say what it costs; leave --cluster out")
    costs, worker = run.work.costs(run), run.work.needed(run).worker
    steps = {step.table for step in run.steps}
    costs = [cost for cost in costs if cost.table in steps]
    rates = read_rates()
    missing = sorted({cost.rate for cost in costs} - rates.keys())
    if missing:
        raise ConfigError(f"{rates_path()}: lacks the rate of {', '.join(missing)}; {FIX}")
    found = estimated(costs, rates, cluster, worker)
    if found is None:
        raise ConfigError(
            f"--cluster: a task needs {worker / 1e6:,.0f} MB of Python memory, and an executor has "
            f"{cluster.memory / 1e6:,.0f} MB; give executors more, or see docs/guides/tuning.md on memory"
        )
    return found


def as_json(estimate: Estimate) -> dict[str, Any]:
    """The estimate as a value of JSON."""
    costs = [asdict(one.cost) | {"measured_rate": one.rate, "seconds": one.seconds} for one in estimate.costs]
    return {
        "cluster": asdict(estimate.cluster),
        "task_cpus": estimate.task_cpus,
        "tasks_at_once": estimate.slots,
        "seconds": estimate.seconds,
        "start_seconds": estimate.start,
        "costs": costs,
        "seconds_by_task_cpus": {str(cpus): seconds for cpus, seconds in estimate.seconds_by_cpus.items()},
    }


def estimate_text(estimate: Estimate) -> str:
    """The estimate as a table with its reasons."""
    cluster, cpus = estimate.cluster, estimate.task_cpus
    rows = [("stage", "work", "tasks", "a core does", "seconds"), (START, "Spark", "", "", f"{estimate.start:.1f}")]
    for one in estimate.costs:
        cost, small = one.cost, not one.cost.amount
        work = f"{cost.queries} queries" if small else f"{cost.amount:,.1f} {cost.unit}"
        rate = "" if small else f"{one.rate:,.3g}/s"
        rows.append((cost.table, work, f"{cost.tasks:,}", rate, f"{one.seconds:,.1f}"))
    rows.append(("in all", "", "", "", f"{estimate.seconds:,.1f}"))
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    table = [
        f"  {row[0]:<{widths[0]}}  {row[1]:<{widths[1]}}  "
        f"{row[2]:>{widths[2]}}  {row[3]:>{widths[3]}}  {row[4]:>{widths[4]}}"
        for row in rows
    ]
    longest = max(estimate.costs, key=lambda one: one.seconds).cost
    return "\n".join(
        [
            f"estimate for {cluster.executors} executors with {cluster.cores} cores each:",
            *(line.rstrip() for line in table),
            f"spark.task.cpus = {cpus}: {_reason(estimate, longest)}",
            "The estimate takes each executor's cores to be like this machine's, and the network to be no limit.",
            "Tables that are there already count too.",
            "",
        ]
    )


def _reason(estimate: Estimate, longest: Cost) -> str:
    slots, cpus = estimate.slots, estimate.task_cpus
    tasks = f"{longest.tasks:,} task{'s' if longest.tasks != 1 else ''}"
    threads = f"{longest.threads} thread{'s' if longest.threads != 1 else ''}"
    waves = longest.waves(slots)
    text = f"{slots:,} tasks run at once; {longest.table}, the longest stage, has {tasks} of up to {threads} each, in "
    text += f"{waves} wave{'s' if waves != 1 else ''}"
    others = {other: seconds for other, seconds in estimate.seconds_by_cpus.items() if other != cpus}
    if others:
        other = min(others, key=lambda one: others[one])
        text += f"; with {other} the run takes {others[other]:,.0f} s"
    return text
