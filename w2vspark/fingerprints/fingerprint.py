"""Fingerprints: hashes of all that a table depends on. A table is made again only when its fingerprint changes.

Code counts by its syntax tree; comments, docstrings and formatting do not count. Syntax trees differ between minor
versions of Python, but that version is part of every table's fingerprint anyway.
"""

import dataclasses
import functools
import hashlib
import json
import platform
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from w2vspark.fingerprints.definitions import (
    WHOLE,
    Definition,
    Node,
    admit,
    admitted,
    definitions,
    module_files,
    node_of,
    reached,
    read_source,
)

# Code that makers of tables use, but that cannot change a table's content: modules, and single definitions. It is not
# part of fingerprints, nor is code that only it uses. All other code that a maker uses counts.
PLUMBING = {
    "w2vspark.__version__": "the release's name; its code counts instead",
    "w2vspark.base.advice": "words errors",
    "w2vspark.output.claims": "says who may write",
    "w2vspark.config.config": "settings are in fingerprints key by key; each table's class counts",
    "w2vspark.fingerprints.definitions": "finds the code that counts: fingerprints follow from it",
    "w2vspark.config.keys": "says how settings are stated",
    "w2vspark.base.errors": "names what went wrong; nothing went wrong where a table was made",
    "w2vspark.fingerprints.fingerprint": "makes fingerprints, and compares them",
    "w2vspark.base.log": "writes lines for people",
    "w2vspark.output.staging": "says where tables are, and which are whole",
    "w2vspark.flow.progress": "writes lines for people",
    "w2vspark.spark.session": "starts Spark; Spark's own version counts",
    "w2vspark.spark.shared_storage": "refuses executors that do not fit",
    "w2vspark.spark.worker_errors": "words errors",
}
# Classes that give makers all parts of a run. A maker's own code names the parts that it uses.
HOLDERS = ("w2vspark.flow.run.Run",)
# Packages that decide a table's content, by the name of the import that needs them.
LIBRARIES = {
    "numba": ("numba", "llvmlite"),
    "llvmlite": ("numba", "llvmlite"),
    "numpy": ("numpy",),
    "pyarrow": ("pyarrow",),
    "pyspark": ("pyspark",),
}


def fingerprint(**parts: Any) -> str:
    """A hash of names and values, 16 hexadecimal digits. Their order does not matter.

    Values have the types of JSON, or are dataclasses. Raises TypeError for any other type, ValueError for a NaN or
    infinity.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]


def admit_makers(makers: Iterable[Callable[..., Any]], packages: Iterable[str]) -> None:
    """Count the code of the makers' packages, and of further packages. Call it before the first fingerprint."""
    for module in (*(maker.__module__ for maker in makers), *packages):
        admit(module)


def code_of(*makers: Callable[..., Any]) -> str:
    """The fingerprint of all code that decides what these functions make; see code_fingerprint."""
    return code_fingerprint(*map(_full_name, makers))


def versions_of(
    *makers: Callable[..., Any], chosen: Collection[str] = (), more: Mapping[str, tuple[str, ...]] | None = None
) -> dict[str, str]:
    """The minor version of Python, and the versions of the LIBRARIES that the functions' code uses.

    chosen: further packages that count if the code uses them. more: further entries of LIBRARIES. A package that is not
    installed has the version "".
    """
    imported = {name for part in _reached(*map(_full_name, makers)).values() for name in part.libraries}
    wanted = LIBRARIES | {name: (name,) for name in chosen} | dict(more or {})
    return library_versions({package for name in imported for package in wanted.get(name, ())})


def library_versions(packages: Iterable[str]) -> dict[str, str]:
    """The minor version of Python, and the versions of these packages; "" for one that is not installed."""
    major, minor, _ = platform.python_version_tuple()
    return {"python": f"{major}.{minor}"} | {package: _version(package) for package in sorted(packages)}


def code_fingerprint(*names: str) -> str:
    """The fingerprint of modules ("w2vspark.stages.encoded") or definitions ("w2vspark.stages.vectors.vectors").

    It covers all definitions of the package that they use, except PLUMBING and what only HOLDERS use. It reads the
    source and runs no module.
    """
    return _hash(_reached(*names))


@functools.cache
def package_fingerprint() -> str:
    """The fingerprint of the text of all modules, with comments; the same for a folder and a packed archive.

    It shows whether two machines have the same package. No table depends on it.
    """
    digest = hashlib.sha256()
    for name in sorted(module_files()):
        text = read_source(name).encode()
        digest.update(f"{name}\0{len(text)}\0".encode())
        digest.update(text)
    return digest.hexdigest()[:16]


def _reached(*names: str) -> dict[Node, Definition]:
    return _reached_with(admitted(), *names)


@functools.cache
def _reached_with(_admitted: frozenset[str], *names: str) -> dict[Node, Definition]:
    roots = list(map(node_of, names))
    for name, root in zip(names, roots, strict=True):
        if root.name not in (WHOLE, *definitions(root.module)):
            raise ValueError(f"{name}: is neither a module of the package nor a definition in one")
    return reached(roots, PLUMBING, HOLDERS)


def _hash(found: dict[Node, Definition]) -> str:
    digest = hashlib.sha256()
    for node, definition in sorted(found.items(), key=lambda item: item[0]):
        digest.update(f"{node.module}\0{node.name}\0{definition.digest}\n".encode())
    return digest.hexdigest()[:16]


def _full_name(function: Callable[..., Any]) -> str:
    admit(function.__module__)
    return f"{function.__module__}.{function.__qualname__}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:  # the stage that needs it says how to install it
        return ""


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"a fingerprint cannot be made of {type(value).__name__}: {value!r}")
