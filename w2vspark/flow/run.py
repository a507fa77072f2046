"""One run on one output, and what several of its steps ask of it."""

import time
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from w2vspark import storage
from w2vspark.base.log import log_end
from w2vspark.config.config import Config, TrainingConfig
from w2vspark.flow.progress import Progress
from w2vspark.output.claims import Claim
from w2vspark.output.staging import Staging
from w2vspark.spark.session import build_session
from w2vspark.spark.shared_storage import check_executors
from w2vspark.spark.worker_errors import worker_errors
from w2vspark.stages.earlier import EarlierModel
from w2vspark.stages.words import Words
from w2vspark.training.plan import MatrixShape, matrix_shapes
from w2vspark.training.word2vec.subwords import SubwordTables


@dataclass(slots=True)
class Run:
    """One run on one output: its configuration, the tables' fingerprints and records."""

    config: Config
    output: str  # absolute URI
    progress: Progress
    staging: Staging
    last: str  # the step that publishes, by the name of its table
    claim: Claim | None = None  # None: nothing may be written
    hold: bool = False  # leave the new version a candidate
    fingerprints: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)  # of the tables that are there, or are being made
    made: list[str] = field(default_factory=list)
    promoted: str = ""  # a version that was there already, and became the current one
    nothing_to_do: str = ""  # why; "" where something was made or promoted
    earlier: EarlierModel | None = None  # what this run begins from, as it was found when the run began
    started_session: SparkSession | None = None
    checked_executors: bool = False

    def session(self) -> SparkSession:
        """The Spark session, started when it is first needed; under a claim, once its executors reach the output."""
        if self.started_session is None:
            self.progress.stage("starting Spark")
            began = time.perf_counter()
            self.started_session = build_session(self.config.spark, "w2vspark")
            log_end("session", spark=self.started_session.version, seconds=round(time.perf_counter() - began, 3))
        if self.claim is not None and not self.checked_executors:
            with worker_errors():
                check_executors(self.started_session, self.output)
            self.checked_executors = True
        return self.started_session

    def trained(self) -> dict[str, Any]:
        """The record of the step that made the vectors: where their parameters are, the resolved settings, and more."""
        return self.records["svd" if self.config.training.family == "svd" else "rounds"]

    def parameters(self) -> str:
        """Where the trained parameters are."""
        return self.staging.absolute(self.trained()["parameters"])

    def uri(self, table: str) -> str:
        """Where an intermediate table is: the folder of the attempt that is whole, or is going on."""
        return self.uris[table]

    def held(self) -> Claim:
        """The claim on the output folder."""
        if self.claim is None:
            raise ValueError("this run holds no claim on the output folder")
        return self.claim


def words_of(run: Run, passes: int | None = None) -> Words:
    """How workers turn text into words: with the phrases of so many passes, or of all."""
    config = run.config.phrases
    made = range(1, 1 + (len(config.thresholds) if passes is None else passes))
    return Words(run.config.tokens, tuple(phrases_uri(run, number) for number in made), config.connector_words)


def phrases_uri(run: Run, number: int) -> str:
    """Where a pass's phrases are."""
    return storage.join(run.uri("phrases"), f"pass-{number}")


def subword_tables(run: Run) -> SubwordTables | None:
    """What makes up each word, as workers read it; None where a word is its own row."""
    if not run.config.subwords.enabled:
        return None
    return SubwordTables(
        config=run.config.subwords,
        vocabulary_uri=run.uri("vocabulary"),
        ngram_buckets_uri=run.uri("ngram_buckets"),
        ngrams=run.records["ngram_buckets"]["ngrams"],
        cpu_target=run.config.training.cpu_target,
    )


def shapes_of(run: Run, training: TrainingConfig) -> tuple[MatrixShape, ...]:
    """The matrices of the run's method. training: resolved."""
    subwords = subword_tables(run)
    words = run.records["vocabulary"]["words"]
    return matrix_shapes(training, words, subwords.ngrams if subwords else 0)
