"""The decorator that compiles every kernel: cached on disk, without the interpreter's lock, and never stale."""

import hashlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any

from numba import njit


def _modules(path: Iterable[str], prefix: str) -> Iterator[pkgutil.ModuleInfo]:
    """All modules below a package, without importing them."""
    for module in pkgutil.iter_modules(path, prefix):
        yield module
        if module.ispkg:
            folders = [f"{folder}/{module.name.rpartition('.')[2]}" for folder in path]
            yield from _modules(folders, f"{module.name}.")


def _sources_digest() -> str:
    """A hash of the source of all kernel modules. They may be files or in an archive."""
    digest = hashlib.sha256()
    package = import_module(__package__)
    for module in sorted(_modules(list(package.__path__), f"{__package__}."), key=lambda found: found.name):
        loader: Any = module.module_finder.find_spec(module.name, None).loader  # type: ignore[union-attr]
        source = loader.get_source(module.name)
        digest.update(f"{module.name}\0{source}\0".encode())
    return digest.hexdigest()


SOURCES = _sources_digest()


def compiled(function: Callable[..., Any]) -> Any:
    """numba's njit(cache=True, nogil=True), with a cache that depends on the source of all kernels.

    numba's own stamp is the time and size of the kernel's file. It would run an old kernel after a change in another
    module that is compiled into it, and would find no cached kernel in an archive that does not keep file times.
    """
    dispatcher = njit(cache=True, nogil=True)(function)
    dispatcher._cache._cache_file._source_stamp = SOURCES
    return dispatcher
