"""Paths and URIs: their form for Spark and for pyarrow, and the file system that serves them."""

import functools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
import pyarrow.fs as pafs

from w2vspark.base.errors import EnvironmentFailure

# Spark's (Hadoop's) name of a scheme -> pyarrow's name. Scheme and bucket of an S3, Google or Azure URI choose the file
# system. Its credentials come from the environment, as for the cloud's own tools.
SCHEMES = {"hdfs": "hdfs", "s3": "s3", "s3a": "s3", "s3n": "s3", "gs": "gs", "abfs": "abfs", "abfss": "abfss"}
FLAT_STORES = ("s3", "gcs", "abfs")  # folders are only names there: making one would leave an empty object

FULL_DISK = "No space left on device|Disk quota exceeded"  # a regular expression for messages of operating systems


def absolute_uri(path: str) -> str:
    """A path or URI in the one form that every process understands.

    Local paths become absolute and lose their scheme (``file:///x`` -> ``/x``), and ``~`` is expanded. Remote URIs stay
    as given, because Spark gets them in this form (``s3a://bucket/key``).
    """
    scheme, rest = _scheme(path)
    if scheme not in ("", "file"):
        return path
    if scheme == "file" and rest.startswith("//"):
        host, slash, tail = rest[2:].partition("/")
        if host not in ("", "localhost"):
            raise EnvironmentFailure(f"{path}: a file: URI cannot name the host {host!r}; write file:///{tail}")
        rest = slash + tail
    return os.path.abspath(os.path.expanduser(rest))


def filesystem(uri: str) -> tuple[pafs.FileSystem, str]:
    """The file system of a URI, and the path in it.

    Raises EnvironmentFailure for a scheme that is not supported, and when the store cannot be reached.
    """
    base, rest = split_uri(uri)
    if not base:
        return pafs.LocalFileSystem(), rest
    remote, root = _remote(base)
    return remote, (root + rest).rstrip("/") or "/"


def split_uri(uri: str) -> tuple[str, str]:
    """``s3a://bucket/key`` -> (``s3a://bucket``, ``/key``); a local path -> ("", its absolute form)."""
    uri = absolute_uri(uri)
    scheme, rest = _scheme(uri)
    if not scheme:
        return "", uri
    if not rest.startswith("//"):  # Hadoop's short form hdfs:/path
        return f"{scheme}://", rest
    authority, slash, path = rest[2:].partition("/")
    return f"{scheme}://{authority}", (slash + path).rstrip("/")


def join(uri: str, *names: str) -> str:
    """The URI of a file or folder below a folder."""
    return "/".join([uri.rstrip("/"), *(name.strip("/") for name in names)])


def parent(uri: str) -> str:
    """The URI of the folder that holds a file or folder."""
    base, path = split_uri(uri)
    return base + path.rpartition("/")[0]


@contextmanager
def reaching(uri: str) -> Iterator[None]:
    """Turn errors of a file system into EnvironmentFailure, which names the URI. FileNotFoundError passes."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException) as error:
        advice = "check the path, the network and this process's permissions or credentials"
        if re.search(FULL_DISK, str(error)):
            advice = "the disk is full: free space there, or name a folder on a larger disk"
        raise EnvironmentFailure(f"{uri}: cannot be used ({first_line(error)}); {advice}") from error


def first_line(error: Exception) -> str:
    """The text of an error, without the traces that file systems append."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _scheme(uri: str) -> tuple[str, str]:
    match = re.match(r"([A-Za-z][A-Za-z0-9+.\-]*):(?=/)", uri)
    return (match[1].lower(), uri[match.end() :]) if match else ("", uri)


@functools.lru_cache(maxsize=64)
def _remote(base: str) -> tuple[pafs.FileSystem, str]:
    # Only the bucket goes through from_uri: keys may hold characters that are not allowed in a URI.
    scheme, rest = _scheme(base + "/")
    if scheme not in SCHEMES:
        known = ", ".join(["local paths", *(f"{name}://" for name in sorted(SCHEMES))])
        raise EnvironmentFailure(f"{base}: the storage scheme {scheme}: is not supported; supported are {known}")
    with reaching(base):
        remote, root = pafs.FileSystem.from_uri(f"{SCHEMES[scheme]}:{rest}")
    return remote, root.rstrip("/")
