"""A real pseudo-terminal, and what a person would see on it (pyte draws it)."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

import pyte
from commands import ACTIVATED


class Terminal:
    """A terminal as a context. `stream` is its end for a program in this process."""

    def __init__(self, columns: int = 100, rows: int = 60) -> None:
        self._master, self._slave = pty.openpty()
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.stream = os.fdopen(self._slave, "w", encoding="utf-8")
        self.screen = pyte.Screen(columns, rows)
        self._feed = pyte.ByteStream(self.screen)
        self._read: list[bytes] = []
        self._fed = 0
        self._thread = threading.Thread(target=self._pump, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stream.close()
        self._thread.join(10)
        os.close(self._master)

    @property
    def raw(self) -> str:
        """All that was written so far, with control characters."""
        return b"".join(self._read).decode(errors="replace")

    def lines(self) -> list[str]:
        """What the terminal shows now, without empty lines."""
        read = list(self._read)
        self._feed.feed(b"".join(read[self._fed :]))
        self._fed = len(read)
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def shows(self, *parts: str, seconds: float = 60.0) -> list[str]:
        """What the terminal shows, once one of its lines has all parts."""
        return self._until(lambda lines: any(all(part in line for part in parts) for line in lines), seconds)

    def shows_not(self, part: str, seconds: float = 60.0) -> list[str]:
        """What the terminal shows, once no line has the part, and the cursor is visible."""
        return self._until(lambda lines: not any(part in line for line in lines) and not self.hidden, seconds)

    @property
    def hidden(self) -> bool:
        """Whether the cursor is hidden."""
        return bool(self.screen.cursor.hidden)

    def write(self, text: str) -> None:
        """Type something."""
        os.write(self._master, text.encode())

    def start(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a program on this terminal, which becomes its controlling terminal."""
        return subprocess.Popen(
            command, stdin=self._slave, stdout=self._slave, stderr=self._slave, start_new_session=True,
            env={**ACTIVATED, "TERM": "xterm-256color", **(environment or {})},
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip

    def _until(self, is_so: Callable[[list[str]], bool], seconds: float) -> list[str]:
        deadline = time.monotonic() + seconds
        while not is_so(lines := self.lines()):
            assert time.monotonic() < deadline, "\n".join(lines)
            time.sleep(0.01)
        return lines

    def _pump(self) -> None:
        with suppress(OSError):  # the other end is closed
            while read := os.read(self._master, 1 << 16):
                self._read.append(read)
