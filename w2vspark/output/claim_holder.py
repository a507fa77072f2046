"""The text of a claim: which run holds it, and whether this run is dead."""

import functools
import json
import os
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from w2vspark.base.errors import OutputError

# A claim is rewritten in place. All texts have one size, so that a reader always gets a complete one.
TEXT_BYTES = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The run that holds a claim, as the claim's text describes it."""

    run_id: str
    term: int
    host: str
    pid: int
    boot: str  # the kernel's boot id; "" = unknown
    locked: bool  # the claim's file is flock'ed as long as the holder lives
    started: float  # seconds since 1970; for people only, no decision depends on it
    renewals: int
    renewed: float  # seconds of the monotonic clock, which all processes of one boot share
    released: bool

    def text(self) -> bytes:
        """The content of the claim's file."""
        return json.dumps(asdict(self)).ljust(TEXT_BYTES - 1).encode() + b"\n"

    def is_dead(self, lock_is_free: bool) -> bool:
        """Whether the claim itself proves that its run has ended. If not, watch whether the claim is renewed."""
        return self.released or (self.locked and lock_is_free and self._is_near())

    def age(self) -> float | None:
        """Seconds since the last renewal; None without a common clock."""
        age = time.monotonic() - self.renewed
        return age if self._is_near() and age >= 0 else None  # a container may have a clock of its own

    def _is_near(self) -> bool:
        return self.boot != "" and self.boot == boot_id()


def this_process(run_id: str) -> Holder:
    """The holder for this process, without a term yet."""
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
    """The holder in a claim's text; None for a text that is cut or damaged, no claim, or has values of a wrong type."""
    try:
        value = json.loads(text)
        holder = Holder(**value)
    except (ValueError, TypeError):  # not JSON or not UTF-8; no object, other keys
        return None
    like = this_process("")
    right = all(type(getattr(holder, key)) is type(getattr(like, key)) for key in Holder.__dataclass_fields__)
    return holder if right else None


def refusal(output_uri: str, claim_uri: str, holder: Holder | None) -> OutputError:
    """The error of a second run while the first one is alive."""
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
    """The kernel's id of this boot of the machine, the same in all its containers; "" if there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
