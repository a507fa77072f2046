"""One logger, ``key=value`` lines: a stage writes one line when it starts and one when it ends."""

import json
import logging
import re
import sys
from typing import Any


def get_logger() -> logging.Logger:
    """The package's only logger, "w2vspark"."""
    return logging.getLogger("w2vspark")


def log_start(stage: str, **settings: Any) -> None:
    """``stage=vocabulary event=start min_count=5``: every setting that the stage works with."""
    get_logger().info(key_values(stage=stage, event="start", **settings))


def log_end(stage: str, **figures: Any) -> None:
    """``stage=vocabulary event=end rows=68430 seconds=3.2``: what came out, and how fast."""
    get_logger().info(key_values(stage=stage, event="end", **figures))


def key_values(**pairs: Any) -> str:
    """One line of ``key=value``; floats with six digits, anything but a plain word quoted as in JSON."""
    return " ".join(f"{key}={_shown(value)}" for key, value in pairs.items())


def configure(verbose: bool) -> None:
    """Sends the log to stderr, each line with its time: everything when verbose, else from INFO up, or from WARNING
    up on a terminal, where the progress bar tells the rest.

    Only programs call it, once or more; a library user's own logging set-up is left alone.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z"))
    logger = get_logger()
    logger.handlers = [handler]
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING if sys.stderr.isatty() else logging.INFO)
    logger.propagate = False
    # When a call to the JVM is interrupted, py4j logs tracebacks, by its own loggers and by the root's, and then raises
    # what we tell in one line.
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
