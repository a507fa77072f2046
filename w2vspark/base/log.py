"""One logger with ``key=value`` lines. A stage logs one line when it starts, and one line when it ends."""

import json
import logging
import re
import sys
from typing import Any

from w2vspark.base.terminal import StandardError, can_draw


def get_logger() -> logging.Logger:
    """The package's only logger, "w2vspark"."""
    return logging.getLogger("w2vspark")


def log_start(stage: str, **settings: Any) -> None:
    """Log ``stage=vocabulary event=start min_count=5``, with every setting that the stage uses."""
    get_logger().info(key_values(stage=stage, event="start", **settings))


def log_end(stage: str, **figures: Any) -> None:
    """Log ``stage=vocabulary event=end rows=68430 seconds=3.2``, with the results and the time."""
    get_logger().info(key_values(stage=stage, event="end", **figures))


def key_values(**pairs: Any) -> str:
    """One line of ``key=value``. Floats have six digits. A value that is not a plain word is quoted as in JSON."""
    return " ".join(f"{key}={_shown(value)}" for key, value in pairs.items())


def configure(verbose: bool) -> None:
    """Send the log to stderr, each line with its time.

    verbose: log everything; otherwise from INFO up, or from WARNING up on a terminal, which has bars. Only programs
    call it, so that the logging of a program that uses this library stays as it is.
    """
    handler = logging.StreamHandler(StandardError())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z"))
    logger = get_logger()
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if can_draw(sys.stderr) else logging.INFO)
    logger.propagate = False
    # When a call to the JVM is interrupted, py4j logs tracebacks, to its own loggers and to the root logger. Then it
    # raises an error, which we report in one line.
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_not_py4j)


def _not_py4j(record: logging.LogRecord) -> bool:
    return "py4j" not in record.pathname


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value)
    plain = text.isprintable() and re.fullmatch(r"[^\s\"=]+", text)
    return text if plain else json.dumps(text, ensure_ascii=not text.isprintable())
