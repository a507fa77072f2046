"""The folder contract: a reader sees the old version or the new one, whatever fails in between."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from w2vspark.base import storage
from w2vspark.base.errors import EnvironmentFailure, OutputError
from w2vspark.base.lock import OutputLock
from w2vspark.base.publish import (
    check_output,
    current_path,
    next_version,
    prune,
    publish,
    read_current,
    read_manifest,
    version_path,
)


def write_version(output: Path, rows: int = 3) -> str:
    """Writes tables of two files into a new version's folder; returns its name."""
    version = next_version(str(output))
    for table in ("vectors", "vocabulary"):
        folder = Path(version_path(str(output), version)) / table
        folder.mkdir(parents=True)
        ids = pa.table({"id": list(range(rows))})
        pq.write_table(ids.slice(0, 1), folder / "part-0.parquet")
        pq.write_table(ids.slice(1), folder / "part-1.parquet")
    return version


def manifest_of(rows: int = 3, **more: Any) -> dict[str, Any]:
    return {"run_id": "r1", "tables": {"vectors": rows, "vocabulary": rows}, **more}


def held() -> None:
    """A lock that is ours."""


def publish_next(output: Path, rows: int = 3, owned: Callable[[], None] = held) -> str:
    version = write_version(output, rows)
    publish(str(output), version, manifest_of(rows), owned)
    return version


def rows_seen(output: Path) -> int:
    return int(storage.read_table(storage.join(current_path(str(output)), "vectors")).num_rows)


def test_a_published_version_is_what_readers_find(tmp_path: Path) -> None:
    assert read_current(str(tmp_path)) is None
    assert publish_next(tmp_path) == "000001"
    current = read_current(str(tmp_path))
    assert current is not None
    assert current["published"].endswith("+00:00")
    assert {key: current[key] for key in current if key != "published"} == {
        "version": "000001",
        "path": "versions/000001",
        "run_id": "r1",
        "tables": {"vectors": 3, "vocabulary": 3},
    }
    assert current_path(str(tmp_path)) == f"{tmp_path}/versions/000001"
    assert read_manifest(str(tmp_path)) == manifest_of()
    assert publish_next(tmp_path, rows=5) == "000002"
    assert rows_seen(tmp_path) == 5


def test_the_current_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_next(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert current_path(tmp_path.name) == f"{tmp_path}/versions/000001"


@pytest.mark.parametrize(("make", "why"), [(True, "has no published version"), (False, "is not there")])
def test_an_output_without_a_version_says_how_to_make_one(tmp_path: Path, make: bool, why: str) -> None:
    output = tmp_path / "out"
    if make:
        output.mkdir()
    for read in (current_path, read_manifest):
        with pytest.raises(OutputError, match=f"out: {why}; make one with w2vspark run"):
            read(str(output))


def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    check_output(str(tmp_path / "missing"))
    check_output(str(tmp_path))
    (tmp_path / ".DS_Store").write_text("")
    check_output(str(tmp_path))
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(OutputError, match=r"holds something else \(thesis.tex\)"):
        check_output(str(tmp_path))
    (tmp_path / "staging").mkdir()
    check_output(str(tmp_path))
    with pytest.raises(OutputError, match=r"thesis\.tex: holds something else \(a file\)"):
        check_output(str(tmp_path / "thesis.tex"))


def test_a_new_version_comes_after_every_folder_and_the_current_one(tmp_path: Path) -> None:
    assert next_version(str(tmp_path)) == "000001"
    (tmp_path / "versions" / "000007").mkdir(parents=True)
    (tmp_path / "versions" / "backup").mkdir()
    assert next_version(str(tmp_path)) == "000008"
    (tmp_path / "current.json").write_text(json.dumps({"version": "1000000", "path": "versions/1000000"}))
    assert next_version(str(tmp_path)) == "1000001"


def lose() -> None:
    raise OutputError("the lock was lost")


@pytest.mark.parametrize("damage", ["lost lock", "wrong rows", "missing table", "torn file", "full disk"])
def test_a_publish_that_fails_leaves_the_old_version_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    publish_next(tmp_path, rows=4)
    before = (tmp_path / "current.json").read_bytes()
    version = write_version(tmp_path)
    folder = Path(version_path(str(tmp_path), version))
    expected: type[Exception] = OutputError
    if damage == "missing table":
        (folder / "vectors").rename(tmp_path / "elsewhere")
    if damage == "torn file":
        (folder / "vectors" / "part-1.parquet").write_bytes(b"PAR1")
    if damage == "full disk":
        really_replace = os.replace

        def full(source: str, target: str) -> None:
            if target.endswith("current.json"):
                raise OSError(28, "No space left on device")
            really_replace(source, target)

        monkeypatch.setattr(os, "replace", full)
        expected = EnvironmentFailure
    with pytest.raises(expected):
        rows = 2 if damage == "wrong rows" else 3
        publish(str(tmp_path), version, manifest_of(rows), lose if damage == "lost lock" else held)
    assert (tmp_path / "current.json").read_bytes() == before
    assert rows_seen(tmp_path) == 4


def test_wrong_row_counts_are_said_with_table_and_numbers(tmp_path: Path) -> None:
    version = write_version(tmp_path)
    with pytest.raises(OutputError, match=r"versions/000001/vectors: has 3 rows, expected 7"):
        publish(str(tmp_path), version, manifest_of(7), held)


def test_a_lock_lost_at_the_last_moment_is_noticed_before_current_json_is_switched(tmp_path: Path) -> None:
    publish_next(tmp_path, rows=4)
    version = write_version(tmp_path)
    with OutputLock(str(tmp_path), renew_seconds=1000) as lock:
        text = (tmp_path / "lock.json").read_text().replace(lock.run_id, "other")

        def owned() -> None:
            lock.check()
            if not storage.exists(storage.join(version_path(str(tmp_path), version), "manifest.json")):
                (tmp_path / "lock.json").write_text(text)  # the other run comes between the two checks

        with pytest.raises(OutputError, match=r"run other .* has taken over"):
            publish(str(tmp_path), version, manifest_of(), owned)
    assert rows_seen(tmp_path) == 4
    assert (tmp_path / "lock.json").read_text() == text, "the other run's lock stays"


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    version = publish_next(tmp_path)
    with pytest.raises(OutputError, match="is published already and never changes; publish as 000002"):
        publish(str(tmp_path), version, manifest_of(), held)


def versions_of(output: Path) -> list[str]:
    return sorted(os.listdir(output / "versions"))


@pytest.mark.parametrize(("keep", "left"), [(1, ["000004"]), (2, ["000003", "000004"]), (9, None)])
def test_keep_versions_counts_the_current_one(tmp_path: Path, keep: int, left: list[str] | None) -> None:
    for rows in (3, 4, 5, 6):
        publish_next(tmp_path, rows=rows)
    every = versions_of(tmp_path)
    dropped = prune(str(tmp_path), keep)
    assert versions_of(tmp_path) == (left or every)
    assert sorted(dropped + versions_of(tmp_path)) == every
    assert rows_seen(tmp_path) == 6


def test_leftovers_of_failed_runs_go_but_never_the_current_or_a_newer_one(tmp_path: Path) -> None:
    publish_next(tmp_path)
    failed = write_version(tmp_path)
    current = publish_next(tmp_path, rows=5)
    under_way = write_version(tmp_path)
    assert prune(str(tmp_path), 3) == [failed]
    assert versions_of(tmp_path) == ["000001", current, under_way]
    assert prune(str(tmp_path), 1) == ["000001"]
    assert rows_seen(tmp_path) == 5


def test_going_back_to_an_older_version_keeps_the_newer_ones(tmp_path: Path) -> None:
    publish_next(tmp_path, rows=4)
    first = (tmp_path / "current.json").read_bytes()
    publish_next(tmp_path, rows=5)
    (tmp_path / "current.json").write_bytes(first)
    assert prune(str(tmp_path), 1) == []
    assert rows_seen(tmp_path) == 4


def test_nothing_is_pruned_while_nothing_is_published(tmp_path: Path) -> None:
    write_version(tmp_path)
    assert prune(str(tmp_path), 1) == []
    assert versions_of(tmp_path) == ["000001"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "000001"}', "\udcff"])
def test_a_damaged_current_json_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "current.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(OutputError, match=r"current\.json: (is not JSON|lacks)"):
        read_current(str(tmp_path))


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("version", "abc", 'version is "abc", not a name as "000001"'),
        ("version", 1, "version is 1, not a name"),
        ("path", 5, "path is 5, not a text"),
        ("path", "", 'path is "", not a text'),
        ("tables", ["vectors"], 'tables is ["vectors"], not an object of names and numbers'),
        ("tables", {"vectors": "3"}, 'tables is {"vectors": "3"}, not an object'),
        ("run_id", None, "run_id is null, not a text"),
    ],
)
def test_a_current_json_of_wrong_types_is_named_with_the_key_and_the_fix(
    tmp_path: Path, key: str, value: object, expected: str
) -> None:
    publish_next(tmp_path)
    file = tmp_path / "current.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    for read in (read_current, current_path, next_version):
        with pytest.raises(OutputError) as caught:
            read(str(tmp_path))
        assert str(caught.value).startswith(f"{file}: {expected}")
        assert 'write the version that is to be read into it, as in {"version": "000001"' in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("tables", ["vectors"]),
        ("tables", {"vectors": None}),
        ("fingerprints", []),
        ("fingerprints", {"vectors": 1}),
        ("config", {"subwords": 5}),
        ("corpus", "none"),
        ("vocabulary", 7),
        ("run_id", 3),
    ],
)
def test_a_manifest_of_wrong_types_is_named_with_the_key_and_the_fix(tmp_path: Path, key: str, value: object) -> None:
    publish_next(tmp_path)
    file = tmp_path / "versions" / "000001" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    with pytest.raises(OutputError, match=rf"000001/manifest\.json: {key} is .*, not .*; restore it, or run the job"):
        read_manifest(str(tmp_path))


def test_a_version_without_its_manifest_is_named(tmp_path: Path) -> None:
    publish_next(tmp_path)
    (tmp_path / "versions" / "000001" / "manifest.json").unlink()
    with pytest.raises(OutputError, match=r"000001/manifest\.json: is missing"):
        read_manifest(str(tmp_path))
