"""How a run tells how far it is: a bar on a terminal, log lines otherwise."""

import sys
from typing import Any, TextIO

from w2vspark.base.log import get_logger, key_values


class Progress:
    """Called by the engine at each stage, and by the round engine after each round."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.unit = "words"  # that rounds train
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._trained = 0.0  # seconds in the rounds of this process
        self._tokens = 0
        self._rounds = 0

    def stage(self, name: str) -> None:
        """A stage begins."""
        if self._terminal:
            self._stream.write(f"\r\x1b[K{name} …")
            self._stream.flush()

    def round(self, number: int, rounds: int, metrics: list[dict[str, Any]], seconds: float) -> None:
        """A round has ended: how far, how fast, how good, how long still."""
        self._trained += seconds
        self._rounds += 1
        tokens = sum(int(row["tokens"]) for row in metrics)
        self._tokens += tokens
        loss = sum(row["loss"] * row["tokens"] for row in metrics) / max(1, tokens)
        speed = self._tokens / self._trained
        left = self._trained / self._rounds * (rounds - number)
        if self._terminal:
            done = "█" * (24 * number // rounds)
            self._stream.write(
                f"\r\x1b[Ktraining {done:░<24} round {number}/{rounds}  {speed / 1e6:.2f} M {self.unit}/s"
                f"  loss {loss:.3f}  {_clock(left)} left"
            )
            self._stream.write("\n" if number == rounds else "")
            self._stream.flush()
            return
        figures = {f"{self.unit}_per_second": round(speed), "loss": round(loss, 4), "seconds": round(seconds, 2)}
        get_logger().info(
            key_values(
                stage="rounds", event="progress", round=number, of=rounds, **figures, seconds_left=round(left, 1)
            )
        )

    def done(self) -> None:
        """Leaves the terminal's line clean."""
        if self._terminal:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
