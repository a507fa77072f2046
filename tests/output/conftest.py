"""Outputs that do not exist yet, on a disk and in a store."""

from pathlib import Path

import pytest


@pytest.fixture(params=["disk", "store"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An output that does not exist yet."""
    if request.param == "disk":
        return str(tmp_path / "out")
    bucket: str = request.getfixturevalue("bucket")
    return f"{bucket}/models/out"


@pytest.fixture
def disk(tmp_path: Path) -> str:
    return str(tmp_path / "out")
