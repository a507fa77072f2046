"""The bar on a terminal, and log lines elsewhere."""

import io
import logging

import pytest

from w2vspark.flow.progress import Progress

METRICS = [{"tokens": 3_000_000, "loss": 0.5}, {"tokens": 1_000_000, "loss": 0.1}]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_rounds_speed_loss_and_the_time_that_is_left():
    stream = Terminal()
    progress = Progress(stream)
    progress.round(1, 4, METRICS, 2.0)
    line = stream.getvalue().rpartition("\x1b[K")[2]
    assert line == "training ██████░░░░░░░░░░░░░░░░░░ round 1/4  2.00 M words/s  loss 0.400  0:06 left"


def test_the_line_of_a_terminal_is_clean_when_a_run_ends():
    stream = Terminal()
    progress = Progress(stream)
    progress.stage("vectors")
    progress.done()
    assert stream.getvalue() == "\r\x1b[Kvectors …\r\x1b[K"


def test_elsewhere_a_round_is_a_log_line_and_nothing_else_is_written(caplog: pytest.LogCaptureFixture):
    stream = io.StringIO()
    progress = Progress(stream)
    with caplog.at_level(logging.INFO, logger="w2vspark"):
        progress.stage("rounds")
        progress.round(2, 4, METRICS, 2.0)
        progress.done()
    assert stream.getvalue() == ""
    assert caplog.messages == [
        "stage=rounds event=progress round=2 of=4 words_per_second=2000000 loss=0.4 seconds=2 seconds_left=4"
    ]
