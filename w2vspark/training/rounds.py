"""The driver's side of the round engine: a round is one Spark query, and its tasks' files are its checkpoint.

`go_on` is the checkpoint loop for everything that trains in rounds or passes. `run_rounds` runs the rounds of a trainer
(training.trainer), in which shards train and are combined.
"""

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
from w2vspark.training.plan import Round
from w2vspark.training.tasks import combine_shards, send_wanted_rows, train_sent_rows, train_shards, want_rows
from w2vspark.training.trainer import RoundJob

KEPT_ROUNDS = 2


class Numbered(Protocol):
    """A round of any method, or a pass."""

    @property
    def number(self) -> int:
        """The number of the round; the first is 1."""


Record = dict[str, Any]
# Called after a round with its number, the number of rounds, and its record; returns figures for the log, or None.
RoundDone = Callable[[int, int, Record], dict[str, Any] | None]
R = TypeVar("R", bound=Numbered)


def run_rounds(
    session: SparkSession, staging: Staging, fingerprint: str, rounds: list[Round], job: RoundJob, done: RoundDone
) -> tuple[str, list[dict[str, Any]]]:
    """Train the rounds that have no checkpoint yet; returns the last one's table, and all metrics (schemas.METRICS).

    job: what all rounds share, and the parameters from which the first one begins. done: as for go_on.
    """
    trainer, shards = job.trainer, job.trainer.shards
    job = replace(job, reducers=placement_keys(shards), threads=threads_of_task(session, shards))

    def train(todo: Round, last: Staged | None, uri: str) -> Record:
        changes = storage.join(uri, "changes")
        parameters = last.uri if last is not None else job.parameters_uri
        of_todo = replace(job, round=todo, parameters_uri=parameters, table_uri=uri, changes_uri=changes)
        written = write_listed(round_frame(session, of_todo), uri)
        tokens = sum(of.tokens for of in todo.slice_sets)
        rows = {shape.name: shape.rows for shape in trainer.shapes}
        metrics = checked_metrics(written, uri, todo.number, shards, tokens, rows)
        staging.delete_files(changes)
        return {"metrics": metrics}

    last, records = go_on(staging, f"rounds/{fingerprint}", rounds, train, done)
    return last.uri, metrics_of(records)


def go_on(
    staging: Staging,
    table: str,
    rounds: Sequence[R],
    train: Callable[[R, Staged | None, str], Record],
    done: RoundDone,
    kept: int = KEPT_ROUNDS,
) -> tuple[Staged, list[Record]]:
    """Train the rounds that have no checkpoint yet; returns the last one's table, and the records of all rounds.

    table: the folder in staging that has a table for each round. train(round, the last round's table, the URI of this
    round's table) trains a round and returns its record, to which "seconds" is added. The files of the last `kept`
    rounds stay, and the records of all rounds.
    """
    number, last, records = _trained(staging, table, len(rounds))
    for todo in rounds[number:]:
        began = time.perf_counter()
        uri = staging.begin(table, _name(todo.number))
        with worker_errors():
            record = train(todo, last, uri)
        record["seconds"] = time.perf_counter() - began
        last = staging.complete(uri, record)
        records.append(record)
        if todo.number > kept:
            staging.discard(table, _name(todo.number - kept), keep_records=True)
        figures = done(todo.number, len(rounds), record)
        log_end("round", round=todo.number, of=len(rounds), **(figures or {}), seconds=round(record["seconds"], 2))
    assert last is not None  # there is at least one round
    return last, records


def metrics_of(records: Sequence[Record]) -> list[dict[str, Any]]:
    """The rows of schemas.METRICS, of all rounds."""
    return [row for record in records for row in record["metrics"]]


def _trained(staging: Staging, table: str, rounds: int) -> tuple[int, Staged | None, list[Record]]:
    """The number of the last complete round, its table, and all records up to it; (0, None, []) if there is none."""
    for number in range(rounds, 0, -1):
        last = staging.find(table, _name(number))
        if last is None:
            continue
        records = [staging.record(table, _name(earlier)) for earlier in range(1, number)]
        known = [record for record in records if record is not None]
        if len(known) == number - 1:
            return number, last, [*known, last.record]
        get_logger().warning(key_values(stage="round", event="begin_again", why="records of earlier rounds are gone"))
        break
    return 0, None, []


def round_frame(session: SparkSession, job: RoundJob) -> DataFrame:
    """One round as a lazy frame of PARAMETER_FILES.

    One task trains each shard. If there are several shards, each reducer combines some blocks. Workers exchange blocks,
    changes and sent rows as files, because changes in Spark's shuffle would cost twice the CPU of the rest of a round.
    Spark shuffles only the names of the files, which come from the attempt that succeeded.
    """
    shards = job.trainer.shards
    numbers = session.range(0, shards, 1, shards)  # one shard per task; a shuffle could put two shards into one task
    if job.trainer.sends_rows:
        targets = placement_keys(shards)
        wanted = numbers.mapInArrow(partial(want_rows, job=job), spark_schema(ROWS_WANTED))
        send = partial(send_wanted_rows, job=job, targets=targets)
        sent = wanted.repartition(len(job.reducers), "key").mapInArrow(send, spark_schema(ROW_FILES))
        of_shard = sent.repartition(shards, "key")
        files = of_shard.mapInArrow(partial(train_sent_rows, job=job), spark_schema(CHANGE_FILES))
    elif shards == 1:
        return numbers.mapInArrow(partial(train_shards, job=job), spark_schema(PARAMETER_FILES))
    else:
        files = numbers.mapInArrow(partial(train_shards, job=job), spark_schema(CHANGE_FILES))
    placed = files.repartition(len(job.reducers), "key")
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
    """The metrics of a round's shards. Checks that all rows are written, and all tokens or records are trained.

    written: rows of schemas.PARAMETER_FILES. wanted: the number of rows of each matrix. Raises TrainingError if
    something is missing.
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
            f"{found} and {json.dumps(rows)}; run the command again, which repeats this round"
        )
    return sorted(metrics, key=lambda row: int(row["shard"]))
