"""Claims between runs: at the same moment, killed, paused and woken, with clocks apart. Exactly one may write."""

import os
import shutil
import subprocess
import threading
import time
from typing import Any

import psutil
import pytest
from claimants import STALE, Claimant, claims, current, held, pause, refused, said, version

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output import claim_folder
from w2vspark.output.claims import Claim


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


@pytest.mark.parametrize(
    ("output", "stale"),
    [("disk", STALE), ("store", STALE), pytest.param("store", 60.0, marks=pytest.mark.slow)],
    indirect=["output"],
)
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


def test_a_run_that_wakes_between_check_and_promotion_is_fenced_though_its_successor_published_nothing(
    output: str,
) -> None:
    with Claim(output) as claim:
        claim.replace_current(version(1))
    with held(output, STALE) as first, Claimant(output, STALE) as second:
        assert first.does(f"pause {version(2)}") == "checked"
        pause(first)
        assert second.holds() == 3
        first.resumes()
        assert "publishes nothing more" in first.does("")
        assert current(output) == version(1)
        second.ends()
    with Claim(output) as claim:
        claim.replace_current(version(4))
    assert current(output) == version(4)


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
