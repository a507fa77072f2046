"""The driver's side of the round engine: a round is one Spark query, and what its tasks wrote is its checkpoint."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, TypeVar

from pyspark.sql import DataFrame, SparkSession

from w2vspark import storage
from w2vspark.base.errors import TrainingError
from w2vspark.base.log import get_logger, key_values, log_end
from w2vspark.base.schemas import CHANGE_FILES, METRICS, METRICS_MATRIX, PARAMETER_FILES, ROW_FILES, ROWS_WANTED
from w2vspark.output.staging import Staged, Staging
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import write_listed
from w2vspark.spark.placement import placement_keys
from w2vspark.spark.session import task_slots
from w2vspark.spark.worker_errors import worker_errors
from w2vspark.training.plan import Round, RoundJob
from w2vspark.training.tasks import combine_shards, send_wanted_rows, train_sent_rows, train_shards, want_rows

KEPT_ROUNDS = 2


class Numbered(Protocol):
    """A round of any method."""

    @property
    def number(self) -> int:
        """From 1 on."""


Progress = Callable[[int, int, list[dict[str, Any]], float], None]
R = TypeVar("R", bound=Numbered)


def run_rounds(
    session: SparkSession, staging: Staging, fingerprint: str, rounds: list[Round], job: RoundJob, progress: Progress
) -> tuple[str, list[dict[str, Any]]]:
    """Train all rounds of a word2vec method that are not there yet; see go_on.

    job: what does not change between rounds, and where the first begins.
    """
    shards = int(job.training.shards)
    job = replace(job, places=placement_keys(shards), threads=threads_of_task(session, shards))

    def train(todo: Round, last: str | None, uri: str) -> list[dict[str, Any]]:
        changes = storage.join(uri, "changes")
        of_todo = replace(job, round=todo, parameters_uri=last, table_uri=uri, changes_uri=changes)
        written = write_listed(round_frame(session, of_todo), uri)
        tokens = sum(part.tokens for part in todo.parts)
        rows = {shape.name: shape.rows for shape in job.shapes}
        metrics = checked_metrics(written, uri, todo.number, shards, tokens, rows)
        staging.delete_part(changes)
        return metrics

    return go_on(staging, fingerprint, rounds, train, job.parameters_uri, progress)


def go_on(
    staging: Staging,
    fingerprint: str,
    rounds: Sequence[R],
    train: Callable[[R, str | None, str], list[dict[str, Any]]],
    first: str | None,
    progress: Progress,
) -> tuple[str, list[dict[str, Any]]]:
    """Train the rounds that are not there yet; return the last one's table and all metrics (schemas.METRICS).

    train(round, the last one's table, its own table) runs it and returns its metrics; first: the table before the first
    round, None = initial values. progress(rounds done, rounds, the round's metrics, its seconds) is called after each.
    Raises TrainingError when a round's table does not add up or a value is not finite.
    """
    table = f"rounds/{fingerprint}"
    done, last, metrics = _trained(staging, table, len(rounds))
    for todo in rounds[done:]:
        began = time.perf_counter()
        uri = staging.begin(table, _name(todo.number))
        with worker_errors():
            of_round = train(todo, last.uri if last else first, uri)
        metrics += of_round
        seconds = time.perf_counter() - began
        last = staging.complete(uri, {"metrics": of_round, "seconds": seconds})
        if todo.number > KEPT_ROUNDS:
            staging.discard(table, _name(todo.number - KEPT_ROUNDS), keep_records=True)
        log_end("round", round=todo.number, of=len(rounds), seconds=round(seconds, 2))
        progress(todo.number, len(rounds), of_round, seconds)
    assert last is not None  # there is at least one round
    return last.uri, metrics


def _trained(staging: Staging, table: str, rounds: int) -> tuple[int, Staged | None, list[dict[str, Any]]]:
    """The last round that is whole, its table, and the metrics of all rounds up to it; 0 and None where none is."""
    for number in range(rounds, 0, -1):
        last = staging.find(table, _name(number))
        if last is None:
            continue
        records = [staging.record(table, _name(earlier)) for earlier in range(1, number)]
        known = [record["metrics"] for record in records if record is not None]
        if len(known) == number - 1:
            return number, last, [row for of_round in (*known, last.record["metrics"]) for row in of_round]
        get_logger().warning(key_values(stage="round", event="begin_again", why="records of earlier rounds are gone"))
        break
    return 0, None, []


def round_frame(session: SparkSession, job: RoundJob) -> DataFrame:
    """One round as a lazy frame of PARAMETER_FILES.

    A task per shard trains; with several shards, a task per run of blocks combines. Blocks, changes and rows that are
    sent to shards go from worker to worker as files: through Spark's shuffle changes cost twice the CPU of all the rest
    of a round. What Spark is told is their names, which come from the attempt that succeeded.
    """
    shards = int(job.training.shards)
    numbers = session.range(0, shards, 1, shards)  # one shard a task; any shuffle would put two into one
    if job.training.rows == "slice":
        targets = placement_keys(shards)
        wanted = numbers.mapInArrow(partial(want_rows, job=job), spark_schema(ROWS_WANTED))
        send = partial(send_wanted_rows, job=job, targets=targets)
        sent = wanted.repartition(len(job.places), "place").mapInArrow(send, spark_schema(ROW_FILES))
        of_shard = sent.repartition(shards, "target")
        files = of_shard.mapInArrow(partial(train_sent_rows, job=job), spark_schema(CHANGE_FILES))
    elif shards == 1:
        return numbers.mapInArrow(partial(train_shards, job=job), spark_schema(PARAMETER_FILES))
    else:
        files = numbers.mapInArrow(partial(train_shards, job=job), spark_schema(CHANGE_FILES))
    placed = files.repartition(len(job.places), "place")
    return placed.mapInArrow(partial(combine_shards, job=job), spark_schema(PARAMETER_FILES))


def _name(number: int) -> str:
    return f"{number:06d}"


def threads_of_task(session: SparkSession, shards: int) -> int:
    """Threads that a training task may use: its share of a local master's slots, or spark.task.cpus."""
    slots = task_slots(session)
    if slots is not None:
        return max(1, slots // min(slots, shards))
    return int(session.conf.get("spark.task.cpus", "1") or "1")


def checked_metrics(
    written: list[dict[str, Any]], uri: str, number: int, shards: int, tokens: int, wanted: dict[str, int]
) -> list[dict[str, Any]]:
    """The metrics of a round's shards, once every row of every matrix is there and every token or record trained.

    written: rows of schemas.PARAMETER_FILES; wanted: rows of each matrix.
    """
    rows = dict.fromkeys(wanted, 0)
    metrics = []
    for row in written:
        if row["matrix"] == METRICS_MATRIX:
            metrics.append({"round": number} | {name: row[name] for name in METRICS.names[1:]})
        else:
            rows[row["matrix"]] += row["rows"]
    found = sum(row["tokens"] for row in metrics)
    if len(metrics) != shards or found != tokens or rows != wanted:
        raise TrainingError(
            f"{uri}: expected {shards} shards, {tokens} tokens and the rows {json.dumps(wanted)}, got {len(metrics)}, "
            f"{found} and {json.dumps(rows)}; run the job again, which repeats this round"
        )
    return sorted(metrics, key=lambda row: int(row["shard"]))
