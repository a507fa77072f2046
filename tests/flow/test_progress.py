"""The bar on a terminal, and figures for the log elsewhere."""

import io

from w2vspark.flow.progress import Progress

METRICS = [{"tokens": 3_000_000, "loss": 0.5}, {"tokens": 1_000_000, "loss": 0.1}]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    @property
    def line(self) -> str:
        """What the terminal shows in its last line."""
        return self.getvalue().rpartition("\x1b[K")[2]


def test_a_terminal_shows_rounds_speed_loss_and_the_time_that_is_left():
    stream = Terminal()
    progress = Progress(stream)
    progress.round(1, 4, METRICS, 2.0)
    progress.round(2, 4, METRICS, 2.0)
    assert stream.line == "training ████████████░░░░░░░░░░░░ round 2/4  2.00 M words/s  loss 0.400  0:04 left"


def test_a_short_first_round_which_may_have_compiled_says_nothing_about_the_time_that_is_left():
    stream = Terminal()
    progress = Progress(stream)
    assert progress.round(1, 4, METRICS, 40.0) == {"words_per_second": 100_000, "loss": 0.4}
    assert stream.line == "training ██████░░░░░░░░░░░░░░░░░░ round 1/4  0.10 M words/s  loss 0.400"
    assert progress.round(2, 4, METRICS, 2.0)["seconds_left"] == 4.0, "the first round does not count"


def test_a_long_first_round_does_since_compiling_is_a_small_share_of_it():
    assert Progress(io.StringIO()).round(1, 4, METRICS, 100.0)["seconds_left"] == 300.0


def test_the_line_of_a_terminal_is_clean_when_a_run_ends():
    stream = Terminal()
    progress = Progress(stream)
    progress.stage("vectors")
    progress.done()
    assert stream.getvalue() == "\r\x1b[Kvectors …\r\x1b[K"


def test_elsewhere_nothing_is_written_and_the_figures_are_for_the_log():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.stage("rounds")
    figures = progress.round(4, 4, METRICS, 2.0)
    progress.done()
    assert stream.getvalue() == ""
    assert figures == {"words_per_second": 2_000_000, "loss": 0.4, "seconds_left": 0.0}
