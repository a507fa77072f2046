"""One run on one output folder: what all of its steps share."""

import time
from dataclasses import dataclass, field
from typing import Any

from pyspark.sql import SparkSession

from w2vspark.base.log import log_end
from w2vspark.config.config import Config
from w2vspark.flow.progress import Progress
from w2vspark.flow.work import VERSION, Step, Work
from w2vspark.output.claims import Claim
from w2vspark.output.staging import Staging
from w2vspark.spark.session import SparkConfig, build_session
from w2vspark.spark.shared_storage import check_executors
from w2vspark.spark.worker_errors import worker_errors


@dataclass(slots=True)
class Run:
    """One run on one output: its configuration, the tables' fingerprints and records."""

    work: Work
    config: Config
    output: str  # absolute URI
    progress: Progress
    staging: Staging
    steps: tuple[Step, ...] = ()  # that it goes through
    forced: tuple[str, ...] = ()  # tables that are made again
    hold: bool = False  # leave the new version a candidate
    model: str = ""  # of a job: the output folder of the model, as it was given
    claim: Claim | None = None  # None: nothing may be written
    fingerprints: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)  # of the tables that are there, or are being made
    made: list[str] = field(default_factory=list)
    promoted: str = ""  # a version that was there already, and became the current one
    nothing_to_do: str = ""  # why; "" where something was made or promoted
    there: str = ""  # the folder of the version that was there, where nothing was made
    found: dict[str, Any] = field(default_factory=dict)  # what Work.sources found when the run began
    started_session: SparkSession | None = None
    checked_executors: bool = False

    @property
    def publishes(self) -> bool:
        """Whether it ends with a version, and makes nothing that is there already."""
        return bool(self.steps) and self.steps[-1].table == VERSION and not self.forced

    def session(self) -> SparkSession:
        """The Spark session, started when it is first needed; under a claim, once its executors reach the output."""
        if self.started_session is None:
            self.progress.stage("starting Spark")
            began = time.perf_counter()
            self.started_session = build_session(self.config[SparkConfig], "w2vspark")
            log_end("session", spark=self.started_session.version, seconds=round(time.perf_counter() - began, 3))
        if self.claim is not None and not self.checked_executors:
            with worker_errors():
                check_executors(self.started_session, self.output)
            self.checked_executors = True
        return self.started_session

    def uri(self, table: str) -> str:
        """Where an intermediate table is: the folder of the attempt that is whole, or is going on."""
        return self.uris[table]

    def held(self) -> Claim:
        """The claim on the output folder."""
        if self.claim is None:
            raise ValueError("this run holds no claim on the output folder")
        return self.claim
