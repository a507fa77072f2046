"""Claims: made, renewed, released and refused; odd claims and odd disks; numbers, and who is never fenced."""

import fcntl
import json
import os
import threading
import time
from pathlib import Path

import pytest
from claimants import STALE, claim_path, claims, current, eventually, held, refused, said, version

from w2vspark import storage
from w2vspark.base.errors import ConfigError, EnvironmentFailure, OutputError
from w2vspark.output import claim_folder
from w2vspark.output import claims as claims_module
from w2vspark.output.claims import Claim


def stand(output: str, number: int, text: str | bytes) -> Path:
    """Puts a claim there that no run holds."""
    Claim(output, stale_seconds=STALE).__enter__().__exit__(None, None, None)
    path = claim_path(output, number)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_claim_is_renewed_in_place_and_stays_when_it_is_released(output: str) -> None:
    with Claim(output, renew_seconds=0.01) as claim:
        first = said(output, 1)
        assert claim.term == 1
        assert (first["run_id"], first["pid"], first["term"]) == (claim.run_id, os.getpid(), 1)
        eventually(lambda: said(output, 1)["renewals"] > first["renewals"] + 2)
        assert said(output, 1)["started"] == first["started"]
        claim.check()
        assert said(output, 1)["released"] is False
    assert said(output, 1)["released"] is True
    with Claim(output) as claim:
        assert claim.term == 2
        assert claims(output) == ["000002.json"]


def test_a_claim_is_released_when_the_run_fails(output: str) -> None:
    with pytest.raises(KeyError), Claim(output):
        raise KeyError("training")
    assert said(output, 1)["released"] is True


def test_a_failed_run_leaves_nothing_where_it_made_nothing(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name, stays in (("new", False), ("there", True)):
        with Claim(str(tmp_path / name)) as claim:
            (tmp_path / name / "staging" / "word_counts" / "f1").mkdir(parents=True)
            claim.undo_output()
        assert (tmp_path / name).exists() is stays, "the folder goes only where this run made it"
    assert os.listdir(tmp_path / "there") == []
    with Claim(str(tmp_path / "new")) as claim:
        assert claim.term == 1


def test_an_output_that_holds_something_stays(tmp_path: Path) -> None:
    output = tmp_path / "out"
    with Claim(str(output)) as claim:
        (output / "staging").mkdir()
        (output / "staging" / "part.parquet").write_text("rows")
        claim.undo_output()
        claim.check()
        (output / "staging" / "part.parquet").unlink()
    with Claim(str(output)) as claim:  # made by an earlier run
        claim.undo_output()
        claim.check()
    assert sorted(os.listdir(output)) == ["claims", "staging", "w2vspark.json"]


def test_a_run_that_begins_while_a_failed_one_undoes_the_output_has_a_marker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = str(tmp_path / "out")
    really_claim = Claim._claim

    def claim_late(self: Claim, folder: claim_folder.Folder) -> None:
        failed.undo_output()  # behind our look for the marker
        failed.__exit__(None, None, None)
        really_claim(self, folder)

    failed = Claim(output)
    failed.__enter__()
    monkeypatch.setattr(Claim, "_claim", claim_late)
    with Claim(output) as claim:
        claim.check()
        assert sorted(os.listdir(output)) == ["claims", "w2vspark.json"]


def test_the_marker_comes_first_and_a_foreign_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    assert "thesis.doc" in refused(str(tmp_path))
    assert os.listdir(tmp_path) == ["thesis.doc"]
    with Claim(str(tmp_path / "new"), kind="job"):
        assert json.loads((tmp_path / "new" / "w2vspark.json").read_text())["kind"] == "job"
    assert "holds the tables of a job" in refused(str(tmp_path / "new"), kind="method")


def test_a_second_run_is_told_at_once_who_holds_the_output(disk: str) -> None:
    with held(disk) as first:
        began = time.monotonic()
        words = refused(disk)
        assert time.monotonic() - began < 5
        for word in (disk, said(disk, 1)["run_id"], f"process {first.pid}", " s ago", "wait until it has ended"):
            assert word in words
        assert first.does("check") == "done"


def test_a_second_run_in_a_store_is_refused_when_the_first_one_renews(bucket: str) -> None:
    with held(f"{bucket}/out", 6) as first:
        began = time.monotonic()
        assert f"process {first.pid}" in refused(f"{bucket}/out", stale_seconds=60)
        assert time.monotonic() - began < 4
        assert first.does("check") == "done"


def test_failed_renewals_end_a_run_only_when_they_last(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    really_write, broken, failed = claim_folder.DiskHold.write, threading.Event(), threading.Event()

    def write(self: claim_folder.DiskHold, text: bytes) -> bool:
        if broken.is_set():
            failed.set()
            raise EnvironmentFailure("the disk is away")
        return really_write(self, text)

    monkeypatch.setattr(claim_folder.DiskHold, "write", write)
    with Claim(disk, stale_seconds=STALE) as claim:
        broken.set()
        assert failed.wait(10)
        claim.check()
        time.sleep(STALE)
        with pytest.raises(OutputError, match=r"cannot check that it is still ours: the disk is away"):
            claim.check()
        broken.clear()
        claim.check()
        broken.set()
    assert said(disk, 1)["released"] is False  # a failure to release is logged, and no more


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[1]", '"x"', "{}", b"\xff\xfe", '{"run_id": 1}', json.dumps({"pid": 1, "host": None}), "torn"],
)
def test_a_text_that_is_no_claim_is_taken_over_when_it_stands_still(disk: str, text: str | bytes) -> None:
    Claim(disk).__enter__().__exit__(None, None, None)
    good = claim_path(disk, 1).read_text()
    claim_path(disk, 1).write_bytes(
        good[:100].encode() if text == "torn" else text.encode() if isinstance(text, str) else text
    )
    began = time.monotonic()
    with Claim(disk, stale_seconds=0.3) as claim:
        assert (claim.term, time.monotonic() - began > 0.25) == (2, True)


@pytest.mark.parametrize("key", ["run_id", "term", "host", "pid", "boot", "locked", "renewals", "renewed", "released"])
@pytest.mark.parametrize("value", [None, [], {}, "1.5", 2.5, 7])
def test_values_of_a_wrong_type_are_no_traceback(disk: str, key: str, value: object) -> None:
    Claim(disk).__enter__().__exit__(None, None, None)
    paused = said(disk, 1) | {"released": False, "renewed": time.monotonic() - 9}
    claim_path(disk, 1).write_text(json.dumps(paused | {key: value}))
    with claim_path(disk, 1).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # so that nothing but its text counts
        with Claim(disk, stale_seconds=0.1) as claim:
            assert claim.term == 2


def test_a_text_that_is_no_claim_and_changes_belongs_to_somebody(disk: str) -> None:
    path = stand(disk, 1, "v 0")
    done = threading.Event()

    def write() -> None:
        for number in range(1000):
            if done.wait(0.01):
                return
            path.write_text(f"v {number}")

    writer = threading.Thread(target=write)
    writer.start()
    words = refused(disk, stale_seconds=STALE)
    done.set()
    writer.join()
    assert "somebody is writing to" in words and str(path) in words


def test_numbers_go_on_behind_every_claim_and_version_that_there_was(output: str) -> None:
    with Claim(output):
        pass
    manifest = {"run_id": "r", "tables": {}, "files": {}}
    storage.write_text(storage.join(output, "versions", "000011", "manifest.json"), json.dumps(manifest))
    for name in ("20240131", "9" * 19):  # somebody else's
        storage.write_text(storage.join(output, "versions", name, "manifest.json"), "{}")
    with Claim(output) as claim:
        assert claim.term == 12
    storage.write_text(storage.join(output, "current.json"), version(20))
    with Claim(output) as claim:
        assert claim.term == 21
    for damaged in ("", "[]", '{"version": 5}', '{"version": "abc"}', "\0"):
        storage.write_text(storage.join(output, "current.json"), damaged)
        with Claim(output) as claim:
            assert claim.term > 21


def test_what_is_taken_away_stays_bounded_and_nothing_of_others_is_touched(tmp_path: Path) -> None:
    output, elsewhere = tmp_path / "out", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").write_text("mine")
    Claim(str(output)).__enter__().__exit__(None, None, None)
    foreign = ["notes.txt", "1.taken", "000001.taken.bak", ".000001.short.draft", "x000001.json"]
    for name in foreign:
        (output / "claims" / name).write_text("mine")
    (output / ".current.mine").write_text("mine")
    (output / ".current.000001").write_text("draft of term 1")
    (output / "claims" / ("." + "000001." + "a" * 32 + ".draft")).write_text("left by a killed run")
    for _ in range(40):
        with Claim(str(output)):
            pass
    names = set(os.listdir(output / "claims"))
    assert names >= set(foreign)
    assert len(names) <= len(foreign) + 1 + claim_folder.KEPT_TERMS
    assert {name for name in os.listdir(output) if name.startswith(".")} == {".current.mine"}
    assert (elsewhere / "file").read_text() == "mine"


def test_a_link_in_place_of_a_claim_is_not_followed(disk: str, tmp_path: Path) -> None:
    target = tmp_path / "mine.json"
    target.write_text("mine")
    Claim(disk).__enter__().__exit__(None, None, None)
    claim_path(disk, 5).symlink_to(target)
    with pytest.raises(EnvironmentFailure, match=r"000005\.json"), Claim(disk, stale_seconds=STALE):
        pass
    assert target.read_text() == "mine"


def test_a_disk_without_flock_is_watched_instead(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, kind: int) -> None:
        raise OSError(95, "not supported")

    monkeypatch.setattr(claim_folder.fcntl, "flock", flock)
    with Claim(disk, stale_seconds=STALE) as claim:
        assert said(disk, 1)["locked"] is False
        assert claim.run_id in refused(disk, stale_seconds=STALE)
        claim.check()


def test_a_disk_without_hard_links_is_refused_with_what_to_do(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    assert "no hard links" in refused(disk) and "output.single_writer = true" in refused(disk)


def test_a_single_writer_is_not_fenced(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims_module, "claim_folder", None)
    for term in (1, 2):
        with Claim(output, single_writer=True) as claim:
            assert claim.term == term
            claim.check()
            claim.replace_current(version(term))
    assert current(output) == version(2) and claims(output) == ["000002.json"]


def test_a_single_writer_deletes_no_claim_through_a_link(disk: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "000001.json").write_text("mine")
    with Claim(disk, single_writer=True):
        pass
    (Path(disk) / "claims").rename(tmp_path / "claims")
    (Path(disk) / "claims").symlink_to(elsewhere)
    with Claim(disk, single_writer=True):
        pass
    assert (elsewhere / "000001.json").read_text() == "mine"


def test_the_environment_shortens_the_limits(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("W2VSPARK_STALE_SECONDS", "0.6")
    claim = Claim(disk)
    assert (claim._stale_seconds, round(claim._renew_seconds, 3)) == (0.6, 0.1)
    for wrong in ("soon", "0", "-1", "nan"):
        monkeypatch.setenv("W2VSPARK_STALE_SECONDS", wrong)
        with pytest.raises(ConfigError, match="W2VSPARK_STALE_SECONDS"):
            Claim(disk)


def test_a_claim_that_was_removed_ends_its_run(output: str) -> None:
    with Claim(output, renew_seconds=1000) as claim:
        storage.delete_file(storage.join(output, "claims", "000001.json"))
        with pytest.raises(OutputError, match=r"its claim 000001 was taken away; this run stops"):
            claim.check()
    with Claim(output, renew_seconds=0.01) as claim:
        storage.delete_file(storage.join(output, "claims", "000001.json"))
        eventually(lambda: not claim._thread.is_alive())
        with pytest.raises(OutputError, match="was taken away"):
            claim.check()
    assert claims(output) == []


@pytest.mark.parametrize("where", ["disk", "store"])
def test_a_reader_never_sees_current_json_missing_or_empty(where: str, tmp_path: Path, bucket: str) -> None:
    output = str(tmp_path / "out") if where == "disk" else f"{bucket}/out"
    seen, done, problems = set(), threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(json.loads(current(output))["note"])
            except Exception as error:
                problems.append(repr(error))
            time.sleep(0.001)  # leaves the writer some of the interpreter

    with Claim(output) as claim:
        claim.replace_current(version(1, "first"))
        reader = threading.Thread(target=read)
        reader.start()
        for number in range(1000):
            claim.replace_current(version(1, f"{number} " + "x" * (number % 700)))
        done.set()
        reader.join()
    assert problems == [] and len(seen) > 20
