"""Print the answers of commands on standard output: text, tables and JSON. The log goes to standard error."""

import argparse
import json
import math
import sys
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any


def write_text(text: str) -> int:
    """Write text; returns the exit code. What the terminal's encoding does not have is written as an escape."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))  # words of any language
    return 0


def write_json(value: dict[str, Any]) -> int:
    """Write one JSON object on one line, as schedulers read it; returns the exit code.

    NaN and infinity become null, because JSON does not have them.
    """
    return write_text(json.dumps(_finite(value), ensure_ascii=False, allow_nan=False) + "\n")


def answer(arguments: argparse.Namespace, value: dict[str, Any], text: Callable[[], str]) -> int:
    """Write the answer of a command: with --json the value, else the text; returns the exit code."""
    return write_json(value) if arguments.json else write_text(text())


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Write a table with aligned columns; returns the exit code."""
    return write_text(table_lines(header, rows))


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The lines of a table, with the first column aligned to the left and the others to the right."""
    widths = [max(_width(row[column]) for row in (header, *rows)) for column in range(len(header))]
    lines = []
    for first, *others in (header, *rows):
        cells = [" " * (width - _width(cell)) + cell for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first + " " * (widths[0] - _width(first)), *cells]))
    return "".join(f"{line}\n" for line in lines)


def _width(text: str) -> int:
    """The number of columns on a terminal: Chinese characters take two, combining marks none."""
    return sum(
        0 if unicodedata.combining(letter) else 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
