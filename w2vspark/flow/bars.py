"""Draw the bars of a run: on a terminal, or in a notebook. rich does the drawing."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from io import StringIO
from typing import Any, Protocol, TextIO

from w2vspark.base.terminal import can_draw, text_above

NAME_WIDTH, BAR_WIDTH, LEAST_BAR_WIDTH, TEXT_WIDTH = 16, 24, 6, 56
REDRAWN_PER_SECOND = 2
NOTEBOOK_WIDTH = 100


@dataclass(slots=True)
class Row:
    """A stage that is going on."""

    name: str
    began: float = field(default_factory=lambda: time.perf_counter())
    apart: float = 0.0  # seconds since then that do not count
    done: float = 0.0
    all: float = 0.0  # 0 = unknown
    text: str = ""  # after the bar


class Bars(Protocol):
    """Where rows are drawn."""

    def start(self) -> None:
        """Begin to draw."""

    def draw(self, rows: Sequence[Row]) -> None:
        """Draw these rows, instead of the earlier ones."""

    def keep(self, line: str) -> None:
        """Write a line that stays, above the rows."""

    def end(self) -> None:
        """Remove the rows."""


def bars_for(stream: TextIO | None) -> Bars | None:
    """The bars for a stream; None if it is neither a terminal nor a notebook's output, as in a scheduler's log."""
    if can_draw(stream):
        return TerminalBars(stream)
    if stream is sys.stderr and "IPython" in sys.modules:
        from rich.console import Console

        if Console().is_jupyter:
            return NotebookBars()
    return None


class TerminalBars:
    """Rows at the end of a terminal, which are redrawn in place."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._opened = ExitStack()
        self._console: Any = None
        self._bars: Any = None
        self._tasks: dict[int, Any] = {}  # rich's numbers, by the identity of rows

    def start(self) -> None:
        """Begin to draw; the cursor is hidden until `end`."""
        from rich.console import Console

        file = self._opened.enter_context(_own_stream(self._stream))
        self._console = Console(file=file, force_jupyter=False)
        self._fit()
        self._bars = _rich_bars(self._console)
        self._opened.enter_context(text_above(self._write))
        self._opened.enter_context(self._bars)

    def draw(self, rows: Sequence[Row]) -> None:
        """Draw these rows, instead of the earlier ones."""
        self._fit()
        known = {id(row) for row in rows}
        for old in self._tasks.keys() - known:
            self._bars.remove_task(self._tasks.pop(old))
        for row in rows:
            if id(row) not in self._tasks:
                self._tasks[id(row)] = self._bars.add_task(row.name, total=None, text="", row=row)
            self._bars.update(self._tasks[id(row)], total=row.all or None, completed=row.done, text=row.text)

    def keep(self, line: str) -> None:
        """Write a line that stays, above the rows."""
        self._write(f"{line}\n")

    def end(self) -> None:
        """Remove the rows, and show the cursor."""
        self._opened.close()
        self._tasks.clear()

    def _fit(self) -> None:
        """Follow the terminal's size. rich looks at this process's own streams, which may be elsewhere."""
        with suppress(OSError):  # a stream without a descriptor
            self._console.size = os.get_terminal_size(self._console.file.fileno())

    def _write(self, text: str) -> None:
        self._console.out(text.removesuffix("\n"), highlight=False)


@contextmanager
def _own_stream(stream: Any) -> Iterator[Any]:
    """A stream to the same terminal, whose descriptor stays as it is while standard error is redirected."""
    try:
        own = os.dup(stream.fileno())
    except OSError:  # a stream without a descriptor
        yield stream
        return
    with open(own, "w", encoding=stream.encoding, errors=stream.errors) as opened:
        yield opened


def _rich_bars(console: Any) -> Any:
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.table import Column
    from rich.text import Text

    class Elapsed(ProgressColumn):
        def render(self, task: Task) -> Text:
            row = task.fields["row"]
            return Text(clock(time.perf_counter() - row.began - row.apart), no_wrap=True)

    return Progress(
        TextColumn("{task.description}", markup=False, table_column=Column(min_width=NAME_WIDTH, no_wrap=True)),
        BarColumn(bar_width=max(LEAST_BAR_WIDTH, min(BAR_WIDTH, console.width - NAME_WIDTH - TEXT_WIDTH))),
        Elapsed(),
        TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
        console=console,
        transient=True,
        redirect_stdout=False,
        refresh_per_second=REDRAWN_PER_SECOND,
    )


class NotebookBars:
    """Lines and rows as one output of a notebook's cell, which is replaced as the run goes on."""

    def __init__(self) -> None:
        from IPython.display import display

        self._display = display
        self._lines: list[str] = []
        self._rows: Sequence[Row] = ()
        self._output: Any = None

    def start(self) -> None:
        """Begin to draw, in the output of the cell that runs."""
        if self._output is None:
            self._output = self._display(self._content(), raw=True, display_id=True)

    def draw(self, rows: Sequence[Row]) -> None:
        """Draw these rows, instead of the earlier ones."""
        self._rows = list(rows)
        self._output.update(self._content(), raw=True)

    def keep(self, line: str) -> None:
        """Write a line that stays, above the rows."""
        self._lines.append(line)
        self.draw(self._rows)

    def end(self) -> None:
        """Remove the rows."""
        self.draw(())

    def _content(self) -> dict[str, str]:
        from rich.console import Console

        text = StringIO()
        console = Console(file=text, width=NOTEBOOK_WIDTH, force_jupyter=False, color_system=None)
        bars = _rich_bars(console)
        for row in self._rows:
            bars.add_task(row.name, total=row.all or None, completed=row.done, text=row.text, row=row)
        if self._rows:
            console.print(bars.get_renderable())
        return {"text/plain": "".join(f"{line}\n" for line in self._lines) + text.getvalue()}


def clock(seconds: float) -> str:
    """A duration as minutes and seconds, or with hours: 0:04, 1:00:04."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
