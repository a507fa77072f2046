"""The driver's side of GloVe: a round is one Spark query, and nothing is combined."""

from dataclasses import replace
from functools import partial
from typing import Any

from pyspark.sql import SparkSession

from w2vspark.base.schemas import CONTEXT, PARAMETER_FILES, WORDS
from w2vspark.output.staging import Staged, Staging
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import write_listed
from w2vspark.training.glove.plan import GloveJob, GloveRound, plan_glove
from w2vspark.training.glove.tasks import train_glove
from w2vspark.training.rounds import Record, RoundDone, checked_metrics, go_on, metrics_of, threads_of_task


def run_glove(
    session: SparkSession, staging: Staging, fingerprint: str, job: GloveJob, grid: list[list[int]], done: RoundDone
) -> tuple[str, list[dict[str, Any]]]:
    """Train the rounds that have no checkpoint yet; returns the last one's table, and all metrics (schemas.METRICS).

    grid: the number of records of each stratum, by grid row and column. done: as for rounds.go_on.
    """
    shards = int(job.training.shards)
    job = replace(job, threads=threads_of_task(session, shards))

    def train(todo: GloveRound, last: Staged | None, uri: str) -> Record:
        parameters = last.uri if last is not None else None
        of_todo = replace(job, round=todo, parameters_uri=parameters, table_uri=uri)
        numbers = session.range(0, shards, 1, shards)
        written = write_listed(
            numbers.mapInArrow(partial(train_glove, job=of_todo), spark_schema(PARAMETER_FILES)), uri
        )
        records = sum(grid[row][column] for shard in range(shards) for row, column in of_todo.strata(shard))
        rows = {WORDS: job.words, CONTEXT: job.words}
        return {"metrics": checked_metrics(written, uri, todo.number, shards, records, rows)}

    last, records = go_on(staging, f"rounds/{fingerprint}", plan_glove(job.training), train, done)
    return last.uri, metrics_of(records)
