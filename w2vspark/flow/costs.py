"""What the steps of a run cost, and how long a cluster needs for them. A method states its costs as values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

# Rates that all works share: seconds of Spark's start and of a query with a shuffle, and megabytes of parameters that
# a task writes and reads again in a second.
START, QUERY, MODEL = "start", "query", "model"


@dataclass(frozen=True, slots=True)
class Cost:
    """A part of a step's work: its amount, and how it can be divided."""

    table: str  # of the step
    rate: str  # the name of the rate that `w2vspark warm-up` measures: amount per second of one core
    amount: float  # in `unit`
    unit: str  # as "MB of text"
    tasks: int = 1  # that share the amount, in each query
    threads: int = 1  # that a task can use
    queries: int = 0  # of Spark, one after another; each has the fixed cost QUERY
    largest: float = 0.0  # the largest task's share of the amount, if tasks are unequal

    def seconds(self, rates: Mapping[str, float], slots: int, task_cpus: int) -> float:
        """Wall seconds with `slots` tasks at once, which have `task_cpus` cores each."""
        fixed = self.queries * rates[QUERY]
        if not self.amount:
            return fixed
        share = max(self.largest, self.waves(slots) / self.tasks)
        return fixed + share * self.amount / (rates[self.rate] * min(self.threads, task_cpus))

    def waves(self, slots: int) -> int:
        """How often all slots are filled, until all tasks of a query have run."""
        return math.ceil(self.tasks / slots)


@dataclass(frozen=True, slots=True)
class Cluster:
    """The executors that a run would have."""

    executors: int
    cores: int  # of each executor
    memory: int = 0  # bytes for the Python workers of each executor; 0 = enough

    def slots(self, task_cpus: int) -> int:
        """Tasks that run at once."""
        return self.executors * (self.cores // task_cpus)

    def holds(self, task_cpus: int, worker: int) -> bool:
        """Whether the tasks of an executor fit into its memory. worker: bytes of a task."""
        return not self.memory or self.cores // task_cpus * worker <= self.memory


@dataclass(frozen=True, slots=True)
class PlannedCost:
    """A cost on a cluster."""

    cost: Cost
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a run would take on a cluster. seconds_by_cpus: of the whole run, for each spark.task.cpus that fits."""

    cluster: Cluster
    task_cpus: int  # the best spark.task.cpus
    start: float  # seconds of Spark's start
    costs: tuple[PlannedCost, ...]
    seconds_by_cpus: dict[int, float]

    @property
    def seconds(self) -> float:
        """Of the whole run."""
        return self.seconds_by_cpus[self.task_cpus]

    @property
    def slots(self) -> int:
        """Tasks that run at once."""
        return self.cluster.slots(self.task_cpus)


def estimated(costs: list[Cost], rates: Mapping[str, float], cluster: Cluster, worker: int) -> Estimate | None:
    """The estimate with the best spark.task.cpus, the smallest of equally good ones; None if no task fits into memory.

    worker: bytes of the largest task.
    """
    by_cpus = {
        cpus: rates[START] + sum(cost.seconds(rates, cluster.slots(cpus), cpus) for cost in costs)
        for cpus in range(1, cluster.cores + 1)
        if cluster.holds(cpus, worker)
    }
    if not by_cpus:
        return None
    best = min(by_cpus, key=lambda cpus: (by_cpus[cpus], cpus))
    planned = tuple(
        PlannedCost(cost, rates[cost.rate], cost.seconds(rates, cluster.slots(best), best)) for cost in costs
    )
    return Estimate(cluster, best, rates[START], planned, by_cpus)
