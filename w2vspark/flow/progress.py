"""The progress of a run: a bar on a terminal, and figures for the log."""

import sys
from typing import Any, TextIO

# The first round may compile kernels. A round that is longer than this takes much longer than compiling.
COMPILING_SECONDS = 60.0


class Progress:
    """Shows the progress. The engine calls it at each stage, and the round engine after each round."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.unit = "words"  # what the rounds train on: words or records
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._trained = 0.0  # seconds of all rounds in this process
        self._tokens = 0
        self._seconds: list[float] = []  # of each round in this process

    def stage(self, name: str) -> None:
        """Show that a stage begins."""
        if self._terminal:
            self._stream.write(f"\r\x1b[K{name} …")
            self._stream.flush()

    def round(self, number: int, rounds: int, metrics: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
        """Show that a round has ended: speed, loss and the time that is left. Returns these figures for the log."""
        self._trained += seconds
        self._seconds.append(seconds)
        tokens = sum(int(row["tokens"]) for row in metrics)
        self._tokens += tokens
        loss = sum(row["loss"] * row["tokens"] for row in metrics) / max(1, tokens)
        speed = self._tokens / self._trained
        left = self._left(rounds - number)
        if self._terminal:
            done = "█" * (24 * number // rounds)
            self._stream.write(
                f"\r\x1b[Ktraining {done:░<24} round {number}/{rounds}  {speed / 1e6:.2f} M {self.unit}/s"
                f"  loss {loss:.3f}" + ("" if left is None else f"  {_clock(left)} left")
            )
            self._stream.write("\n" if number == rounds else "")
            self._stream.flush()
        figures = {f"{self.unit}_per_second": round(speed), "loss": round(loss, 4)}
        return figures if left is None else figures | {"seconds_left": round(left, 1)}

    def done(self) -> None:
        """Clear the terminal's line."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _left(self, rounds: int) -> float | None:
        """Seconds that the remaining rounds will take; None while only a first, short round is known."""
        first, *others = self._seconds
        if others:
            return rounds * sum(others) / len(others)
        return rounds * first if first > COMPILING_SECONDS or rounds == 0 else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
