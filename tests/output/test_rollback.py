"""Rollback: where it goes, and what stays away after it."""

import shutil
from pathlib import Path

import pytest
from version_cases import Held, candidate, current, published

from w2vspark.base.errors import OutputError
from w2vspark.output import versions
from w2vspark.output.versions import HELD


def test_a_rollback_names_what_must_not_come_back(tmp_path: Path) -> None:
    published(tmp_path, 1, 2, 3)
    claim = Held(tmp_path, 4)
    assert versions.rollback(str(tmp_path), claim) == "000002"
    assert current(tmp_path)["version"] == "000002"
    assert current(tmp_path)["rolled_back"] == {"from": "000003", "requests": ["r3"]}
    assert versions.rollback(str(tmp_path), claim) == "000001"
    assert current(tmp_path)["rolled_back"] == {"from": "000002", "requests": ["r2", "r3"]}
    with pytest.raises(OutputError, match="has no older version that is whole and was never rolled back from"):
        versions.rollback(str(tmp_path), claim)
    versions.promote(str(tmp_path), claim, "000003")
    assert current(tmp_path)["version"] == "000003" and "rolled_back" not in current(tmp_path)
    versions.rollback(str(tmp_path), claim, "000001")
    assert current(tmp_path)["rolled_back"] == {"from": "000003", "requests": ["r2", "r3"]}
    with pytest.raises(OutputError, match="000003 is not before the current version 000001; use w2vspark promote"):
        versions.rollback(str(tmp_path), claim, "000003")


def test_a_rollback_passes_over_what_was_rolled_back_from(tmp_path: Path) -> None:
    published(tmp_path, 1, 2)
    claim = Held(tmp_path, 3)
    assert versions.rollback(str(tmp_path), claim) == "000001"
    published(tmp_path, 3)  # of another corpus
    assert current(tmp_path)["rolled_back_from"] == ["000002"] and "rolled_back" not in current(tmp_path)
    assert versions.rollback(str(tmp_path), claim) == "000001", "2 was rolled back from, too"
    assert current(tmp_path)["rolled_back"] == {"from": "000003", "requests": ["r2", "r3"]}


def test_a_rollback_after_a_promotion_of_an_older_version_keeps_the_newer_ones_away(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2, 3, 4)
    versions.promote(str(tmp_path), claim, "000003")
    assert versions.rollback(str(tmp_path), claim, "000003") == "000003"  # stay here
    assert current(tmp_path)["rolled_back"] == {"from": "000004", "requests": ["r4"]}
    versions.promote(str(tmp_path), claim, "000003")
    assert versions.rollback(str(tmp_path), claim) == "000002"
    assert current(tmp_path)["rolled_back"] == {"from": "000003", "requests": ["r3", "r4"]}
    versions.promote(str(tmp_path), claim, "000004")
    with pytest.raises(OutputError, match="000004 is not before the current version 000004"):
        versions.rollback(str(tmp_path), claim, "000004")


def test_a_rollback_from_a_version_that_is_lost_keeps_away_what_it_was_made_from(tmp_path: Path) -> None:
    claim = published(tmp_path, 1, 2)
    shutil.rmtree(tmp_path / "versions" / "000002")
    assert versions.rollback(str(tmp_path), claim) == "000001"
    assert current(tmp_path)["rolled_back"] == {"from": "000002", "requests": ["r2"]}


def test_a_candidate_is_not_among_what_was_rolled_back(tmp_path: Path) -> None:
    published(tmp_path, 1)
    candidate(tmp_path, 2, HELD, request="r2")
    versions.rollback(str(tmp_path), published(tmp_path, 3))
    assert current(tmp_path)["rolled_back"] == {"from": "000003", "requests": ["r3"]}


def test_a_rollback_passes_over_damaged_versions_and_candidates(tmp_path: Path) -> None:
    published(tmp_path, 1, 2)
    candidate(tmp_path, 3, HELD)
    claim = published(tmp_path, 4)
    shutil.rmtree(tmp_path / "versions" / "000002" / "vectors")
    shutil.rmtree(tmp_path / "versions" / "000004")  # the current one is gone altogether
    assert [(v.name, v.problem[:9], v.current) for v in versions.list_versions(str(tmp_path))] == [
        ("000001", "", False), ("000002", "vectors/p", False), ("000003", "", False),
    ]  # fmt: skip
    assert versions.rollback(str(tmp_path), claim) == "000001"
    assert current(tmp_path)["version"] == "000001"
