"""Claims: one run at a time, taken over from the dead and the paused, who then can change nothing any more."""

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from claimants import Claimant, claim_path, claims, current, eventually, held

from w2vspark.base import claim_folder, storage
from w2vspark.base import claims as claims_module
from w2vspark.base.claims import Claim
from w2vspark.base.errors import ConfigError, EnvironmentFailure, OutputError

STALE = 2.0  # seconds; renewed six times in that


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


def version(number: int, note: str = "") -> str:
    return json.dumps({"version": f"{number:06}", "note": note})


def said(output: str, number: int) -> dict[str, Any]:
    found = json.loads(storage.read_bytes(storage.join(output, "claims", f"{number:06}.json")))
    assert isinstance(found, dict)
    return found


def refused(output: str, **settings: Any) -> str:
    with pytest.raises(OutputError) as caught, Claim(output, **settings):
        pass
    return str(caught.value)


def pause(claimant: Claimant, stale: float = STALE) -> None:
    """Stops it, and waits until its last renewal tells no more that it lives."""
    claimant.stops()
    time.sleep(stale / 3)


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


def test_the_marker_comes_first_and_a_foreign_folder_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    assert "thesis.doc" in refused(str(tmp_path))
    assert os.listdir(tmp_path) == ["thesis.doc"]
    with Claim(str(tmp_path / "new"), kind="job"):
        assert json.loads((tmp_path / "new" / "w2vspark.json").read_text())["kind"] == "job"
    assert "holds folded documents" in refused(str(tmp_path / "new"), kind="method")


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


@pytest.mark.parametrize("before", ["nothing", "released", "dead", "stands still"])
def test_of_runs_that_start_at_the_same_moment_exactly_one_wins(output: str, before: str) -> None:
    if before != "nothing":
        with held(output, STALE, boot="elsewhere" if before == "stands still" else "") as first:
            if before == "released":
                first.ends()
    racers = [Claimant(output, STALE) for _ in range(3)]
    for _ in range(12):
        for racer in racers:
            racer.starts()
        answers = [racer.hears() for racer in racers]
        won = [racer for racer, answer in zip(racers, answers, strict=True) if answer.startswith("held ")]
        lost = [answer for answer in answers if "OutputError" in answer and "is being written by run" in answer]
        assert (len(won), len(lost)) == (1, 2), answers
        assert [said(output, int(name[:6]))["released"] for name in claims(output)].count(False) == 1
        assert won[0].does("check") == "done"
        won[0].ends()
    for racer in racers:
        racer.__exit__()


def test_of_threads_that_start_at_the_same_moment_exactly_one_wins(disk: str) -> None:
    for number in range(60):
        gate, inside, won, lost = threading.Barrier(4), threading.Barrier(5), [], []

        def run(gate: threading.Barrier = gate, inside: threading.Barrier = inside, won: Any = won, lost: Any = lost):  # type: ignore[no-untyped-def]
            gate.wait()
            try:
                with Claim(disk) as claim:
                    claim.check()
                    won.append(claim.term)
                    inside.wait(30)
            except OutputError as error:
                lost.append(str(error))
                inside.wait(30)

        threads = [threading.Thread(target=run) for _ in range(4)]
        for thread in threads:
            thread.start()
        inside.wait(30)
        for thread in threads:
            thread.join(30)
        assert (len(won), len(lost)) == (1, 3), (number, won, lost)


def test_a_killed_run_is_taken_over_at_once(disk: str) -> None:
    with held(disk) as first:
        first.kill()
        began = time.monotonic()
        with Claim(disk) as claim:
            assert (claim.term, time.monotonic() - began < 5) == (2, True)


def test_a_run_in_another_process_namespace_is_judged_by_its_flock(disk: str) -> None:
    prefix = ("unshare", "--pid", "--fork", "--kill-child")
    if shutil.which("unshare") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("unshare is not permitted here")
    with held(disk, prefix=prefix) as first:
        assert said(disk, 1)["pid"] != os.getpid()
        assert "is being written" in refused(disk)
        (child,) = psutil.Process(first.pid).children()
        first.kill()
        child.wait(10)
        began = time.monotonic()
        with Claim(disk) as claim:
            assert (claim.term, time.monotonic() - began < 5) == (2, True)


@pytest.mark.parametrize("stale", [STALE, pytest.param(60.0, marks=pytest.mark.slow)])
def test_a_paused_run_is_taken_over_and_can_change_nothing_when_it_wakes(output: str, stale: float) -> None:
    with held(output, stale) as first, Claimant(output, stale) as second:
        assert first.does(f"promote {version(1)}") == "done"
        pause(first, stale)
        began = time.monotonic()
        assert second.holds() == 2
        assert time.monotonic() - began > stale * 0.9
        first.resumes()
        time.sleep(min(stale, 1))  # time for a renewal
        for line in ("check", f"promote {version(1, 'woken')}", "check"):
            answer = first.does(line)
            assert answer.startswith("OutputError") and answer.endswith(
                "has taken over this output; this run stops and publishes nothing more; run it again"
            ), answer
            assert f"process {second.pid}" in answer
        assert (claims(output), current(output)) == (["000002.json"], version(1))
        assert second.does("check") == "done"
        assert second.does(f"promote {version(2)}") == "done"
        first.ends()
        assert (claims(output), current(output)) == (["000002.json"], version(2))
        assert said(output, 2)["released"] is False


def test_a_paused_run_that_nobody_took_over_goes_on(output: str) -> None:
    with held(output, STALE) as first:
        first.stops()
        time.sleep(STALE * 1.5)
        first.resumes()
        assert first.does("check") == "done"
        assert first.does(f"promote {version(1)}") == "done"


def test_a_check_renews_a_claim_that_was_not_renewed_in_time(output: str) -> None:
    with Claim(output, renew_seconds=1000, stale_seconds=0.2) as claim:
        first = said(output, 1)["renewals"]
        claim.check()
        assert said(output, 1)["renewals"] == first
        time.sleep(0.3)
        claim.check()
        assert said(output, 1)["renewals"] == first + 1


def test_a_run_that_is_paused_between_check_and_promotion_does_not_promote(output: str) -> None:
    with held(output, STALE) as first, Claimant(output, STALE) as second:
        assert first.does(f"pause {version(1)}") == "checked"
        pause(first)
        assert second.holds() == 2
        assert second.does(f"promote {version(2)}") == "done"
        first.resumes()
        answer = first.does("")
        if answer == "checked":  # in a store it looks again, to see who was before it
            answer = first.does("")
        assert answer.startswith("OutputError") and "publishes nothing" in answer
        assert current(output) == version(2)
        second.ends()
    assert [name for name in storage.list_names(output) if name.startswith(".")] == []


def test_a_run_that_wakes_between_check_and_promotion_never_kills_its_successor(output: str) -> None:
    with held(output, STALE) as first, Claimant(output, STALE) as second:
        assert first.does(f"pause {version(1)}") == "checked"
        pause(first)
        assert second.holds() == 2
        first.resumes()
        answer = first.does("")
        # In a store its write was on the way before the take-over, and nothing was published since: it is in time.
        assert answer == "done" if output.startswith("s3") else "publishes nothing" in answer
        assert second.does(f"promote {version(2)}") == "done"
        assert current(output) == version(2)


def test_in_a_store_a_run_does_not_replace_what_no_lower_term_published(bucket: str) -> None:
    output = f"{bucket}/out"
    with Claim(output) as claim:
        claim.replace_current(version(1))
        storage.write_text(storage.join(output, "current.json"), version(9))
        with pytest.raises(OutputError, match="another run published meanwhile"):
            claim.replace_current(version(1, "again"))
    assert current(output) == version(9)


@pytest.mark.parametrize("offsets", [(-300, 0), (300, 0), (0, -300)])
def test_clocks_that_are_minutes_apart_do_not_matter(output: str, offsets: tuple[float, float]) -> None:
    with (
        held(output, STALE, offset=offsets[0], boot="elsewhere") as first,
        Claimant(output, STALE, offset=offsets[1]) as second,
        Claimant(output, STALE, offset=offsets[1]) as third,
    ):
        assert "is being written by run" in second.starts().hears()
        assert first.does("check") == "done"
        first.kill()
        began = time.monotonic()
        assert third.holds() == 2
        assert STALE * 0.9 < time.monotonic() - began < STALE * 4


def test_who_watches_and_was_paused_itself_does_not_take_over_a_living_run(disk: str) -> None:
    with held(disk, STALE, boot="elsewhere") as first, Claimant(disk, STALE) as second:
        first.stops()
        second.starts()
        time.sleep(STALE / 4)
        second.stops()
        time.sleep(STALE * 2)
        second.resumes()
        time.sleep(STALE / 4)
        first.resumes()
        assert "is being written by run" in second.hears()
        assert first.does("check") == "done"


def test_a_slow_run_that_gets_a_number_that_was_moved_on_from_starts_over(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Claim(disk):
        pass
    really_create, tried = claim_folder.DiskFolder.create, []

    def create(self: claim_folder.DiskFolder, number: int, *texts: Any) -> Any:
        tried.append(number)
        if number == 2:  # meanwhile two others take numbers 2 and 3, and end; 2 is free again
            monkeypatch.setattr(claim_folder.DiskFolder, "create", really_create)
            for term in (2, 3):
                with Claim(disk) as other:
                    assert other.term == term
            monkeypatch.setattr(claim_folder.DiskFolder, "create", create)
            assert claims(disk) == ["000003.json"]
        return really_create(self, number, *texts)

    monkeypatch.setattr(claim_folder.DiskFolder, "create", create)
    with Claim(disk) as claim:
        assert (tried, claim.term, claims(disk)) == ([2, 4], 4, ["000004.json"])
        claim.check()


def test_a_run_that_overlooked_a_living_claim_steps_back(disk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    really_list, calls = claim_folder.DiskFolder.standing, []

    def standing(self: claim_folder.DiskFolder) -> list[int]:
        calls.append(1)
        return [] if len(calls) == 1 else really_list(self)

    with Claim(disk) as first:
        monkeypatch.setattr(claim_folder.DiskFolder, "standing", standing)
        assert first.run_id in refused(disk)
        monkeypatch.undo()
        first.check()
        assert said(disk, 2)["released"] is True


def test_a_stopped_run_that_wakes_while_another_claims_is_not_taken_over(
    disk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really_create = claim_folder.DiskFolder.create
    with held(disk, STALE) as first:

        def create(self: claim_folder.DiskFolder, number: int, *texts: Any) -> Any:
            first.resumes()
            time.sleep(STALE / 3)  # it renews
            return really_create(self, number, *texts)

        monkeypatch.setattr(claim_folder.DiskFolder, "create", create)
        pause(first)
        assert f"process {first.pid}" in refused(disk, stale_seconds=STALE)
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
        with pytest.raises(OutputError, match=r"cannot be checked to be ours still: the disk is away"):
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
    storage.write_text(storage.join(output, "versions", "000011", "manifest.json"), "{}")
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
    assert current(output) == version(2)


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
