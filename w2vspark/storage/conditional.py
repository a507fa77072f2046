"""Conditional writes: by hard links on disks, through obstore in stores, because pyarrow has none for stores."""

import errno
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from w2vspark.base.errors import EnvironmentFailure, OutputError
from w2vspark.storage.uris import FLAT_STORES, SCHEMES, filesystem, first_line, split_uri

SINGLE_WRITER = (
    "set output.single_writer = true (promote, rollback, clean: --single-writer) if no other run can write to this "
    "output at the same time"
)
# A store that does not answer within this time has failed. A claim must learn this well before it becomes stale.
RETRIES: Any = {"max_retries": 4, "retry_timeout": timedelta(seconds=20)}


class Conflict(Exception):
    """The condition of a write does not hold: the object exists, or another writer replaced or deleted it."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """Identifies one content of an object: by its ETag on S3 and Azure, by its generation on Google Cloud Storage."""

    e_tag: str | None
    version: str | None

    def condition(self) -> dict[str, str]:
        """The condition of a write, in obstore's form."""
        pairs = {"e_tag": self.e_tag, "version": self.version}
        return {key: value for key, value in pairs.items() if value is not None}


class Store:
    """Small objects below a folder in a store. Their names are paths below that folder.

    Every method raises EnvironmentFailure when the store cannot be reached or refuses the credentials, and OutputError
    when it has no conditional writes.
    """

    def __init__(self, folder_uri: str) -> None:
        """Raises OutputError when obstore is not installed."""
        require_obstore(folder_uri)
        self.uri = folder_uri
        base, key = split_uri(folder_uri)
        self._prefix = key.strip("/")
        with self._reaching(""):
            self._store = _connect(base)

    def create(self, name: str, text: bytes) -> ObjectVersion:
        """Write a new object. Raises Conflict when an object of this name has another text."""
        return self._write(name, text, "create")

    def replace(self, name: str, text: bytes, seen: ObjectVersion) -> ObjectVersion:
        """Replace the content `seen`. Raises Conflict when the object has another content by now, or is gone."""
        return self._write(name, text, seen.condition())

    def read(self, name: str) -> tuple[bytes, ObjectVersion] | None:
        """An object's bytes and their version; None when there is no such object."""
        import obstore

        try:
            with self._reaching(name):
                found = obstore.get(self._store, self._path(name))
                meta = found.meta
                return bytes(found.bytes()), ObjectVersion(meta["e_tag"], meta["version"])
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        """Delete an object; a missing one is fine."""
        import obstore

        try:
            with self._reaching(name):
                obstore.delete(self._store, self._path(name))
        except FileNotFoundError:
            pass

    def names(self, folder: str) -> list[str]:
        """Sorted names of the objects directly in a folder."""
        import obstore

        with self._reaching(folder):
            found = obstore.list_with_delimiter(self._store, self._path(folder))
        return sorted(each["path"].rpartition("/")[2] for each in found["objects"])

    def require_conditions(self, name: str) -> None:
        """Try both conditions on an object of this name. Raises OutputError when the store ignores one."""
        self.create(name, b"1")
        try:
            for condition in ("create", {"e_tag": '"0"', "version": "0"}):
                try:
                    self._put(name, b"2", condition)
                except Conflict:
                    continue
                raise self._unconditional("it overwrites an object though told not to")
        finally:
            self.delete(name)

    def _write(self, name: str, text: bytes, condition: Any) -> ObjectVersion:
        try:
            return self._put(name, text, condition)
        except Conflict:
            found = self.read(name)  # an earlier attempt may have succeeded, though its answer was lost
            if found is not None and found[0] == text:
                return found[1]
            raise

    def _put(self, name: str, text: bytes, condition: Any) -> ObjectVersion:
        import obstore
        from obstore.exceptions import AlreadyExistsError, NotSupportedError, PreconditionError

        try:
            with self._reaching(name):
                found = obstore.put(self._store, self._path(name), text, mode=condition)
        except (AlreadyExistsError, PreconditionError) as error:
            raise Conflict(first_line(error)) from error
        except FileNotFoundError as error:
            raise EnvironmentFailure(
                f"{self.uri}: cannot be used ({first_line(error)}); does its bucket exist?"
            ) from error
        except NotSupportedError as error:
            raise self._unconditional(first_line(error)) from error
        return ObjectVersion(found["e_tag"], found["version"])

    def _path(self, name: str) -> str:
        return "/".join(part for part in (self._prefix, name) if part)

    def _unconditional(self, why: str) -> OutputError:
        return no_conditions(self.uri, f"the store ({why})")

    @contextmanager
    def _reaching(self, name: str) -> Iterator[None]:
        from obstore.exceptions import AlreadyExistsError, BaseError, NotSupportedError, PreconditionError

        try:
            yield
        except (FileNotFoundError, AlreadyExistsError, PreconditionError, NotSupportedError):
            raise
        except (BaseError, OSError, ValueError) as error:
            if "501 Not Implemented" in str(error) or "<Code>NotImplemented" in str(error):
                raise self._unconditional(first_line(error)) from error
            uri = "/".join(part for part in (self.uri, name) if part)
            advice = "check the path, the network and this process's credentials"
            raise EnvironmentFailure(f"{uri}: cannot be used ({first_line(error)}); {advice}") from error


def is_store(uri: str) -> bool:
    """Whether a URI is in an object store: S3, Google Cloud Storage or Azure."""
    return filesystem(uri)[0].type_name in FLAT_STORES


def no_conditions(uri: str, store: str) -> OutputError:
    """The error for a file system or store that cannot keep two runs apart."""
    return OutputError(f"{uri}: {store} has no conditional writes, so two runs could mix; {SINGLE_WRITER}")


def create_file(path: str, text: bytes, draft: str) -> bool:
    """Create a file on a disk in one step; False when it exists already. draft: a temporary path in the same folder."""
    with open(draft, "xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    try:
        return link(draft, path)
    finally:
        os.unlink(draft)


def link(draft: str, path: str) -> bool:
    """Give a file a second name; False when that is taken. Raises OutputError on a disk without hard links."""
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise OutputError(
                f"{path}: the disk has no hard links ({error.strerror}), which keep two runs apart; "
                f"choose another disk, or {SINGLE_WRITER}"
            ) from error
        raise
    return True


def require_obstore(uri: str) -> None:
    """Raise OutputError, which names the fix, when obstore is not installed."""
    if importlib.util.find_spec("obstore") is None:
        raise OutputError(
            f"{uri}: writing to a store needs the package obstore; pip install 'w2vspark[stores]', or {SINGLE_WRITER}"
        )


def _connect(base: str) -> Any:
    # The credentials and the endpoint come from the environment, as for pyarrow.
    from obstore.store import from_url

    scheme, _, authority = base.partition("://")
    url = f"{SCHEMES[scheme]}://{authority}"
    if SCHEMES[scheme] != "s3":
        return from_url(url, retry_config=RETRIES)
    more: dict[str, Any] = {"client_options": {"allow_http": True}}  # for an endpoint that is given as http://
    if not ({"AWS_REGION", "AWS_DEFAULT_REGION"} & set(os.environ)):
        more["region"] = filesystem(base)[0].region  # pyarrow has asked the bucket for it
    files_only = not ({"AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"} & set(os.environ))
    if files_only and importlib.util.find_spec("boto3") is not None:  # boto3 reads ~/.aws/credentials, obstore does not
        from obstore.auth.boto3 import Boto3CredentialProvider

        more["credential_provider"] = Boto3CredentialProvider()
    return from_url(url, retry_config=RETRIES, **more)
