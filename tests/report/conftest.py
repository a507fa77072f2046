import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# `make` installs the packages of the extra `report` here. If every run of the tests found them, each one
# would draw a map, which takes longer than the rest of a small run.
MAP_PACKAGES = Path(sys.prefix) / "map"


@pytest.fixture(scope="module")
def umap() -> Iterator[Path]:
    """The packages that draw the map, for the tests of a module; returns their folder."""
    if not MAP_PACKAGES.exists():
        pytest.skip(f"{MAP_PACKAGES} is missing: make .venv/installed-for-tests installs umap-learn there")
    sys.path.append(str(MAP_PACKAGES))
    yield MAP_PACKAGES
    sys.path.remove(str(MAP_PACKAGES))
    for name in list(sys.modules):
        if name.partition(".")[0] in ("umap", "pynndescent"):
            del sys.modules[name]
    assert find_spec("umap") is None, "the tests' own environment must not have it"
