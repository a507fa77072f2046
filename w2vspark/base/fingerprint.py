"""Short names for "made from exactly this": a table is made again only when its fingerprint changes."""

import dataclasses
import functools
import hashlib
import importlib.resources
import json
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

CODE_ROOMS = ("base", "kernels", "stages", "training")  # what can change a table; the rest only starts or reads


def fingerprint(**parts: Any) -> str:
    """16 hexadecimal digits that depend on the names and values given, not on their order.

    Values are what JSON holds, and dataclasses; anything else is a TypeError, a NaN or infinity a ValueError.
    """
    canonical = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
    return hashlib.sha256(canonical.encode("utf-8")).hexdigest()[:16]


@functools.cache
def code_fingerprint() -> str:
    """As fingerprint, over the source files that make tables; the same for a folder and a packed archive."""
    return source_fingerprint(importlib.resources.files("w2vspark"))


def source_fingerprint(package: Traversable) -> str:
    """The fingerprint of a package's code: names and contents of the .py files in its CODE_ROOMS."""
    digest = hashlib.sha256()
    for name, file in sorted(_sources(package), key=lambda pair: pair[0]):
        content = file.read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _sources(package: Traversable) -> Iterator[tuple[str, Traversable]]:
    below = [(room, package / room) for room in CODE_ROOMS]
    while below:
        name, place = below.pop()
        if place.is_dir():
            below += [(f"{name}/{child.name}", child) for child in place.iterdir()]
        elif name.endswith(".py"):
            yield name, place


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    raise TypeError(f"a fingerprint cannot be made of {type(value).__name__}: {value!r}")
