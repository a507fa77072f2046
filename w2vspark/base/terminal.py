"""Text on a terminal while bars are drawn there: it must appear above the bars."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

_above: Callable[[str], None] | None = None  # writes text above the bars; None = no bars are drawn


def can_draw(stream: TextIO | None) -> bool:
    """Whether bars can be drawn on a stream: it is a terminal whose cursor can move."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("dumb", "unknown")


@contextmanager
def text_above(write: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, `write` gets the text that others write to the terminal, in whole lines."""
    global _above
    before, _above = _above, write
    try:
        yield
    finally:
        _above = before


def bars_are_drawn() -> bool:
    """Whether bars are drawn now."""
    return _above is not None


def write_above(text: str) -> bool:
    """Write whole lines above the bars. Returns False, and writes nothing, if no bars are drawn."""
    above = _above
    if above is None:
        return False
    above(text)
    return True


class StandardError:
    """Standard error, as a stream for a log. While bars are drawn, lines appear above them."""

    def __init__(self) -> None:
        self._stream = sys.stderr

    def write(self, text: str) -> None:
        """Write whole lines."""
        if not write_above(text):
            self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
