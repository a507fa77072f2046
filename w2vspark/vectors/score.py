"""Score vectors by word pairs that people have judged, and by analogy questions. Needs only NumPy.

The rules are those of gensim's evaluate_word_pairs and evaluate_word_analogies: a row with an unknown word is skipped
and counted, and a question's own words are never its answer.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from w2vspark.vectors.query import Method, combine_cosines, cosines
from w2vspark.vectors.table import WordVectors

Case = Literal["auto", "keep", "lower"]

# Most questions have words in common, so many questions at once need few cosines: of the words asked about with a block
# of all words. Blocks are small enough for _COSINES of them, whatever the size of the vocabulary.
_QUESTIONS = 16_384
_COSINES, _LEAST_WORDS, _WORDS = 2 << 20, 128, 2048
_AT_ONCE = 64  # questions whose scores are combined at once: half a megabyte, which stays in the processor's cache


@dataclass(frozen=True, slots=True)
class PairScore:
    """The correlation of cosines with people's scores; NaN if fewer than two rows are covered or all are equal.

    `covered`: the rows with two known words. `total`: all rows.
    """

    spearman: float
    pearson: float
    covered: int
    total: int


@dataclass(frozen=True, slots=True)
class SectionScore:
    """Numbers of questions in a section: `correct` answers, `covered` (all four words are known), and `total`."""

    section: str
    correct: int
    covered: int
    total: int

    @property
    def accuracy(self) -> float:
        """correct / covered; NaN if nothing is covered."""
        return self.correct / self.covered if self.covered else math.nan


@dataclass(frozen=True, slots=True)
class AnalogyScore:
    """The score of every section in the order of the file, and sums of them.

    Sections are syntactic if their name begins with "gram", else semantic.
    """

    sections: tuple[SectionScore, ...]
    semantic: SectionScore
    syntactic: SectionScore
    total: SectionScore


def score_pairs(
    vectors: WordVectors, rows: Sequence[tuple[str, str, float]], *, restrict: int = 0, case: Case = "auto"
) -> PairScore:
    """The correlation of cosines with people's scores, as a `PairScore` (`spearman`, `pearson`, `covered`, `total`).

    `rows`: (word, word, score), as `read_pairs` returns them; rows with an unknown word are skipped. `restrict`: only
    the N most frequent words are known; 0 = all. `case`: "lower" looks words up in lower case, "keep" as they are,
    "auto" in lower case if the vocabulary is in lower case.

    Example: `score_pairs(vectors, read_pairs("pairs.tsv")).spearman`.
    """
    known = _lookup(vectors, restrict, case)
    found = [(known(first), known(second), score) for first, second, score in rows]
    covered = [(first, second, score) for first, second, score in found if first >= 0 and second >= 0]
    if len(covered) < 2:
        return PairScore(math.nan, math.nan, len(covered), len(rows))
    first, second, score = zip(*covered, strict=True)
    judged, measured = np.array(score, dtype=np.float64), cosines(vectors, first, second)
    return PairScore(
        spearman=_correlation(_ranks(judged), _ranks(measured)),
        pearson=_correlation(judged, measured),
        covered=len(covered),
        total=len(rows),
    )


def score_analogies(
    vectors: WordVectors,
    rows: Sequence[tuple[str, str, str, str, str]],
    *,
    restrict: int = 0,
    method: Method = "3cosadd",
    case: Case = "auto",
) -> AnalogyScore:
    """The number of correct answers to analogy questions, as an `AnalogyScore` (`sections`, `semantic`, … , `total`).

    `rows`: (section, a, b, c, expected), as `read_analogies` returns them; rows with an unknown word are skipped.
    `restrict`: only the N most frequent words are known, in questions and as answers; 0 = all. `method`: as in
    `analogy`. `case`: as in `score_pairs`.

    Example: `score_analogies(vectors, read_analogies("questions-words.txt")).total.accuracy`.
    """
    known = _lookup(vectors, restrict, case)
    found = np.array([[known(word) for word in row[1:]] for row in rows], dtype=np.intp).reshape(-1, 4)
    covered: NDArray[np.bool_] = found.min(axis=1) >= 0
    correct = np.zeros(len(rows), dtype=bool)
    unit = vectors.unit[:restrict] if restrict else vectors.unit
    for block in np.array_split(np.flatnonzero(covered), math.ceil(covered.sum() / _QUESTIONS) or 1):
        correct[block] = _answers(unit, found[block, :3], method) == found[block, 3]
    tally: dict[str, list[int]] = {}
    for row, right, known_words in zip(rows, correct.tolist(), covered.tolist(), strict=True):
        counts = tally.setdefault(row[0], [0, 0, 0])
        counts[:] = counts[0] + right, counts[1] + known_words, counts[2] + 1
    sections = tuple(SectionScore(name, *counts) for name, counts in tally.items())
    return AnalogyScore(
        sections=sections,
        semantic=_sum("semantic", [s for s in sections if not s.section.startswith("gram")]),
        syntactic=_sum("syntactic", [s for s in sections if s.section.startswith("gram")]),
        total=_sum("total", sections),
    )


def _answers(unit: NDArray[np.float32], questions: NDArray[np.intp], method: Method) -> NDArray[np.intp]:
    """The best row for each question, (Q,). unit: float32 (V, D). questions: (Q, 3), the rows of a, b and c."""
    rows, positions = np.unique(questions, return_inverse=True)
    asked = unit[rows]
    positions = positions.reshape(questions.shape)
    best = np.full(len(questions), -np.inf, dtype=np.float32)
    answer = np.full(len(questions), -1, dtype=np.intp)
    at_once = min(_WORDS, max(_LEAST_WORDS, _COSINES // max(1, len(rows))))
    for start in range(0, len(unit), at_once):
        words = unit[start : start + at_once]
        cosines = asked @ words.T
        for first in range(0, len(questions), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            scores = np.empty((len(questions[some]), len(words)), dtype=np.float32)
            combine_cosines(cosines, positions[some], method, out=scores)
            own, column = np.nonzero((questions[some] >= start) & (questions[some] < start + len(words)))
            scores[own, questions[some][own, column] - start] = -np.inf
            top = scores.argmax(axis=1)
            found = scores[np.arange(len(top)), top]
            better = found > best[some]
            best[some][better] = found[better]
            answer[some][better] = top[better] + start
    return answer


def _lookup(vectors: WordVectors, restrict: int, case: Case) -> Callable[[str], int]:
    """A function that finds the row of a word of a test set; -1 if the word is unknown."""
    limit = restrict or len(vectors.words)
    lower = case == "lower" or (case == "auto" and _is_lower_case(vectors.words))

    def row(word: str) -> int:
        found = vectors.index.get(word.lower() if lower else word, -1)
        return found if found < limit else -1

    return row


def _is_lower_case(words: Sequence[str]) -> bool:
    # Allow some exceptions: the JVM and Python know different versions of Unicode, so a rare letter may keep its case.
    return sum(word != word.lower() for word in words) * 1000 <= len(words)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of their ranks."""
    _, position, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: NDArray[np.float64] = (np.cumsum(counts) - (counts - 1) / 2)[position]
    return ranks


def _correlation(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Pearson's r; NaN if x or y is constant."""
    if (x == x[0]).all() or (y == y[0]).all():
        return math.nan
    x, y = x - x.mean(), y - y.mean()
    return float(x @ y) / math.sqrt(float(x @ x) * float(y @ y))


def _sum(name: str, sections: Sequence[SectionScore]) -> SectionScore:
    return SectionScore(
        name, sum(s.correct for s in sections), sum(s.covered for s in sections), sum(s.total for s in sections)
    )
