import math

import pyarrow as pa

from w2vspark.base.schemas import SCORES
from w2vspark.output.scores import Figure, as_json, as_table, at_least, at_most, failures, plain


def test_a_score_passes_at_its_threshold_and_fails_beyond_it():
    assert at_least(Figure("set", "spearman", 0.5), 0.5, "k").passed is True
    assert at_least(Figure("set", "spearman", 0.4999), 0.5, "k").passed is False
    assert at_most(Figure("neighbours", "drift", 0.5), 0.5, "k").passed is True
    assert at_most(Figure("neighbours", "drift", 0.5001), 0.5, "k").passed is False
    assert at_most(Figure("a", "b", 3), None, "k").passed is None and plain(Figure("a", "b", 3)).passed is None


def test_what_could_not_be_measured_does_not_pass():
    for judge in (at_least, at_most):
        score = judge(Figure("set", "spearman", math.nan, 0, 9), 0.5, "gate.floors.set")
        assert score.value is None and score.passed is False
        assert failures([score]) == ["set spearman could not be measured, and gate.floors.set = 0.5"]


def test_a_failure_says_which_score_failed_by_how_much_and_which_key_decides():
    scores = [
        at_least(Figure("wordsim353", "spearman", 0.41, 340, 353), 0.5, "gate.floors.wordsim353"),
        at_least(Figure("corpus", "documents", 1200), 1000, "gate.min_documents"),
        at_least(Figure("corpus", "tokens", 1_200), 50_000, "gate.min_tokens"),
        at_most(Figure("neighbours", "drift", 0.75), 0.5, "gate.max_drift"),
    ]
    assert failures(scores) == [
        "wordsim353 spearman 0.41 is 0.09 below gate.floors.wordsim353 = 0.5",
        "corpus tokens 1,200 is 48,800 below gate.min_tokens = 50,000",
        "neighbours drift 0.75 is 0.25 above gate.max_drift = 0.5",
    ]


def test_scores_become_rows_with_the_columns_of_the_contract():
    scores = [
        at_least(Figure("set", "accuracy", 0.25, 4, 5), 0.5, "gate.floors.set"),
        plain(Figure("corpus", "tokens", 7)),
    ]
    rows = [
        dict(task="set", metric="accuracy", value=0.25, covered=4, total=5, threshold=0.5, passed=False),
        dict(task="corpus", metric="tokens", value=7.0, covered=None, total=None, threshold=None, passed=None),
    ]
    assert as_table(scores) == pa.Table.from_pylist(rows, SCORES) and as_json(scores) == rows
