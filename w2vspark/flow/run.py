"""One run on one output folder: the state that all its steps share."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from w2vspark.base.log import get_logger, key_values, log_end
from w2vspark.config.config import Config, as_tree
from w2vspark.config.keys import Settings
from w2vspark.flow.progress import Progress
from w2vspark.flow.work import VERSION, Step, Work
from w2vspark.output.claims import Claim
from w2vspark.output.publish import Version
from w2vspark.output.scores import Score
from w2vspark.output.staging import Staging
from w2vspark.spark.session import SparkConfig, build_session
from w2vspark.spark.shared_storage import check_executors
from w2vspark.spark.worker_errors import worker_errors

if TYPE_CHECKING:
    from w2vspark.flow.compiling import Compiling


@dataclass(slots=True)
class Run:
    """One run on one output folder: its configuration, and the fingerprints and records of its tables."""

    work: Work
    config: Config
    output: str  # absolute URI
    progress: Progress
    staging: Staging
    steps: tuple[Step, ...] = ()  # in order
    forced: tuple[str, ...] = ()  # tables to make again
    hold: bool = False  # leave the new version a candidate
    unchecked: bool = False  # end with a candidate that is not judged yet
    model: str = ""  # for a job: the model's output folder, as the user wrote it
    asked: Config | None = None  # the configuration as it was given; None = as `config`
    parent: Version | None = None  # the version that this run begins from, or whose words it keeps
    claim: Claim | None = None  # None = nothing may be written
    fingerprints: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    uris: dict[str, str] = field(default_factory=dict)  # of the tables that are there, or are being made
    made: list[str] = field(default_factory=list)
    candidate: Version | None = None  # the candidate that is being judged
    previous: Version | None = None  # the current version while the candidate is judged; None = there is none
    scores: list[Score] = field(default_factory=list)  # of the candidate
    judged_again: str = ""  # a candidate that was there already, passed, and stays a candidate
    promoted: str = ""  # a version that was there already, and became the current one
    nothing_to_do: str = ""  # the reason; "" if something was made or promoted
    there: str = ""  # the folder of the version that was there, if nothing was made
    found: dict[str, Any] = field(default_factory=dict)  # what Work.sources found when the run began
    notes: list[str] = field(default_factory=list)  # advice to print again at the end
    began: float = field(default_factory=time.perf_counter)
    # Seconds that count for no table: to start Spark and check its executors, and to wait for kernels.
    apart: dict[str, float] = field(default_factory=lambda: {"spark": 0.0})
    after: dict[str, float] = field(default_factory=dict)  # seconds to score and to describe the candidate
    compiling: "Compiling | None" = None
    started_session: SparkSession | None = None
    checked_executors: bool = False
    watched: bool = False  # the progress knows the session

    @property
    def publishes(self) -> bool:
        """Whether the run ends with a version, and makes no complete table again."""
        return bool(self.steps) and self.steps[-1].table == VERSION and not self.forced

    def session(self) -> SparkSession:
        """The Spark session, started at the first call. Under a claim, its executors must reach the output folder."""
        check = self.claim is not None and not self.checked_executors
        if self.started_session is None or check:
            with self.progress.stage("starting Spark"):
                self._start(check)
        assert self.started_session is not None
        if not self.watched:
            self.progress.watch(self.started_session)
            self.watched = True
        return self.started_session

    def _start(self, check: bool) -> None:
        """Start Spark, unless it was started. check: its executors too."""
        began, was_there = time.perf_counter(), self.started_session is not None
        if self.started_session is None:
            self.started_session = build_session(self.config[SparkConfig], "w2vspark")
        if check:
            with worker_errors():
                check_executors(self.started_session, self.output)
            self.checked_executors = True
        seconds = time.perf_counter() - began
        self.apart["spark"] += seconds
        if not was_there:
            log_end("spark", version=self.started_session.version, seconds=round(seconds, 3))

    def await_kernels(self) -> None:
        """Wait for kernels that are being compiled."""
        if self.compiling is None:
            return
        began, going_on = time.perf_counter(), self.compiling.is_going_on()
        if not going_on:
            self.compiling.wait()
            return
        with self.progress.stage("compiling", "the kernels, once on this machine"):
            self.compiling.wait()
            self.apart["kernels"] = self.apart.get("kernels", 0.0) + time.perf_counter() - began

    def log_resolved(self, *settings: Settings) -> None:
        """Log the values of `auto` in this run. settings: tables of the configuration, without `auto`."""
        values = {
            f"{one.section}.{name}": value
            for one in settings
            for name, value in as_tree(one).items()
            if as_tree(self.config.tables[one.section])[name] == "auto" != value
        }
        get_logger().info(key_values(event="auto", **values))

    def advise(self, text: str) -> None:
        """Give the user advice about a setting: now in the log, and again when the run ends."""
        if text not in self.notes:
            get_logger().warning(key_values(event="advice", note=text))
            self.notes.append(text)

    def uri(self, table: str) -> str:
        """The folder of an intermediate table: of the attempt that is complete, or still going on."""
        return self.uris[table]

    def add_table(self, table: str, attempt: str, record: dict[str, Any]) -> None:
        """Add a complete table. attempt: its folder, unless record["at"] names another one."""
        self.records[table] = record
        self.uris[table] = self.staging.absolute(record["at"]) if "at" in record else attempt

    def judged(self) -> Version:
        """The candidate that is being judged."""
        if self.candidate is None:
            raise ValueError("this run judges no candidate")
        return self.candidate

    def held(self) -> Claim:
        """The claim on the output folder."""
        if self.claim is None:
            raise ValueError("this run holds no claim on the output folder")
        return self.claim
