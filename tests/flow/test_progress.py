"""Bars on a terminal and in a notebook, and lines in a log."""

import io
import logging
import re
import sys
import time
import types
from collections.abc import Iterator
from typing import Any

import pytest
from terminals import Terminal

from w2vspark.base import log
from w2vspark.base.log import get_logger
from w2vspark.flow import progress as module
from w2vspark.flow.progress import Progress

METRICS = [{"tokens": 3_000_000, "loss": 0.5}, {"tokens": 1_000_000, "loss": 0.1}]
CLOCK = r"\d+:\d\d"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with Terminal() as opened:
        yield opened


class Connected:
    """A session of Spark Connect. It has no sparkContext, and tells its handlers of the tasks."""

    def __init__(self, **settings: str) -> None:
        self.conf = settings
        self.handlers: list[Any] = []
        self.registerProgressHandler, self.removeProgressHandler = self.handlers.append, self.handlers.remove

    def tell(self, *stages: tuple[int, int]) -> None:
        told = [
            types.SimpleNamespace(stage_id=number, num_tasks=tasks, num_completed_tasks=done, done=done == tasks)
            for number, (done, tasks) in enumerate(stages)
        ]
        for handler in self.handlers:
            handler(stages=told, inflight_tasks=1, operation_id="a", done=False)


def test_a_terminal_shows_rounds_speed_loss_and_the_time_that_is_left(terminal):
    progress = Progress(terminal.stream)
    with progress.stage("rounds"):
        progress.round(1, 4, METRICS, 2.0)
        progress.round(2, 4, METRICS, 2.0)
        (line,) = terminal.shows("round 2/4")
        bar = r"━{12}[━╺╸]━*"
        assert re.fullmatch(rf"rounds +{bar} {CLOCK} round 2/4  2\.00 M words/s  loss 0\.400  0:04 left", line)
        assert terminal.hidden
        progress.round(4, 4, METRICS, 2.0)
    (line,) = terminal.shows_not("round 2/4")
    assert re.fullmatch(r"rounds +\d+\.\d s  2\.00 M words/s  loss 0\.400", line)


def test_a_short_first_round_which_may_have_compiled_says_nothing_about_the_time_that_is_left(terminal):
    progress = Progress(terminal.stream)
    with progress.stage("rounds"):
        assert progress.round(1, 4, METRICS, 40.0) == {"words_per_second": 100_000, "loss": 0.4}
        (line,) = terminal.shows("round 1/4")
        assert line.endswith("round 1/4  0.10 M words/s  loss 0.400")
        assert progress.round(2, 4, METRICS, 2.0)["seconds_left"] == 4.0, "the first round does not count"


def test_a_long_first_round_does_since_compiling_is_a_small_share_of_it():
    assert Progress(io.StringIO()).round(1, 4, METRICS, 100.0)["seconds_left"] == 300.0


def test_a_stage_leaves_one_line_with_its_own_seconds(terminal, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    progress = Progress(terminal.stream)
    with progress.stage("word_counts"):
        with progress.stage("starting Spark", "once"):
            assert [line.split()[0] for line in terminal.shows("starting Spark")] == ["word", "starting"]
            now[0] += 3.25
        now[0] += 1.5
    first, second = terminal.shows_not("━")
    assert first.split("  ")[0] == "starting Spark" and first.endswith(" 3.2 s  once")
    assert re.fullmatch(r"word counts +1\.5 s", second), "without the seconds of the stage within it"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_terminal_clean_and_no_line(error, terminal):
    progress = Progress(terminal.stream)
    with pytest.raises(error), progress.stage("rounds"), progress.stage("within"):
        terminal.shows("within")
        raise error
    assert terminal.shows_not("within") == []
    with progress.stage("vectors"):
        terminal.shows("vectors")


def test_a_log_and_other_text_appear_whole_above_the_bar(terminal, monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal.stream)
    logger = get_logger()
    before = logger.handlers, logger.level, logger.propagate
    try:
        log.configure(verbose=True)
        with Progress().stage("encoded"):
            terminal.shows("encoded")
            logger.warning("%s", "a " * 30)
            sys.stderr.write("be careful\n")  # as Python's warnings do
            sys.stderr.write("half a line")
            sys.stderr.write(", the other half\n")
            lines = terminal.shows("other half")
            assert re.fullmatch(rf"encoded +━+ {CLOCK}", lines[-1])
            assert sum("encoded" in line for line in lines) == 1
    finally:
        logger.handlers, logger.propagate = before[0], before[2]
        logger.setLevel(before[1])
    lines = terminal.shows_not("━")
    assert lines[0].endswith(" WARNING" + " a" * 30)
    assert lines[1:3] == ["be careful", "half a line, the other half"] and lines[3].startswith("encoded ")


def test_a_narrow_terminal_shows_what_fits_on_one_line():
    with Terminal(columns=40) as terminal:
        progress = Progress(terminal.stream)
        with progress.stage("rounds"):
            progress.round(2, 4, METRICS, 2.0)
            (line,) = terminal.shows("round 2/4")
            time.sleep(0.1)
            assert len(terminal.lines()) == 1 and line.startswith("rounds ")


def test_no_color_and_a_dumb_terminal_are_respected(terminal, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    with Progress(terminal.stream).stage("encoded"):
        terminal.shows("encoded")
    terminal.shows_not("━")
    assert not re.search(r"\x1b\[[0-9;]*[3-9][0-9;]*m", terminal.raw), "no colour"
    written = len(terminal.raw)
    monkeypatch.setenv("TERM", "dumb")
    with Progress(terminal.stream).stage("vectors"):
        pass
    time.sleep(0.05)
    assert len(terminal.raw) == written


def test_the_bar_of_a_stage_is_of_its_tasks_also_on_spark_connect(terminal):
    session, progress = Connected(), Progress(terminal.stream)
    with progress.stage("phrases"):
        progress.watch(session)
        session.tell((2, 3), (0, 9))
        (line,) = terminal.shows("2/3 tasks")
        assert line.endswith(" 2/3 tasks"), "a stage without a done task may be one that Spark skips"
        session.tell((3, 3), (1, 9))
        terminal.shows("4/12 tasks")
        progress.part("pass", 1, 2)
        (line,) = terminal.shows("pass 1/2")
        assert "tasks" not in line
        session.tell((2, 4))
        (line,) = terminal.shows("pass 1/2  2/4 tasks")
    assert session.handlers == []


def test_where_spark_draws_its_own_bar_ours_is_not_drawn(terminal):
    progress = Progress(terminal.stream)
    with progress.stage("encoded"):
        terminal.shows("encoded")
        progress.watch(Connected(**{"spark.ui.showConsoleProgress": "true"}))
        assert terminal.shows_not("encoded") == []
    with progress.stage("vectors"):
        pass
    assert terminal.shows_not("vectors") == []


def test_elsewhere_nothing_is_written_and_the_figures_are_for_the_log(caplog):
    caplog.set_level(logging.INFO, logger="w2vspark")
    stream = io.StringIO()
    progress = Progress(stream)
    with progress.stage("rounds"):
        figures = progress.round(4, 4, METRICS, 2.0)
    assert stream.getvalue() == "" and caplog.records == []
    assert figures == {"words_per_second": 2_000_000, "loss": 0.4, "seconds_left": 0.0}


def test_a_log_gets_a_line_of_a_long_stage_now_and_then(caplog, monkeypatch):
    monkeypatch.setattr(module, "LOG_SECONDS", 0.2)
    caplog.set_level(logging.INFO, logger="w2vspark")
    session, progress = Connected(), Progress(io.StringIO())
    with progress.stage("word_counts"):
        progress.watch(session)
        progress.part("pass", 1, 2)
        session.tell((120, 480))
        deadline = time.monotonic() + 60
        while len(caplog.messages) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    for message in caplog.messages[:2]:
        assert re.fullmatch(r"stage=word_counts event=going_on pass=1/2 tasks=120/480 seconds=\d+", message)
    assert len(caplog.messages) >= 2
    caplog.clear()
    caplog.set_level(logging.WARNING, logger="w2vspark")
    with progress.stage("encoded"):
        time.sleep(0.5)
    assert caplog.messages == []


def test_a_notebook_shows_the_stages_in_one_output_that_is_replaced(monkeypatch):
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], raw: bool) -> None:
            shown.append(content["text/plain"])

    def display(content: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(content["text/plain"])
        return Handle()

    shell = type("ZMQInteractiveShell", (), {"__module__": "ipykernel.zmqshell"})
    python = types.ModuleType("IPython")
    python.display = types.SimpleNamespace(display=display)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", python)
    monkeypatch.setitem(sys.modules, "IPython.display", python.display)  # type: ignore[attr-defined]
    monkeypatch.setattr("builtins.get_ipython", shell, raising=False)
    progress = Progress()
    with progress.stage("word_counts"):
        pass
    with progress.stage("rounds"):
        progress.round(2, 4, METRICS, 2.0)
        during = shown[-1]
    assert re.fullmatch(rf"word counts +\d+\.\d s\nrounds +━{{12}} +{CLOCK} round 2/4  2\.00 M words/s .*\n", during)
    assert re.fullmatch(r"word counts +\d+\.\d s\nrounds +\d+\.\d s  .*\n", shown[-1])
