"""Count the tasks of Spark's running queries: on classic Spark and on Spark Connect."""

from collections.abc import Iterable
from typing import Any

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark.sql import SparkSession


class TaskCounts:
    """The tasks of the queries that ran since the last `reset`: how many are done, and how many there are.

    If other queries run in the same application, their tasks count too. A stage of Spark counts once its first task
    has begun (with Spark Connect, has ended), because Spark skips stages whose result is there. So the number of all
    tasks may rise during a query.
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        self._stages: dict[int, tuple[int, int]] = {}  # done and all tasks, by Spark's number of the stage
        self._tracker: Any = None  # of classic Spark; None = the JVM has ended, or the session is Spark Connect's

    def start(self) -> None:
        """Start to count."""
        self._stages = {}
        if isinstance(self._session, SparkSession):
            self._tracker = self._session.sparkContext.statusTracker()
        else:  # Spark Connect has no sparkContext; it tells of progress itself
            self._session.registerProgressHandler(self._told)

    def reset(self) -> None:
        """Forget the tasks so far. Call it between two queries."""
        self._stages = {}

    def read(self) -> tuple[int, int]:
        """The numbers of done and of all tasks."""
        if (tracker := self._tracker) is not None:
            try:
                self._ask(tracker)
            except (Py4JError, OSError):  # the JVM has ended, which the run itself will report
                self._tracker = None
        stages = list(self._stages.values())
        return sum(done for done, _ in stages), sum(tasks for _, tasks in stages)

    def end(self) -> None:
        """Stop counting."""
        self._tracker = None
        if not isinstance(self._session, SparkSession):
            self._session.removeProgressHandler(self._told)

    def _ask(self, tracker: Any) -> None:
        stages, running = self._stages, set()
        for job in tracker.getActiveJobsIds():
            info = tracker.getJobInfo(job)
            for number in info.stageIds if info is not None else ():
                stage = tracker.getStageInfo(number)
                if stage is not None and stage.numActiveTasks + stage.numCompletedTasks:
                    stages[number] = (stage.numCompletedTasks, stage.numTasks)
                    running.add(number)
        for number, (_, tasks) in list(stages.items()):
            if number not in running:  # its query has ended since
                stages[number] = (tasks, tasks)

    def _told(self, stages: Iterable[Any] | None, **_others: Any) -> None:
        for stage in stages or ():
            if stage.num_completed_tasks:  # else it may be skipped
                self._stages[stage.stage_id] = (stage.num_completed_tasks, stage.num_tasks)
