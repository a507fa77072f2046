"""Only one run at a time writes to an output: it claims the output, renews the claim, and checks it before a change.

OUTPUT/claims/000007.json is the claim of term 7. Only one run can create it, and only this run renews it. A run that
takes over creates the next claim and takes the earlier one away. So a paused run that wakes up finds no claim, and
stops. A claim that is not renewed for 60 s may be taken over; a run renews its claim six times in that time. For tests,
the environment variable W2VSPARK_STALE_SECONDS shortens the 60 s.
"""

import os
import random
import re
import threading
import time
import uuid
from dataclasses import replace
from types import TracebackType

from w2vspark import storage
from w2vspark.base.errors import ConfigError, OutputError, W2VSparkError
from w2vspark.base.log import get_logger, key_values
from w2vspark.output.claim_folder import CLAIMS, DiskFolder, Folder, Hold, claim_folder, numbers
from w2vspark.output.claim_holder import parse, this_process
from w2vspark.output.claim_watch import ended_claims
from w2vspark.output.current import (
    CURRENT,
    outdate,
    read_current_bytes,
    replace_in_store,
    replace_on_disk,
    replace_plainly,
    stopping,
    version_number,
)
from w2vspark.output.marker import MARKER, Kind, check_output, create_marker
from w2vspark.output.staging import STAGING
from w2vspark.output.versions import list_versions
from w2vspark.storage import deletion
from w2vspark.storage.conditional import ObjectVersion, Store, is_store

STALE_SECONDS = 60.0
ENVIRONMENT = "W2VSPARK_STALE_SECONDS"
TRIES = 20  # when several runs start at the same moment and get in each other's way
EVER_CLAIMED = re.compile(r"([0-9]{6,})\.(?:json|taken)")


class Claim:
    """Holds an output during a ``with`` block. First it marks the folder as an output of w2vspark.

    Entering raises OutputError when a living run holds the output, when the folder is not an output or has another
    kind, and when the disk or store cannot keep two runs apart. A dead run's claim is taken over: at once if it was
    made since this machine's last boot and its flock is free, else after nobody has renewed it for ``stale_seconds``;
    entering waits that long. ``kind``: whether the output holds the tables of a "method" or of a "job".
    ``single_writer``: the user promises that no other run writes.
    """

    def __init__(
        self,
        output_uri: str,
        *,
        kind: Kind = "method",
        single_writer: bool = False,
        renew_seconds: float | None = None,  # None = a sixth of stale_seconds
        stale_seconds: float | None = None,  # None = 60, or the environment's value
    ) -> None:
        self.output_uri = output_uri
        self.run_id = uuid.uuid4().hex
        self.term = 0  # after entering: the number of this claim, and of the version that this run may write
        self._output = storage.absolute_uri(output_uri)
        self._kind, self._single_writer = kind, single_writer
        self._stale_seconds = _stale_seconds() if stale_seconds is None else stale_seconds
        self._renew_seconds = self._stale_seconds / 6 if renew_seconds is None else renew_seconds
        self._holder = this_process(self.run_id)
        self._folder: Folder | None = None  # None for a single writer
        self._hold: Hold | None = None
        self._store: Store | None = None
        self._seen: ObjectVersion | None = None  # of current.json in a store, when the output was claimed
        self._renewed = 0.0  # on our own monotonic clock
        self._made_folders: list[str] = []  # the output and its parents, as far as this run made them
        self._made_output = False  # whether this run made the marker
        self._lost = ""  # why this run has lost the claim, which is final
        self._one_at_a_time = threading.Lock()  # renewal and check
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._renew_for_ever, name="w2vspark-claim", daemon=True)

    def __enter__(self) -> "Claim":
        check_output(self._output, self._kind)
        if not self._single_writer:
            self._folder = claim_folder(self._output)
        if isinstance(self._folder, DiskFolder):
            self._made_folders = _missing_folders(self._output)
        self._made_output = create_marker(self._output, self._kind, single_writer=self._single_writer)
        try:
            if self._folder is None:
                self._set_term(self._highest() + 1)
                self._write_plainly()
            else:
                self._claim(self._folder)
                # A run that failed may have undone the output since we read its marker.
                create_marker(self._output, self._kind)
                self._thread.start()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()

    def check(self) -> None:
        """Raise OutputError when this run may no longer write: its claim was taken over or cannot be renewed.

        It is called before each round, record, deletion and promotion.
        """
        if self._single_writer:
            return
        with self._one_at_a_time:
            try:
                if not self._lost and time.monotonic() - self._renewed > self._stale_seconds:
                    self._renew()  # we were paused; if nobody took over, we go on
                if not self._lost and not self._held().is_ours():
                    self._lost = self._why_lost()
            except W2VSparkError as problem:
                raise OutputError(f"{self.output_uri}: cannot check that it is still ours: {problem}") from problem
            if self._lost:
                raise stopping(self.output_uri, self._lost)

    def replace_current(self, text: str) -> None:
        """Replace the text of current.json, if this run still holds the output. A reader sees the old or the new text.

        ``text`` must differ from the texts of other runs, for example by the time of publication. Raises OutputError
        when another run has taken over or published.
        """
        if self._single_writer:
            replace_plainly(self._output, text)
        elif self._store is not None:
            self._seen = replace_in_store(self._store, self.term, self._seen, text, self.check)
        else:
            replace_on_disk(self._output, self.term, text, self.check)

    @property
    def made_output(self) -> bool:
        """Whether the output is this run's: nobody had used it before."""
        return self._made_output and self.term == 1

    def undo_output(self) -> None:
        """Delete the marker and this claim, if this run made the output and nothing else is in it.

        For a run on a disk that failed before it made anything. The output stays claimed until the marker is gone, so
        that no other run begins meanwhile.
        """
        claims = storage.join(self._output, CLAIMS)
        if not (self.made_output and isinstance(self._folder, DiskFolder)):
            return
        deletion.delete_empty_folders(storage.join(self._output, STAGING))
        if set(storage.list_names(self._output)) != {MARKER, CLAIMS}:
            return
        if storage.list_names(claims) != ["000001.json"]:
            return
        self.check()
        deletion.delete_own_file(storage.join(self._output, MARKER), self._output)
        deletion.delete_own_file(storage.join(claims, "000001.json"), self._output)
        if self._hold is not None:
            self._hold.close()  # an open file stays in its folder on NFS
        deletion.delete_empty_folder(claims)
        for folder in self._made_folders:
            deletion.delete_empty_folder(folder)

    def _claim(self, folder: Folder) -> None:
        for attempt in range(TRIES):
            time.sleep(random.uniform(0, 0.05 * attempt))
            ended = ended_claims(folder, self.output_uri, self._renew_seconds, self._stale_seconds)
            if ended is None:
                continue
            self._set_term(self._highest() + 1)
            locked, unlocked = (replace(self._holder, locked=each).text() for each in (True, False))
            self._hold = folder.create(self.term, self.run_id, locked, unlocked)
            if self._hold is None:
                continue
            self._holder = replace(self._holder, locked=self._hold.locked)
            # This run may have been slow: another one may have claimed the output meanwhile, and even have ended.
            if self._stands_alone(folder, ended):
                break
            self._let_go()
        else:
            raise OutputError(f"{self.output_uri}: other runs claim it over and over; run this again")
        for number, text in ended.items():
            holder = parse(text)
            if holder is None or not holder.released:
                run_id = holder.run_id if holder else "unknown"
                claim = folder.uri(number)
                get_logger().warning(key_values(event="claim_taken_over", claim=claim, from_run=run_id))
        folder.retire(sorted(ended), self.term, replace(self._holder, released=True).text())
        with self._one_at_a_time:
            self._renew()  # at once, so that a disk that cannot rewrite a file in place is an error now
        self.check()
        if is_store(self._output):
            self._store = Store(self._output)
            if any(holder is None or not holder.released for holder in map(parse, ended.values())):
                self._seen = outdate(self._store, self.term)
            else:
                found = self._store.read(CURRENT)
                self._seen = None if found is None else found[1]

    def _set_term(self, term: int) -> None:
        self.term = term
        self._holder = replace(self._holder, term=term, renewed=time.monotonic())

    def _highest(self) -> int:
        """The highest number of all claims and versions so far."""
        found = numbers(EVER_CLAIMED, storage.list_names(storage.join(self._output, CLAIMS)))
        found += [int(version.name) for version in list_versions(self._output)]
        try:  # a damaged current.json counts as 0 here; its readers report the damage
            found.append(version_number(read_current_bytes(self._output)))
        except FileNotFoundError:
            pass
        return max(found, default=0)

    def _stands_alone(self, folder: Folder, ended: dict[int, bytes]) -> bool:
        """Whether all other claims are lower, and have not changed since they were seen to have ended."""
        for number in folder.standing():
            if number > self.term:
                return False
            if number < self.term:
                seen = folder.read(number)
                if seen is not None and seen.text != ended.get(number):
                    return False
        return True

    def _renew_for_ever(self) -> None:
        while not self._stop.wait(self._renew_seconds):
            with self._one_at_a_time:
                if self._lost:
                    return
                try:
                    self._renew()
                except W2VSparkError as problem:  # if it lasts, check() raises
                    get_logger().warning(key_values(event="claim_not_renewed", output=self._output, problem=problem))

    def _renew(self) -> None:
        now = time.monotonic()
        self._holder = replace(self._holder, renewals=self._holder.renewals + 1, renewed=now)
        if self._held().write(self._holder.text()):
            self._renewed = now
        else:
            self._lost = self._why_lost()

    def _held(self) -> Hold:
        if self._hold is None:
            raise RuntimeError("a claim holds only within its with block")
        return self._hold

    def _why_lost(self) -> str:
        if self._folder is not None:
            for number in reversed(self._folder.standing()):
                seen = self._folder.read(number)
                holder = parse(seen.text) if seen else None
                if holder is not None and holder.run_id != self.run_id:
                    return f"run {holder.run_id} (host {holder.host}, process {holder.pid}) has taken over this output"
        return f"its claim {self.term:06} was taken away"

    def _release(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=self._stale_seconds)
        try:
            self._let_go()
        except W2VSparkError as problem:  # must not hide the run's own outcome; the next run waits for a stale claim
            get_logger().warning(key_values(event="claim_not_released", output=self._output, problem=problem))

    def _let_go(self) -> None:
        # The claim's file stays and says that it is released, so that the numbers never go back.
        hold, self._hold = self._hold, None
        if hold is not None:
            try:
                hold.write(replace(self._holder, released=True).text())
            finally:
                hold.close()

    def _write_plainly(self) -> None:
        folder = storage.join(self._output, CLAIMS)
        storage.write_text(
            storage.join(folder, f"{self.term:06}.json"), replace(self._holder, released=True).text().decode()
        )
        for name in storage.list_names(folder):
            if (found := EVER_CLAIMED.fullmatch(name)) and int(found[1]) < self.term:
                deletion.delete_own_file(storage.join(folder, name), self._output)


def _missing_folders(uri: str) -> list[str]:
    """The folder and its parents that do not exist, the innermost first."""
    found = []
    while uri and not storage.exists(uri):
        found.append(uri)
        uri = storage.parent(uri)
    return found


def _stale_seconds() -> float:
    text = os.environ.get(ENVIRONMENT, "")
    try:
        seconds = float(text or STALE_SECONDS)
    except ValueError:
        seconds = 0.0
    if not seconds > 0:
        raise ConfigError(f"{ENVIRONMENT}={text}: is not a number of seconds above 0")
    return seconds
