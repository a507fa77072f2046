"""One run at a time on an output: OUTPUT/lock.json says who holds it, and is renewed as long as the run lives."""

import functools
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType

from w2vspark.base import storage
from w2vspark.base.errors import OutputError, W2VSparkError
from w2vspark.base.log import get_logger, key_values


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """What lock.json says; times are seconds since 1970."""

    run_id: str
    host: str
    machine: str  # boot and process-id namespace: a process id means something only within both; "" = not known
    pid: int
    process_start: str  # the kernel's own start time, so that another process with this id is not taken for the holder
    started: float
    renewed: float


class OutputLock:
    """Holds an output folder for the time of a ``with`` block.

    Entering raises OutputError when a living run holds it. A lock is taken over at once from a dead process of this
    machine, from any other holder after ``stale_seconds`` without renewal. Where a file cannot be created exclusively
    (remote stores, disks without links) and in a take-over, the lock is written and read back ``settle_seconds`` later:
    the last writer has it.
    """

    def __init__(
        self, output_uri: str, *, renew_seconds: float = 10, stale_seconds: float = 60, settle_seconds: float = 1
    ) -> None:
        self.output_uri = output_uri
        self.uri = storage.join(storage.absolute_uri(output_uri), "lock.json")
        self.run_id = uuid.uuid4().hex
        self._renew_seconds, self._stale_seconds, self._settle_seconds = renew_seconds, stale_seconds, settle_seconds
        now, pid = time.time(), os.getpid()
        self._holder = Holder(
            run_id=self.run_id,
            host=socket.gethostname(),
            machine=_machine(),
            pid=pid,
            process_start=_process_start(pid) or "",
            started=now,
            renewed=now,
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_for_ever, name="w2vspark-lock", daemon=True)
        self._lost = ""  # why the lock is ours no more, for good
        self._failure: W2VSparkError | None = None  # why the last renewal failed, until one succeeds

    def __enter__(self) -> "OutputLock":
        if not self._create():
            holder = self._read()
            if holder is not None:
                self._refuse_if_living(holder)
                get_logger().warning(
                    key_values(event="lock_taken_over", output=self.output_uri, from_run=holder.run_id)
                )
            self._write()
            time.sleep(self._settle_seconds)
            winner = self._read()
            if winner is None or winner.run_id != self.run_id:
                raise OutputError(
                    f"{self.output_uri}: another run took it at the same moment; wait until that has ended"
                )
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=self._stale_seconds)
        try:
            holder = self._read()
            if holder is not None and holder.run_id == self.run_id:
                storage.delete_file(self.uri)
        except W2VSparkError as problem:  # the run's own outcome counts; the next one waits until the lock is stale
            get_logger().warning(key_values(event="lock_not_released", lock=self.uri, problem=problem))

    def check(self) -> None:
        """Raises OutputError when this run may not write any more: lock.json is gone, another run's or not renewed."""
        if self._failure is not None:
            raise OutputError(f"{self.uri}: could not be renewed, so the output may not be ours: {self._failure}")
        self._look()
        if self._lost:
            raise OutputError(f"{self.output_uri}: {self._lost}; this run stops and publishes nothing, run it again")

    def _renew_for_ever(self) -> None:
        while not self._stop.wait(self._renew_seconds):
            try:
                self._look()
                if self._lost:
                    return
                self._write()
                self._failure = None
            except W2VSparkError as problem:
                self._failure = problem
                get_logger().warning(key_values(event="lock_not_renewed", lock=self.uri, problem=problem))

    def _look(self) -> None:
        holder = self._read()
        if holder is None:
            self._lost = f"its lock {self.uri} was deleted"
        elif holder.run_id != self.run_id:
            self._lost = f"run {holder.run_id} (host {holder.host}, process {holder.pid}) has taken over its lock"

    def _create(self) -> bool:
        # On a local disk the first one wins, and a reader never sees half a text: a link appears whole or not at all.
        fs, path = storage.filesystem(self.uri)
        if fs.type_name != "local":
            return False
        draft = os.path.join(os.path.dirname(path), f".lock.json.{self.run_id}")
        storage.write_text(draft, self._text())
        try:
            os.link(draft, path)
        except OSError:  # it exists, or the disk has no links
            return False
        finally:
            os.unlink(draft)
        return True

    def _refuse_if_living(self, holder: Holder) -> None:
        age = time.time() - holder.renewed
        here = (holder.host, holder.machine) == (self._holder.host, self._holder.machine)
        if age > self._stale_seconds or (here and not _lives(holder)):
            return
        advice = "wait until it has ended, or end it"
        if not here:
            advice += f"; if it is dead, run this again {self._stale_seconds:g} s after its last renewal"
        raise OutputError(
            f"{self.output_uri}: is being written by run {holder.run_id} (host {holder.host}, process {holder.pid}, "
            f"renewed {max(age, 0):.0f} s ago); {advice}. Its lock is {self.uri}"
        )

    def _text(self) -> str:
        return json.dumps(asdict(self._holder), indent=2) + "\n"

    def _write(self) -> None:
        self._holder = replace(self._holder, renewed=time.time())
        storage.write_text(self.uri, self._text())

    def _read(self) -> Holder | None:
        try:
            return Holder(**json.loads(storage.read_bytes(self.uri)))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise OutputError(
                f"{self.uri}: is not a lock of w2vspark ({error}); delete it if no run is going on"
            ) from error


def _lives(holder: Holder) -> bool:
    if holder.process_start:
        return _process_start(holder.pid) == holder.process_start
    try:
        os.kill(holder.pid, 0)  # sends nothing, only asks
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, under another user
        return True
    return True


def _process_start(pid: int) -> str | None:
    """When the kernel started a process, in its own ticks; None when it is dead (a zombie too) or there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return None
    return None if fields[0] in ("Z", "X") else fields[19]


@functools.cache
def _machine() -> str:
    # Two containers may share a name, and see different processes under one id.
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip() + " " + os.readlink("/proc/self/ns/pid")
    except OSError:  # no Linux: the host's name has to do
        return ""
