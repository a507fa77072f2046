"""The preview of phrases: the best pairs of each pass, and those around its threshold."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from commands import Outcome, options, run_here, version_folder

from w2vspark.storage.sealed import sealed_json

SENTENCES = [
    "new york times and new york city in the morning",
    "the bank of the river and the bank of england",
    "red wine and white wine with red meat",
    "new york is a city and england is a land",
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phrases")
    (folder / "text.txt").write_text("".join(f"{SENTENCES[line % 4]}\n" for line in range(80)))
    return folder / "text.txt"


def run(corpus: Path, output: Path, *more: str, **settings: object) -> Outcome:
    chosen = {"training__dimensions": 8, "training__epochs": 1, "vocabulary__min_count": 1, "phrases__discount": 1}
    words = options(input__path=corpus, output__path=output, **(chosen | settings))
    return run_here("run", *words, *more)


@pytest.fixture(scope="module")
def output(spark: object, corpus: Path) -> Path:
    folder = corpus.parent / "output"
    run(corpus, folder, phrases__thresholds=[15, 10]).assert_done()
    return folder


def all_pairs(corpus: Path, tmp_path: Path) -> list[tuple[float, str]]:
    """Every pair of the first pass with its score, the best first: the phrases of a run whose threshold is 0."""
    run(corpus, tmp_path / "all", "--until", "phrases", phrases__thresholds=[0]).assert_done()
    (folder,) = (tmp_path / "all" / "staging" / "phrases").rglob("pass-1")
    rows = pq.read_table(folder).to_pylist()
    named = [(-row["score"], row["left"], row["between"], row["right"]) for row in rows]
    return [(-score, f"{left}_{right}") for score, left, _, right in sorted(named)]


def test_it_shows_the_best_pairs_and_those_around_the_threshold(corpus, output, tmp_path):
    every = all_pairs(corpus, tmp_path)
    told = json.loads(run_here("phrases", str(output), "--top", "3", "--json").assert_done().out)
    first, second = told["passes"]
    above, below = [one for one in every if one[0] > 15], [one for one in every if one[0] <= 15]
    assert first["threshold"] == 15 and first["found"] == len(above) > 3
    for kind, expected in (("best", above[:3]), ("last", above[-3:]), ("below", below[:3])):
        assert [(row["score"], row["phrase"]) for row in first[kind]] == expected, kind
    assert second["threshold"] == 10
    published = pq.read_table(version_folder(output) / "phrases").to_pylist()
    assert first["found"] + second["found"] == len(published)


def test_people_get_a_table_for_each_pass_and_what_to_do(output):
    shown = run_here("phrases", str(output)).assert_done().out
    assert shown.startswith(f"{output}: as counted last\npass 1: ") and "\npass 2: " in shown
    for title in ("best pairs", "just above the threshold (joined)", "just below the threshold (not joined)"):
        assert shown.count(f"\n{title} ") == 2
    assert "raise the threshold" in shown and "lower it" in shown


def test_a_run_that_ended_with_phrases_and_a_version_can_be_shown_too(corpus, output, tmp_path):
    run(corpus, tmp_path / "out", "--until", "phrases", phrases__thresholds=[15, 10]).assert_done()
    expected = run_here("phrases", str(output)).assert_done().out
    for folder, where in (
        (tmp_path / "out", "as counted last"),
        (version_folder(output), "as published in version 000001"),
    ):
        first, _, rest = run_here("phrases", str(folder)).assert_done().out.partition("\n")
        assert first == f"{folder}: {where}" and rest == expected.partition("\n")[2]
    run_here("phrases", str(output), "--top", "21").assert_one_error(2, "--top 21", "20 or fewer")


def test_the_last_count_is_shown_not_what_was_published_before(corpus, output):
    run(corpus, output, "--until", "phrases", phrases__thresholds=[20]).assert_done()
    assert "score above 20\n" in run_here("phrases", str(output)).assert_done().out


def test_a_count_of_an_older_release_is_passed_over(corpus, tmp_path, spark):
    output = tmp_path / "out"
    run(corpus, output, "--until", "phrases", phrases__thresholds=[15]).assert_done()
    (record,) = (output / "staging" / "phrases").glob("*/*.json")
    record.write_text(sealed_json({"record": {"phrases": 3, "phrases_of_passes": [3]}, "lists": []}))
    run_here("phrases", str(output)).assert_one_error(4, "has no phrases", "--until phrases")


def test_an_output_without_phrases_is_told_how_to_get_them(corpus, tmp_path, spark):
    run(corpus, tmp_path / "out").assert_done()
    run_here("phrases", str(tmp_path / "out")).assert_one_error(4, "has no phrases", "--until phrases")
    run_here("phrases", str(tmp_path / "none")).assert_one_error(4, "is not there")
