"""The check of a candidate: what it adds, what is left when it is cut at any point, and what can be done then."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from version_cases import Held, candidate, current, names

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output import versions
from w2vspark.output.checks import Check
from w2vspark.output.publish import resolve
from w2vspark.output.versions import CHECKED, CHECKING, FAILED, UNCHECKED, list_versions

NAME = "000003"


def staging(output: Path) -> Callable[[], str]:
    names = iter(range(100))
    return lambda: str(output / "staging" / f"file-{next(names)}")


def manifest(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "versions" / NAME / "manifest.json").read_text())
    return found


def checked(output: Path, claim: Held, values: list[int], verdict: str, note: str = "a note") -> None:
    make = staging(output)
    check = Check(str(output), claim, NAME, make)
    check.add_table("scores", pa.table({"value": values}))
    assert check.version().table("scores").endswith("scores")  # what follows can read it
    uri = make()
    storage.write_text(uri, note)
    check.add_artefact("report.html", uri)
    check.end(verdict, {"scores": []})


def test_a_check_adds_tables_and_files_and_its_verdict(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 3, UNCHECKED)
    checked(tmp_path, claim, [1, 2], FAILED + "set spearman")
    found = manifest(tmp_path)
    assert found["candidate"] == "did not pass set spearman" and found["tables"]["scores"] == 2
    assert found["schema_versions"] == {"scores": 1} and set(found["artefacts"]) == {"report.html"}
    (listed,) = list_versions(str(tmp_path))
    assert not listed.problem and not listed.current
    version = resolve(listed.folder)
    assert pq.read_table(version.table("scores"))["value"].to_pylist() == [1, 2]
    assert Path(version.artefact("report.html")).read_text() == "a note"


def test_a_second_check_replaces_what_the_first_one_added_and_then_the_version_can_be_promoted(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 3, UNCHECKED)
    checked(tmp_path, claim, [1, 2], FAILED + "set spearman")
    checked(tmp_path, claim, [5], CHECKED, "another note")
    version = resolve(str(tmp_path / "versions" / NAME))
    assert pq.read_table(version.table("scores"))["value"].to_pylist() == [5]
    assert Path(version.artefact("report.html")).read_text() == "another note"
    versions.promote(str(tmp_path), claim, NAME)
    assert current(tmp_path)["tables"] == {"vectors": 3, "vocabulary": 3, "scores": 1}
    files = {path.name for path in (tmp_path / "versions" / NAME / "scores").iterdir()}
    assert files == {"part-00000.parquet"} and not list((tmp_path / "staging").glob("file-*"))


def cut_at(claim: Held, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run dies before its step-th look at the claim."""
    looks = iter(range(1, 100))

    def check() -> None:
        if next(looks) == step:
            raise OutputError("cut here")

    monkeypatch.setattr(claim, "check", check)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("step", range(1, 7))
def test_a_check_that_is_cut_can_be_repeated_or_the_version_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, before: bool
) -> None:
    claim = candidate(tmp_path, 3, UNCHECKED)
    if before:
        checked(tmp_path, claim, [1, 2, 3], FAILED + "set spearman")
    with monkeypatch.context() as patch, pytest.raises(OutputError, match="cut here"):
        cut_at(claim, step, patch)
        checked(tmp_path, claim, [7], CHECKED)
    (listed,) = list_versions(str(tmp_path))
    assert not listed.problem, "another check may begin"
    if step > 1:
        assert listed.candidate == CHECKING
        with pytest.raises(OutputError, match="check was interrupted; run again the command that made it"):
            versions.promote(str(tmp_path), claim, NAME)
    assert versions.unfinished(str(tmp_path)) == []  # clean leaves it for the next check
    if before:
        versions.delete_version(str(tmp_path), claim, listed)
        assert names(tmp_path) == []
    else:
        checked(tmp_path, claim, [8], CHECKED)
        assert not list_versions(str(tmp_path))[0].problem
        versions.promote(str(tmp_path), claim, NAME)


def test_damage_of_a_table_that_no_check_added_is_still_seen(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 3, UNCHECKED)
    Check(str(tmp_path), claim, NAME, staging(tmp_path))
    (tmp_path / "versions" / NAME / "vectors" / "part-00000.parquet").unlink()
    assert list_versions(str(tmp_path))[0].problem == "vectors/part-00000.parquet is missing or cut"


def test_a_check_does_not_see_what_a_cut_check_has_left_and_deletes_what_it_does_not_add(tmp_path: Path) -> None:
    claim = candidate(tmp_path, 3, UNCHECKED)
    checked(tmp_path, claim, [1, 2], FAILED + "set spearman")
    (tmp_path / "versions" / NAME / "scores" / "part-00000.parquet").unlink()  # as if it had been cut
    check = Check(str(tmp_path), claim, NAME, staging(tmp_path))
    assert not check.version().has("scores") and check.version().has("vectors")
    check.add_table("map", pa.table({"x": [0.5]}))
    assert check.version().has("map")
    check.end(CHECKED, {})
    found = manifest(tmp_path)
    assert set(found["tables"]) == set(found["files"]) == {"vectors", "vocabulary", "map"}
    assert found["artefacts"] == {} and found["added"] == ["map"]
    assert {path.name for path in (tmp_path / "versions" / NAME).iterdir()} == {
        "vectors", "vocabulary", "map", "manifest.json",
    }  # fmt: skip
    versions.promote(str(tmp_path), claim, NAME)
