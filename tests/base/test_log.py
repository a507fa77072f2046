"""Log lines: key=value, one for a stage's start and one for its end."""

import logging
import re
from collections.abc import Iterator

import pytest

from w2vspark.base.log import configure, get_logger, key_values, log_end, log_start


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    logger = get_logger()
    before = (logger.handlers, logger.level, logger.propagate)
    yield
    logger.handlers, logger.level, logger.propagate = before


def test_values_that_are_no_plain_word_are_quoted() -> None:
    line = key_values(a=1, b="word", c="two words", d='say "x"', e="a=b", f="", g="a\nb", h=0.123456789, i=None)
    assert line == r'a=1 b=word c="two words" d="say \"x\"" e="a=b" f="" g="a\nb" h=0.123457 i=None'
    assert len(key_values(a="one\u2028two\x85three").splitlines()) == 1


def test_a_stage_logs_its_start_and_its_end_with_time_stamps_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    configure(verbose=False)
    configure(verbose=False)
    log_start("vocabulary", min_count=5)
    log_end("vocabulary", rows=10, seconds=1.5)
    get_logger().debug("hidden")
    out, err = capsys.readouterr()
    assert out == ""
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} INFO "
    start, end = err.splitlines()
    assert re.fullmatch(stamp + "stage=vocabulary event=start min_count=5", start)
    assert re.fullmatch(stamp + r"stage=vocabulary event=end rows=10 seconds=1\.5", end)


def test_verbose_shows_details(capsys: pytest.CaptureFixture[str]) -> None:
    configure(verbose=True)
    get_logger().debug("detail=1")
    assert capsys.readouterr().err.endswith("DEBUG detail=1\n")


def test_a_library_users_logging_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="w2vspark"):
        log_start("tokens")
    assert caplog.messages == ["stage=tokens event=start"]
