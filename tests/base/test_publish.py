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
    find_version,
    next_version,
    prune,
    publish,
    read_current,
    resolve,
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
    return int(storage.read_table(resolve(str(output)).table("vectors")).num_rows)


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
    version = resolve(str(tmp_path))
    assert (version.folder, version.name, version.run_id) == (f"{tmp_path}/versions/000001", "000001", "r1")
    assert version.manifest == manifest_of()
    assert publish_next(tmp_path, rows=5) == "000002"
    assert rows_seen(tmp_path) == 5


def test_a_versions_folder_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    publish_next(tmp_path)
    monkeypatch.chdir(tmp_path.parent)
    assert resolve(tmp_path.name).folder == f"{tmp_path}/versions/000001"


@pytest.mark.parametrize(("make", "why"), [(True, "has no published version"), (False, "is not there")])
def test_an_output_without_a_version_says_how_to_make_one(tmp_path: Path, make: bool, why: str) -> None:
    output = tmp_path / "out"
    if make:
        output.mkdir()
    assert find_version(str(output)) is None
    with pytest.raises(OutputError, match=f"out: {why}; make one with w2vspark run"):
        resolve(str(output))


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


def test_a_version_without_its_manifest_is_named(tmp_path: Path) -> None:
    publish_next(tmp_path)
    (tmp_path / "versions" / "000001" / "manifest.json").unlink()
    with pytest.raises(OutputError, match=r"000001/manifest\.json: is missing"):
        resolve(str(tmp_path))


def test_a_version_is_found_by_its_own_folder_too(tmp_path: Path) -> None:
    publish_next(tmp_path)
    first = resolve(str(tmp_path))
    publish_next(tmp_path, rows=5)
    assert resolve(f"file://{first.folder}/") == first != resolve(str(tmp_path))
    assert len({first, resolve(first.folder), resolve(str(tmp_path))}) == 2, "a version is a key for caches"
    with pytest.raises(OutputError, match=r"/versions/000009: there is no published version .*w2vspark rollback "):
        resolve(f"{tmp_path}/versions/000009")


def test_a_versions_tables_have_the_rows_that_its_manifest_says(tmp_path: Path) -> None:
    publish_next(tmp_path)
    version = resolve(str(tmp_path))
    assert version.table("vectors") == f"{version.folder}/vectors"
    assert version.files("vectors", "none") == ("vectors/part-0.parquet", "vectors/part-1.parquet")
    with pytest.raises(OutputError, match="this version has no table 'context'; it has vectors, vocabulary"):
        version.table("context")
    Path(version.folder, "vectors", "part-1.parquet").unlink()
    with pytest.raises(OutputError, match=r"vectors: has 1 rows, expected 3; run the job again, .*w2vspark rollback "):
        version.table("vectors")


def test_a_manifest_of_another_shape_is_named(tmp_path: Path) -> None:
    publish_next(tmp_path)
    for text, why in (('{"run_id": "r1"}', "lacks run_id, tables"), ('{"run_id": "r", "tables": []}', "is no object")):
        (tmp_path / "versions" / "000001" / "manifest.json").write_text(text)
        with pytest.raises(OutputError, match=rf"manifest\.json: .*{why}.*w2vspark rollback {tmp_path}"):
            resolve(str(tmp_path))


def test_a_reader_hears_of_a_version_that_changed_while_it_read(tmp_path: Path) -> None:
    publish_next(tmp_path)
    version = resolve(str(tmp_path))
    with version.reading("read again"):
        publish_next(tmp_path, rows=5)  # another version changes nothing
    with pytest.raises(ValueError, match="the reader's own"), version.reading("read again"):
        raise ValueError("the reader's own")
    manifest = Path(version.folder, "manifest.json")
    with pytest.raises(OutputError, match="version 000001 was replaced by run r2"), version.reading("read again"):
        manifest.write_text(json.dumps(manifest_of() | {"run_id": "r2"}))
    manifest.unlink()
    with pytest.raises(OutputError, match=r"000001 was deleted .*; read again"), version.reading("read again"):
        raise FileNotFoundError(manifest)
