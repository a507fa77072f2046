"""The folder OUTPUT/claims, on disks and in stores: one run creates a claim, renews it in place and retires it."""

import errno
import fcntl
import os
import re
from typing import NamedTuple, Protocol

from w2vspark import storage
from w2vspark.output.current import delete_drafts
from w2vspark.storage.conditional import Conflict, ObjectVersion, Store, is_store, link, no_conditions
from w2vspark.storage.uris import reaching

CLAIMS = "claims"
VISIBLE = re.compile(r"([0-9]{6,})\.json")
TAKEN = re.compile(r"([0-9]{6,})\.taken")  # on disks: claims of earlier terms, for people who ask what happened
DRAFT = re.compile(r"\.([0-9]{6,})\.[0-9a-f]{32}\.draft")
KEPT_TERMS = 16  # older claims are deleted
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOLCK)


class Seen(NamedTuple):
    """A claim, as another run reads it."""

    text: bytes
    lock_is_free: bool  # on disks: no living process holds its flock


class Hold(Protocol):
    """A claim of this run."""

    locked: bool  # its file is flock'ed

    def write(self, text: bytes) -> bool:
        """Rewrite the claim, but never create it; False when it is no longer ours."""

    def is_ours(self) -> bool:
        """Whether the claim exists and still has this run's text."""

    def close(self) -> None:
        """Let go of the claim; its text stays."""


class Folder(Protocol):
    """The claims of an output. All methods raise EnvironmentFailure when the disk or store cannot be used."""

    def standing(self) -> list[int]:
        """Sorted numbers of the claims that nobody has taken away."""

    def read(self, number: int) -> Seen | None:
        """The claim with this number; None when there is none, or it was taken away."""

    def create(self, number: int, run_id: str, locked: bytes, unlocked: bytes) -> Hold | None:
        """Create a claim; None when its number is taken. locked, unlocked: its text, with and without a flock on it."""

    def retire(self, lower: list[int], term: int, text: bytes) -> None:
        """Take away claims of lower terms, so that their holders can no longer renew, check or promote."""

    def uri(self, number: int) -> str:
        """The URI of a claim."""


def claim_folder(output_uri: str) -> Folder:
    """The claims of an output. Raises OutputError where nothing keeps two runs apart."""
    fs, path = storage.filesystem(output_uri)
    if is_store(output_uri):
        return StoreFolder(output_uri)
    if fs.type_name != "local":
        raise no_conditions(output_uri, fs.type_name)
    return DiskFolder(path)


class DiskFolder:
    """Claims on a disk, also on NFS. A claim is flock'ed by its holder before it appears."""

    def __init__(self, output: str) -> None:
        self._output = output
        self._folder = os.path.join(output, CLAIMS)

    def uri(self, number: int) -> str:
        return os.path.join(self._folder, f"{number:06}.json")

    def standing(self) -> list[int]:
        with reaching(self._folder):
            os.makedirs(self._folder, exist_ok=True)
            return numbers(VISIBLE, os.listdir(self._folder))

    def read(self, number: int) -> Seen | None:
        with reaching(self.uri(number)):
            try:
                descriptor = os.open(self.uri(number), os.O_RDONLY | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None
            try:
                return Seen(os.pread(descriptor, 1 << 16, 0), _lock(descriptor, fcntl.LOCK_SH) is True)
            finally:
                os.close(descriptor)  # this also releases the shared lock

    def create(self, number: int, run_id: str, locked: bytes, unlocked: bytes) -> "DiskHold | None":
        path, draft = self.uri(number), os.path.join(self._folder, f".{number:06}.{run_id}.draft")
        with reaching(path):
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
            try:
                holds = _lock(descriptor, fcntl.LOCK_EX)
                os.pwrite(descriptor, locked if holds else unlocked, 0)
                os.fsync(descriptor)
                created = link(draft, path)
                _unlink(draft)
            except BaseException:
                os.close(descriptor)
                _unlink(draft)
                raise
        if not created:
            os.close(descriptor)
            return None
        return DiskHold(path, descriptor, run_id, bool(holds))

    def retire(self, lower: list[int], term: int, text: bytes) -> None:
        with reaching(self._folder):
            for number in lower:
                self._take_away(number, text)
            for name in os.listdir(self._folder):
                old = TAKEN.fullmatch(name) or DRAFT.fullmatch(name)
                if old and int(old[1]) < term - KEPT_TERMS:
                    _unlink(os.path.join(self._folder, name))
        delete_drafts(self._output, term)

    def _take_away(self, number: int, text: bytes) -> None:
        # The new text is for NFS, where the holder's client may still use the old name for some seconds.
        try:
            descriptor = os.open(self.uri(number), os.O_WRONLY | os.O_NOFOLLOW)
            try:
                os.pwrite(descriptor, text, 0)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, PermissionError):  # gone; or another user's file, which we may still rename
            pass
        try:
            os.rename(self.uri(number), os.path.join(self._folder, f"{number:06}.taken"))
        except FileNotFoundError:
            pass


class DiskHold:
    """A claim of this run on a disk. The descriptor stays open, and keeps the flock, as long as the process lives."""

    def __init__(self, path: str, descriptor: int, run_id: str, locked: bool) -> None:
        self.locked = locked
        self._path, self._descriptor, self._run_id = path, descriptor, run_id.encode()

    def write(self, text: bytes) -> bool:
        with reaching(self._path):
            descriptor = self._open(os.O_RDWR)
            if descriptor is None:
                return False
            try:
                os.pwrite(descriptor, text, 0)
            finally:
                os.close(descriptor)
        return True

    def is_ours(self) -> bool:
        with reaching(self._path):
            descriptor = self._open(os.O_RDONLY)
            if descriptor is None:
                return False
            os.close(descriptor)
        return True

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, flags: int) -> int | None:
        # Never creates the file, so that a claim that was taken away cannot come back.
        try:
            descriptor = os.open(self._path, flags | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        ours = os.path.samestat(os.fstat(descriptor), os.fstat(self._descriptor))
        if ours and self._run_id in os.pread(descriptor, 1 << 16, 0):
            return descriptor
        os.close(descriptor)
        return None


class StoreFolder:
    """Claims in a store with conditional writes. Only the missing renewals show there that a holder is dead."""

    def __init__(self, output_uri: str) -> None:
        self._store = Store(output_uri)
        self._tried = False

    def uri(self, number: int) -> str:
        return storage.join(self._store.uri, _name(number))

    def standing(self) -> list[int]:
        return numbers(VISIBLE, self._store.names(CLAIMS))

    def read(self, number: int) -> Seen | None:
        found = self._store.read(_name(number))
        return None if found is None else Seen(found[0], False)

    def create(self, number: int, run_id: str, locked: bytes, unlocked: bytes) -> "StoreHold | None":
        if not self._tried:
            self._store.require_conditions(f"{CLAIMS}/.{run_id}")
            self._tried = True
        try:
            return StoreHold(self._store, _name(number), run_id, self._store.create(_name(number), unlocked))
        except Conflict:
            return None

    def retire(self, lower: list[int], term: int, text: bytes) -> None:
        for number in lower:
            self._store.delete(_name(number))


class StoreHold:
    """A claim of this run in a store."""

    def __init__(self, store: Store, name: str, run_id: str, version: ObjectVersion) -> None:
        self.locked = False
        self._store, self._name, self._run_id, self._version = store, name, run_id.encode(), version

    def write(self, text: bytes) -> bool:
        for _ in range(2):
            try:
                self._version = self._store.replace(self._name, text, self._version)
                return True
            except Conflict:
                found = self._store.read(self._name)
                if found is None or self._run_id not in found[0]:
                    return False
                self._version = found[1]  # an earlier renewal arrived, though its answer was lost
        return False

    def is_ours(self) -> bool:
        found = self._store.read(self._name)
        return found is not None and self._run_id in found[0]

    def close(self) -> None:
        pass


def numbers(pattern: re.Pattern[str], names: list[str]) -> list[int]:
    """The sorted numbers in the names that match the whole pattern, whose first group is the number."""
    return sorted({int(match[1]) for match in map(pattern.fullmatch, names) if match})


def _name(number: int) -> str:
    return f"{CLAIMS}/{number:06}.json"


def _lock(descriptor: int, kind: int) -> bool | None:
    """Whether this process got the flock; None where the disk has no such locks."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
