"""The rows of the table scores: figures of a version, and whether they pass the thresholds of the configuration."""

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa

from w2vspark.base.schemas import SCORES

OF_TEST_SETS = ("spearman", "accuracy")  # the metrics of test sets: of word pairs, and of analogies


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of a version."""

    task: str  # a test set, or what the figure is about: "vectors", "neighbours", "corpus"
    metric: str
    value: float  # NaN = could not be measured
    covered: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A row of schemas.SCORES."""

    task: str
    metric: str
    value: float | None
    covered: int | None
    total: int | None
    threshold: float | None
    passed: bool | None
    key: str = ""  # of the configuration, that has the threshold; not a column

    @property
    def measured(self) -> str:
        """The figure in words, as "google accuracy 0.31"."""
        value = "could not be measured" if self.value is None else shown(self.value)
        return f"{self.task} {self.metric} {value}"


def plain(figure: Figure) -> Score:
    """A score without a threshold."""
    return _score(figure, None, None, "")


def at_least(figure: Figure, threshold: float | None, key: str) -> Score:
    """A score that passes if it is `threshold` or more; None = there is no threshold. key: of the configuration."""
    return _score(figure, threshold, None if threshold is None else figure.value >= threshold, key)


def at_most(figure: Figure, threshold: float | None, key: str) -> Score:
    """A score that passes if it is `threshold` or less; None = there is no threshold. key: of the configuration."""
    return _score(figure, threshold, None if threshold is None else figure.value <= threshold, key)


def failures(scores: Iterable[Score]) -> list[str]:
    """A text for each score that did not pass: which one, and by how much."""
    return [_failure(score) for score in scores if score.passed is False]


def as_table(scores: Iterable[Score]) -> pa.Table:
    """The scores as a table with the columns of schemas.SCORES."""
    return pa.Table.from_pylist(as_json(scores), schema=SCORES)


def as_json(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """The scores as objects with the columns of schemas.SCORES."""
    return [{name: value for name, value in asdict(score).items() if name in SCORES.names} for score in scores]


def shown(value: float) -> str:
    """A figure for people: whole numbers in full, others with four digits."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _failure(score: Score) -> str:
    assert score.threshold is not None
    limit = f"{score.key} = {shown(score.threshold)}"
    if score.value is None:
        return f"{score.measured}, and {limit}"
    side = "below" if score.value < score.threshold else "above"
    return f"{score.measured} is {shown(abs(score.value - score.threshold))} {side} {limit}"


def _score(figure: Figure, threshold: float | None, passed: bool | None, key: str) -> Score:
    value = figure.value if math.isfinite(figure.value) else None
    return Score(figure.task, figure.metric, value, figure.covered, figure.total, threshold, passed, key)
