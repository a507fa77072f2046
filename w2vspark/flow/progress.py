"""The progress of a run: bars on a terminal or in a notebook, and lines in a log."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from w2vspark.base.log import get_logger, key_values
from w2vspark.flow.bars import NAME_WIDTH, Row, bars_for, clock
from w2vspark.spark.task_counts import TaskCounts

# The first round may compile kernels. A round that is longer than this takes much longer than compiling.
COMPILING_SECONDS = 60.0
LOOK_SECONDS = 0.5  # from one look at Spark's tasks to the next one, where bars are drawn
LOG_SECONDS = 30.0  # from one line of a long stage to the next one, in a log
END_SECONDS = 2.0  # at most, until the thread has ended: Spark may be slow to answer it


@dataclass(slots=True)
class _Stage:
    """A stage that is going on."""

    name: str
    row: Row
    part: str = ""  # what it consists of, such as "round"
    parts_done: int = 0
    parts: int = 0  # 0 = it does not say
    note: str = ""  # about its parts so far


class Progress:
    """Shows the progress. The engine calls it at each stage, and the round engine after each round."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.unit = "words"  # what the rounds train on: words or records
        self._bars = bars_for(stream or sys.stderr)
        self._tasks: TaskCounts | None = None
        self._stages: list[_Stage] = []  # the last one is within the one before it
        self._counted = (0, 0)  # done tasks and all tasks of the last stage
        self._drawing = threading.Lock()
        self._trained = 0.0  # seconds of all rounds in this process
        self._tokens = 0
        self._seconds: list[float] = []  # of each round in this process

    @contextmanager
    def stage(self, name: str, note: str = "") -> Iterator[None]:
        """Show a stage while the block runs. A stage may run within another one, whose seconds then do not count."""
        stage = _Stage(name, Row(name.replace("_", " ")), note=note)
        with ExitStack() as shown:
            if not self._stages:
                shown.enter_context(self._shown())
            self._stages.append(stage)
            try:
                self._draw()
                yield
            finally:
                self._stages.pop()
            self._keep(stage)

    def watch(self, session: Any) -> None:
        """Count the tasks of this Spark session from now on. Draw no bars if Spark draws its own."""
        if not hasattr(session, "registerProgressHandler"):  # a substitute for a session
            return
        self._tasks = TaskCounts(session)
        if self._stages:
            self._tasks.start()
        if self._bars is not None and session.conf.get("spark.ui.showConsoleProgress", "false") == "true":
            with self._drawing:
                bars, self._bars = self._bars, None
                if self._stages:
                    bars.end()

    def part(self, name: str, done: int, parts: int, note: str = "") -> None:
        """Show that some parts of the stage are done. name: of one part, as "round". note: about the parts so far."""
        if self._tasks is not None:
            self._tasks.reset()
            self._counted = (0, 0)
        if self._stages:
            stage = self._stages[-1]
            stage.part, stage.parts_done, stage.parts, stage.note = name, done, parts, note
            self._draw()

    def round(self, number: int, rounds: int, metrics: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        """Show that a round has ended: speed, loss and the time that is left. Returns these figures for the log."""
        self._trained += seconds
        self._seconds.append(seconds)
        tokens = sum(int(row["tokens"]) for row in metrics)
        self._tokens += tokens
        loss = sum(row["loss"] * row["tokens"] for row in metrics) / max(1, tokens)
        speed = self._tokens / self._trained
        left = self._left(rounds - number)
        note = f"{speed / 1e6:.2f} M {self.unit}/s  loss {loss:.3f}"
        self.part("round", number, rounds, note + (f"  {clock(left)} left" if left else ""))
        figures = {f"{self.unit}_per_second": round(speed), "loss": round(loss, 4)}
        return figures if left is None else figures | {"seconds_left": round(left, 1)}

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """Draw the bars, or write lines to the log, in a thread, while the block runs."""
        ended = threading.Event()
        thread = threading.Thread(target=self._show, args=(ended,), name="w2vspark-progress", daemon=True)
        self._counted = (0, 0)
        try:
            if self._tasks is not None:
                self._tasks.start()
            if self._bars is not None:
                self._bars.start()
            thread.start()
            yield
        finally:
            with self._drawing:
                ended.set()
                if self._bars is not None:
                    self._bars.end()
            if self._tasks is not None:
                self._tasks.end()
            if thread.is_alive():
                thread.join(END_SECONDS)

    def _show(self, ended: threading.Event) -> None:
        """Draw, or write a line, again and again."""
        while not ended.wait(LOG_SECONDS if self._bars is None else LOOK_SECONDS):
            if self._bars is None and not get_logger().isEnabledFor(logging.INFO):
                continue
            self._counted = self._tasks.read() if self._tasks is not None else (0, 0)
            with self._drawing:
                if ended.is_set() or not self._stages:
                    return
                if self._bars is None:
                    self._log(self._stages[-1])
                else:
                    self._bars.draw(self._rows())

    def _draw(self) -> None:
        if self._bars is not None:
            with self._drawing:
                self._bars.draw(self._rows())

    def _keep(self, stage: _Stage) -> None:
        """Write the line of a stage that has ended."""
        seconds = time.perf_counter() - stage.row.began
        if self._stages:
            self._stages[-1].row.apart += seconds
        if self._bars is not None:
            note = f"  {stage.note}" if stage.note else ""
            with self._drawing:
                self._bars.draw(self._rows())
                self._bars.keep(f"{stage.row.name:<{NAME_WIDTH}} {seconds - stage.row.apart:7.1f} s{note}")

    def _rows(self) -> list[Row]:
        """The rows of all stages that are going on. Tasks are those of the last one."""
        for stage in self._stages:
            done, tasks = self._counted if stage is self._stages[-1] else (0, 0)
            row = stage.row
            row.done, row.all = done, tasks
            texts = [f"{done}/{tasks} tasks"] if tasks > 1 else []
            if stage.parts:
                row.done, row.all = stage.parts_done + (done / tasks if tasks else 0.0), stage.parts
                texts.insert(0, f"{stage.part} {stage.parts_done}/{stage.parts}")
            row.text = "  ".join(text for text in (*texts, stage.note) if text)
        return [stage.row for stage in self._stages]

    def _log(self, stage: _Stage) -> None:
        done, tasks = self._counted
        figures: dict[str, Any] = {stage.part: f"{stage.parts_done}/{stage.parts}"} if stage.parts else {}
        figures |= {"tasks": f"{done}/{tasks}"} if tasks else {}
        seconds = round(time.perf_counter() - stage.row.began)
        get_logger().info(key_values(stage=stage.name, event="going_on", **figures, seconds=seconds))

    def _left(self, rounds: int) -> float | None:
        """Seconds that the remaining rounds will take; None while only a first, short round is known."""
        first, *others = self._seconds
        if others:
            return rounds * sum(others) / len(others)
        return rounds * first if first > COMPILING_SECONDS or rounds == 0 else None
