"""The quality gate of a real run: what passes becomes current, what does not stays a candidate, and says why."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import planted
import pyarrow.parquet as pq
import pytest
from commands import current, digests, manifest, options, run_here, version_folder

from w2vspark.base import schemas

QUICK: dict[str, object] = {"training__dimensions": 8, "training__epochs": 40, "vocabulary__min_count": 2}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("gate") / "corpus", planted.documents(60, seed=5))


@pytest.fixture(scope="module")
def tests_on_disk(corpus: Path) -> Path:
    """Pairs of a kind's members, which are similar, and of a member and a country, which are not."""
    rows = [f"{planted.members(kind)[0]} {planted.members(kind)[1]} 9" for kind in range(planted.KINDS)]
    rows += [f"{planted.members(kind)[2]} {planted.country(kind)} {kind / 9}" for kind in range(planted.KINDS)]
    file = corpus.parent / "kinds.tsv"
    file.write_text("\n".join([*rows, "unknown1 unknown2 4"]))
    return file


@pytest.fixture
def command(spark: object, corpus: Path, tests_on_disk: Path, tmp_path: Path) -> Callable[..., list[str]]:
    def words(*more: str, **settings: object) -> list[str]:
        chosen = {"input__path": corpus, "output__path": tmp_path / "out", "gate__pairs": tests_on_disk}
        return ["run", *options(**(chosen | QUICK | settings)), "--json", *more]

    return words


def told(outcome: Any, code: int = 0) -> dict[str, Any]:
    """The object that a command printed, on one line."""
    assert outcome.code == code, outcome.err[-4000:]
    (line,) = outcome.out.splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def value_of(said: dict[str, Any], task: str, metric: str) -> Any:
    return next(row["value"] for row in said["scores"] if (row["task"], row["metric"]) == (task, metric))


def test_scores_are_a_table_of_the_version_and_a_version_that_fails_stays_a_candidate(command, tmp_path):
    output = tmp_path / "out"
    said = told(run_here(*command()))
    assert (said["version"], said["state"], said["nothing_to_do"]) == ("000001", "current", "")
    assert said["made"] == ["word_counts", "vocabulary", "encoded", "bucket_counts", "rounds", "version"]
    assert set(said["seconds"]) == {"spark", *said["made"], "gate", "scores", "report", "all"}
    table = pq.read_table(version_folder(output) / "scores")
    assert table.schema.equals(schemas.SCORES) and table.to_pylist() == said["scores"] == manifest(output)["scores"]
    spearman = value_of(said, "kinds", "spearman")
    assert value_of(said, "kinds", "coverage") == 12 / 13 and 0.3 < spearman <= 1
    assert said["tables"]["scores"] == {"uri": str(version_folder(output) / "scores"), "rows": table.num_rows}

    # The next version is worse than a floor, and than the first one by more than is allowed.
    before = digests(output)
    worse = {"training__epochs": 1, "training__learning_rate": 0.00001}
    strict = {"gate__floors": "{ kinds = 0.9999 }", "gate__max_fall": 0.0001, "gate__max_drift": 0.01}
    failed = run_here(*command(**worse, **strict))
    said = told(failed, 7)
    assert (said["exit_code"], said["state"], said["version"]) == (7, "failed", "000002")
    assert current(output)["version"] == "000001" and digests(output) == before
    fall = spearman - value_of(said, "kinds", "spearman")
    assert fall > 0.01 and value_of(said, "kinds", "fall") == pytest.approx(fall)
    errors = [line for line in failed.err.splitlines() if line.startswith("w2vspark: error: ")]
    for line, part in zip(errors, ("kinds spearman", "kinds fall", "neighbours drift", "promote"), strict=True):
        assert part in line
    assert "below gate.floors.kinds = 0.9999" in errors[0] and "above gate.max_fall = 0.0001" in errors[1]
    listed = json.loads(run_here("versions", str(output), "--json").out)["versions"]
    assert listed[0]["state"] == "candidate: did not pass kinds spearman, kinds fall, neighbours drift"
    candidate = output / "versions" / "000002"
    assert pq.read_table(candidate / "scores").to_pylist() == said["scores"]

    # It is judged again and not trained again, whatever the thresholds are now.
    again = run_here(*command(**worse, gate__max_fall=0.0001))
    assert told(again, 7)["version"] == "000002" and "stage=rounds" not in again.err
    held = run_here(*command("--hold", **worse))
    said = told(held)
    assert (said["version"], said["state"], said["made"]) == (
        "000002",
        "candidate",
        [],
    ) and "stage=rounds" not in held.err
    assert said["nothing_to_do"] == ""
    assert "is a candidate" in told(run_here(*command("--hold", **worse)))["nothing_to_do"]
    promoted = run_here(*command(**worse))
    assert told(promoted)["state"] == "current" and "stage=gate" not in promoted.err  # it has passed already
    assert current(output)["version"] == "000002"
    assert "was made from this input" in told(run_here(*command(**worse)))["nothing_to_do"]


def test_a_run_may_end_with_a_candidate_that_is_not_judged_yet(command, tmp_path):
    output = tmp_path / "out"
    said = told(run_here(*command("--until", "candidate")))
    assert (said["version"], said["state"], said["scores"]) == ("000001", "candidate", [])
    assert not (output / "current.json").exists()
    again = told(run_here(*command("--until", "candidate")))
    assert "000001 is a candidate" in again["nothing_to_do"] and again["made"] == []
    plan = json.loads(run_here(*command("--dry-run")).out)["plan"]
    assert "will be judged, and promoted if it passes" in plan
    told(run_here(*command("--hold", gate__floors="{ kinds = 1.0 }")), 7)
    assert told(run_here("promote", str(output), "1", "--json")) == {
        "output": str(output), "version": "000001", "promoted": True,
    }  # fmt: skip
    assert [row["passed"] for row in manifest(output)["scores"] if row["metric"] == "spearman"] == [False]
    run_here(*command("--until", "candidate", "--hold")).assert_one_error(2, "--hold", "leave one of the two out")


def test_a_corpus_that_does_not_pass_stops_the_run_before_it_trains(command, tmp_path, corpus):
    output = tmp_path / "out"
    told(run_here(*command()))
    strict = {"gate__min_documents": 61, "gate__min_tokens": 6001, "gate__min_words": 10_000, "training__seed": 2}
    failed = run_here(*command(**strict))
    assert told(failed, 7) == {"error": told(failed, 7)["error"], "exit_code": 7}
    for part in (
        "corpus documents 60 is 1 below gate.min_documents = 61",
        "corpus tokens 6,000 is 1 below gate.min_tokens = 6,001",
        "below gate.min_words = 10,000",
    ):
        assert part in failed.err
    assert "stage=encoded" not in failed.err and current(output)["version"] == "000001"
    # Words of another kind: most are rare, so they are not in the vocabulary.
    odd = planted.write_lines(tmp_path / "odd", [f"odd{n} odd{n + 1} word word filler1" for n in range(90)] + [""] * 30)
    rise = run_here(*command(input__path=odd, gate__max_unknown_rise=0.1, gate__max_without_words=0.2, gate__pairs="[]",
                             vocabulary__min_count=3))  # fmt: skip
    assert "corpus unknown_tokens_rise" in rise.err and "above gate.max_unknown_rise = 0.1" in rise.err
    assert "corpus without_words 0.25 is 0.05 above gate.max_without_words = 0.2" in rise.err
    told(rise, 7)


def test_mistakes_in_the_gate_are_found_before_anything_is_made(command, tmp_path, tests_on_disk):
    run_here(*command(gate__pairs=tmp_path / "missing.tsv")).assert_one_error(3, "missing.tsv", "no such file")
    run_here(*command(gate__floors="{ kind = 0.5 }")).assert_one_error(
        2, "gate.floors", "there is no test set kind; did you mean kinds?"
    )
    run_here(*command(gate__pairs="[]", gate__floors="{ a = 0.5 }")).assert_one_error(2, "name its file in gate.pairs")
    run_here(*command(gate__floors="{ kinds = high }")).assert_one_error(2, "gate.floors")
    run_here(*command(gate__floors='{ kinds = "high" }')).assert_one_error(2, "kinds must be a number")
    run_here(*command(gate__analogies=tests_on_disk)).assert_one_error(2, "has the name kinds", "rename one")
    run_here(*command(gate__max_drift=1.5)).assert_one_error(2, "gate.max_drift", "between 0 and 1")
    assert not (tmp_path / "out").exists()
