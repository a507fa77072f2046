"""Test sets by name, and the figures of a version on them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from w2vspark import storage
from w2vspark.output.scores import Figure
from w2vspark.vectors.gold import Analogy, Pair, read_analogies, read_pairs
from w2vspark.vectors.query import Method
from w2vspark.vectors.sample import Sample
from w2vspark.vectors.score import score_analogies, score_pairs


@dataclass(frozen=True, slots=True)
class TestSet:
    """The rows of a file of word pairs or analogies."""

    __test__ = False  # it is no test for pytest

    name: str
    pairs: tuple[Pair, ...]
    analogies: tuple[Analogy, ...]
    digest: str  # SHA-256 of the file

    @property
    def words(self) -> set[str]:
        """The words of all rows."""
        return {word for row in self.pairs for word in row[:2]} | {word for row in self.analogies for word in row[1:]}


def name_of(path: str) -> str:
    """The name of a test set: its file's name without the ending."""
    name = path.rstrip("/").rpartition("/")[2]
    return name.rpartition(".")[0] or name


def same_names(pairs: Sequence[str], analogies: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Empty paths, and test sets with one name: "pairs" or "analogies", the path, and a text with the fix."""
    names: dict[str, str] = {}
    for table, paths in (("pairs", pairs), ("analogies", analogies)):
        for path in paths:
            name = name_of(path)
            if not name:
                yield table, path, "holds an empty path; remove it"
            elif name in names:
                yield table, path, f"has the name {name}, as {names[name]} has; rename one of the two files"
            names[name] = path


def read_test_sets(pairs: Sequence[str], analogies: Sequence[str]) -> tuple[TestSet, ...]:
    """The test sets in some files of word pairs and of analogies. Raises InputError as read_pairs does."""
    found = [TestSet(name_of(path), tuple(read_pairs(path)), (), _digest(path)) for path in pairs]
    return (*found, *(TestSet(name_of(path), (), tuple(read_analogies(path)), _digest(path)) for path in analogies))


def figures_of(sample: Sample, test: TestSet, method: Method = "3cosadd") -> tuple[Figure, Figure]:
    """The score of a version on a test set, and its coverage: the share of rows whose words are all known.

    Word pairs are scored by Spearman's correlation, analogies by their accuracy. Analogies are answered among the
    sample's frequent words only.
    """
    if test.pairs:
        of_pairs = score_pairs(sample.vectors, test.pairs, case=sample.case)
        metric, value, covered, total = "spearman", of_pairs.spearman, of_pairs.covered, of_pairs.total
    else:
        restrict, case = sample.frequent, sample.case
        answered = score_analogies(sample.vectors, test.analogies, restrict=restrict, method=method, case=case).total
        metric, value, covered, total = "accuracy", answered.accuracy, answered.covered, answered.total
    score = Figure(test.name, metric, value, covered, total)
    return score, Figure(test.name, "coverage", covered / total, covered, total)


def _digest(path: str) -> str:
    return hashlib.sha256(storage.read_bytes(storage.absolute_uri(path))).hexdigest()
