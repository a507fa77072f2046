"""What a claim says about the run that holds it, and whether that run is dead."""

import functools
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from w2vspark.base.errors import OutputError

# A claim is rewritten in place: with one size for all texts, a reader sees the end of the text that it began.
TEXT_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The text of a claim."""

    run_id: str
    term: int
    host: str
    pid: int
    boot: str  # the kernel's boot id; "" = not known
    locked: bool  # the claim's file is flock'ed as long as the holder lives
    started: float  # seconds since 1970, for people; nothing is decided by it
    renewals: int
    renewed: float  # seconds of the monotonic clock, which all processes of one boot share
    released: bool

    def text(self) -> bytes:
        """As it stands in the claim."""
        return json.dumps(asdict(self)).ljust(TEXT_BYTES - 1).encode() + b"\n"

    def is_dead(self, lock_is_free: bool) -> bool:
        """Whether the claim itself proves that its run has ended. If not, watch whether it stands still."""
        return self.released or (self.locked and lock_is_free and self._is_near())

    def age(self) -> float | None:
        """Seconds since the last renewal; None where no common clock tells."""
        age = time.monotonic() - self.renewed
        return age if self._is_near() and age >= 0 else None  # a container may have a clock of its own

    def _is_near(self) -> bool:
        return self.boot != "" and self.boot == boot_id()


def this_process(run_id: str) -> Holder:
    """The holder that we are, of no term yet."""
    return Holder(
        run_id=run_id,
        term=0,
        host=socket.gethostname(),
        pid=os.getpid(),
        boot=boot_id(),
        locked=False,
        started=time.time(),
        renewals=0,
        renewed=time.monotonic(),
        released=False,
    )


def parse(text: bytes) -> Holder | None:
    """None for what is no claim: torn, damaged or somebody else's text, values of a wrong type."""
    try:
        value = json.loads(text)
        holder = Holder(**value)
    except (ValueError, TypeError):  # not JSON or not UTF-8; no object, other keys
        return None
    like = this_process("")
    right = all(type(getattr(holder, key)) is type(getattr(like, key)) for key in Holder.__dataclass_fields__)
    return holder if right else None


def refusal(output_uri: str, claim_uri: str, holder: Holder | None) -> OutputError:
    """What a second run says while the first one lives."""
    if holder is None:
        return OutputError(
            f"{output_uri}: somebody is writing to {claim_uri}, which is not a claim of this version of w2vspark; "
            "end the run that does it, and run this again"
        )
    age = holder.age()
    renewed = "" if age is None else f", renewed {age:.0f} s ago"
    return OutputError(
        f"{output_uri}: is being written by run {holder.run_id} (host {holder.host}, process {holder.pid}{renewed}); "
        f"wait until it has ended, or end it, and run this again. Its claim is {claim_uri}"
    )


@functools.cache
def boot_id() -> str:
    """What the kernel calls this boot of the machine, in all its containers; "" where it does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
