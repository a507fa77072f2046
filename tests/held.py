"""A claim on an output folder that no other run sees, and the staging under it."""

from pathlib import Path

from w2vspark.base.errors import OutputError
from w2vspark.output.staging import Staging


class Held:
    """A claim that can be lost."""

    def __init__(self, term: int = 7) -> None:
        self.term, self.lost = term, False

    def check(self) -> None:
        if self.lost:
            raise OutputError("another run has taken over")


def staging_of(output: Path) -> Staging:
    """The intermediate tables of a folder, for a test that writes them."""
    return Staging(str(output), Held())
