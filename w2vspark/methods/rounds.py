"""What methods that train in rounds share: progress, table metrics, memory, and a line of summary."""

from typing import Any

import pyarrow as pa

from w2vspark import storage
from w2vspark.base.schemas import METRICS
from w2vspark.base.wording import counted
from w2vspark.flow.run import Run
from w2vspark.flow.work import Table
from w2vspark.output.publish import Version
from w2vspark.training.rounds import RoundDone


def round_done(run: Run) -> RoundDone:
    """A function that shows the progress after each round."""

    def done(number: int, rounds: int, record: dict[str, Any]) -> dict[str, Any]:
        return run.progress.round(number, rounds, record["metrics"], record["seconds"])

    return done


def metrics_rows(run: Run) -> pa.Table:
    """The metrics of all rounds and shards."""
    return pa.Table.from_pylist(run.records["rounds"]["metrics"], METRICS)


METRICS_TABLE = Table(
    "metrics",
    METRICS,
    "a shard's loss, speed and learning rate in a round; `tokens` counts what it trained on",
    metrics_rows,
)


def rounds_summary(version: Version, rounds_of_epoch: int = 1) -> str:
    """A line about the training. rounds_of_epoch: its loss is the mean of this number of last rounds."""
    with version.reading("run again"):
        metrics = storage.read_table(version.table("metrics")).to_pylist()
    training = version.manifest["config"]["training"]
    numbers = [row["round"] for row in metrics]
    last = [row for row in metrics if row["round"] > max(numbers) - rounds_of_epoch]
    loss = sum(row["loss"] * row["tokens"] for row in last) / max(1, sum(row["tokens"] for row in last))
    return (
        f"training    {training['method']}, {training['dimensions']} dimensions; "
        f"{counted(training['epochs'], 'epoch')}; "
        f"{counted(training['shards'], 'shard')} x {counted(training['lanes'], 'lane')}, "
        f"{counted(len(set(numbers)), 'round')}, "
        f"learning rate {training['learning_rate']:.4g}, loss {loss:.3f}"
    )


def training_memory(model: int, worker: int, shards: int) -> str:
    """The text of --dry-run about memory. model: bytes of all matrices. worker: bytes of a task that trains."""
    return f"model {model / 1e6:,.0f} MB; a training worker {worker / 1e6:,.0f} MB of Python memory, {shards} of them"
