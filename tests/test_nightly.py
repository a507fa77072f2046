"""Runs that follow each other on one output: the parent, nothing to do, and a forced run that is started again."""

import json
from pathlib import Path

import planted
import pytest
from commands import current, digests, manifest, options, run_here
from test_promises_resume import made_stages

from w2vspark.base.errors import InputError
from w2vspark.methods import corpus as steps
from w2vspark.methods.word2vec import family

QUICK: dict[str, object] = {"training__dimensions": 8, "training__epochs": 1, "vocabulary__min_count": 2}
WARM = QUICK | {"warm_start__path": "current"}


def night(corpus: Path, output: Path, *more: str, **settings: object) -> list[str]:
    return ["run", *options(input__path=corpus, output__path=output, **(WARM | settings)), *more]


@pytest.fixture
def corpus(spark: object, tmp_path: Path) -> Path:
    return planted.write_lines(tmp_path / "corpus", planted.documents(20, seed=7))


def add_day(corpus: Path, day: int) -> None:
    (corpus / f"day{day}.txt").write_text("\n".join(planted.documents(5, seed=day)) + "\n")


def test_each_night_begins_from_the_version_before_and_a_night_without_news_has_nothing_to_do(corpus, tmp_path):
    output = tmp_path / "output"
    run_here(*night(corpus, output)).assert_done()
    cold = tmp_path / "cold"
    run_here(*night(corpus, cold, warm_start__path="")).assert_done()
    assert digests(output) == digests(cold), "the first night begins from random values"
    assert "parent" not in manifest(output)

    for more in ([], ["--hold"], ["--dry-run"]):
        done = run_here(*night(corpus, output, *more)).assert_done()
        assert "nothing to do: " in done.out and "was made from this input and configuration" in done.out
    add_day(corpus, 1)
    run_here(*night(corpus, output)).assert_done()
    assert current(output)["version"] == "000002"
    before = manifest(output)
    parent = {"output": str(output), "version": "000001", "run_id": manifest_of(output, "000001")["run_id"]}
    assert before["parent"] == parent and before["movement"]["words"] > 100
    assert run_here(*night(corpus, output)).assert_done().out.startswith("nothing to do")
    # Another setting is another request, and --from makes a version in any case.
    run_here(*night(corpus, output, training__seed=2)).assert_done()
    assert manifest(output)["parent"]["version"] == "000002"
    run_here(*night(corpus, output, "--from", "rounds", training__seed=2)).assert_done()
    assert manifest(output)["parent"]["version"] == current(output)["version"][:-1] + "3"


def manifest_of(output: Path, version: str) -> dict[str, object]:

    found: dict[str, object] = json.loads((output / "versions" / version / "manifest.json").read_text())
    return found


def test_a_run_that_died_goes_on_from_its_own_tables_and_its_candidate_is_promoted(corpus, tmp_path, monkeypatch):
    output = tmp_path / "output"
    run_here(*night(corpus, output)).assert_done()
    add_day(corpus, 1)
    with monkeypatch.context() as patch:
        patch.setattr(family, "check_vocabulary", fails)
        run_here(*night(corpus, output)).assert_one_error(3, "the end")
    resumed = run_here(*night(corpus, output, "--hold")).assert_done()
    made = made_stages(resumed.err)
    assert not made["word_counts"] and not made["earlier"] and not made["initial"] and made["rounds"]
    assert current(output)["version"] == "000001"
    done = run_here(*night(corpus, output)).assert_done()
    assert "rounds" not in made_stages(done.err)
    assert manifest(output)["parent"]["version"] == "000001"
    assert run_here(*night(corpus, output)).assert_done().out.startswith("nothing to do")


def fails(*_: object) -> None:
    raise InputError("the end")


def test_a_forced_run_that_died_goes_on_and_one_that_ended_well_begins_again(corpus, tmp_path, monkeypatch):
    output = tmp_path / "output"
    settings = {"warm_start__path": ""}
    run_here(*night(corpus, output, **settings)).assert_done()
    forced = night(corpus, output, "--from", "vocabulary", **settings)
    with monkeypatch.context() as patch:
        patch.setattr(family, "check_vocabulary", fails)
        run_here(*forced).assert_one_error(3, "the end")
    tables = {"vocabulary": False, "encoded": False, "bucket_counts": False, "rounds": True, "version": True}
    assert made_stages(run_here(*forced).assert_done().err) == {"word_counts": False} | tables
    assert made_stages(run_here(*forced).assert_done().err) == {"word_counts": False} | dict.fromkeys(tables, True)
    # A run that ends well between the two forced ones ends the first one's story.
    with monkeypatch.context() as patch:
        patch.setattr(family, "check_vocabulary", fails)
        run_here(*forced).assert_one_error(3, "the end")
    run_here(*night(corpus, output, "--until", "rounds", **settings)).assert_done()
    assert made_stages(run_here(*forced).assert_done().err)["vocabulary"]


def test_a_forced_count_counts_every_file(corpus, tmp_path, monkeypatch):
    output = tmp_path / "output"
    run_here(*night(corpus, output, "--until", "word_counts")).assert_done()
    done = run_here(*night(corpus, output, "--until", "word_counts", "--from", "word_counts")).assert_done()
    assert "stage=partial_word_counts event=units units=1 new=1" in done.err
    with monkeypatch.context() as patch:
        patch.setattr(steps, "read_report", fails)
        run_here(*night(corpus, output, "--until", "word_counts", "--from", "word_counts")).assert_one_error(3)
    done = run_here(*night(corpus, output, "--until", "word_counts", "--from", "word_counts")).assert_done()
    assert "stage=partial_word_counts event=units units=1 new=0" in done.err, "the dead run has counted them"
