"""The quality gate of word vectors: what is measured on the corpus and on a new version, and what must hold.

`run` writes a new version as a candidate, scores it, and makes it the current version only if every score passes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from w2vspark.base.errors import GateFailed
from w2vspark.base.schemas import SCORES
from w2vspark.config.config import Config, as_tree
from w2vspark.config.keys import Problem, Settings, between, key
from w2vspark.config.keys import at_least as not_below
from w2vspark.config.values import did_you_mean
from w2vspark.flow.gate import GATE, previous_version
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Gate, Table
from w2vspark.output.publish import Version
from w2vspark.output.scores import OF_TEST_SETS, Figure, Score, as_table, at_least, at_most, failures, plain
from w2vspark.stages.version_scores import Found, ScoreJob, figures_by_spark, figures_here, is_large
from w2vspark.vectors.drift import FREQUENT_WORDS
from w2vspark.vectors.test_sets import TestSet, name_of, read_test_sets, same_names

TESTS = "test sets"  # in Run.found
SHARE = between(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateConfig(Settings):
    """What a new version must pass before it becomes the current one."""

    section = "gate"
    of_result = False

    pairs: tuple[str, ...] = key(
        (), why="Test sets of word pairs: files or URIs with rows of two words and people's score of their similarity."
    )
    analogies: tuple[str, ...] = key(
        (), why="Test sets of analogies: files or URIs with rows of a section and four words, or questions-words.txt."
    )
    floors: dict[str, float] = key(
        {}, why="The least score by test set, named by its file without the ending, as in { wordsim353 = 0.6 }."
    )
    max_fall: float = key(
        2.0,
        rule=between(0, 2),
        why="How far a test set's score may be below the current version's; 2 accepts any fall.",
    )
    min_coverage: float = key(0.0, rule=SHARE, why="The least share of a test set's rows whose words are all known.")
    frequent_words: int = key(
        FREQUENT_WORDS,
        rule=between(100, 300_000),
        why="So many of the most frequent words are possible answers to analogies, and are neighbours for the drift.",
    )
    max_drift: float = key(
        1.0,
        rule=SHARE,
        why="The largest share of the nearest neighbours of 1,000 frequent words that may change since the current "
        "version; 1 accepts any.",
    )
    min_words: int = key(0, rule=not_below(0), why="The least number of words in the vocabulary.")
    max_zero_rows: float = key(0.1, rule=SHARE, why="The largest share of words whose vector is zero.")
    max_norm_ratio: float = key(
        0.0,
        rule=not_below(0),
        why="The largest length of a vector, as a multiple of the median of frequent words; 0 accepts any.",
    )
    min_documents: int = key(0, rule=not_below(0), why="The least number of documents in the corpus.")
    min_tokens: int = key(0, rule=not_below(0), why="The least number of tokens in the corpus.")
    max_without_words: float = key(
        1.0, rule=SHARE, why="The largest share of documents that have no word: malformed, null or empty ones."
    )
    max_unknown_rise: float = key(
        1.0,
        rule=SHARE,
        why="How much the share of tokens outside the vocabulary may rise since the current version; 1 accepts any.",
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Two test sets with one name, and floors of test sets that are not there."""
        for table, path, text in same_names(self.pairs, self.analogies):
            yield f"gate.{table}", path, text
        names = [name_of(path) for path in (*self.pairs, *self.analogies)]
        for name in self.floors:
            if name not in names:
                known = did_you_mean(name, names) if names else "; name its file in gate.pairs or gate.analogies"
                yield "gate.floors", {name: self.floors[name]}, f"there is no test set {name}{known}"


def read_tests(run: Run) -> None:
    """Read the test sets when the run begins, so that a mistake in them stops it at once. Raises InputError."""
    config = run.config[GateConfig]
    run.found[TESTS] = read_test_sets(config.pairs, config.analogies)


def decides(run: Run) -> Chosen:
    """What decides the result of the gate, besides the candidate and the current version."""
    tests: tuple[TestSet, ...] = run.found[TESTS]
    return {"settings": as_tree(run.config[GateConfig]), "tests": {test.name: test.digest for test in tests}}


def check_corpus(run: Run) -> None:
    """Raise GateFailed if the corpus does not pass. No word is encoded then."""
    corpus, vocabulary = run.records["word_counts"], run.records["vocabulary"]
    scores = _corpus_scores(run.config[GateConfig], corpus, vocabulary, previous_version(run))
    if failed := failures(scores):
        raise GateFailed("\n".join(f"{text}; mend the corpus, or change this key" for text in failed))


def score(run: Run) -> list[Score]:
    """The scores of the run's candidate."""
    candidate, previous, config = run.judged(), run.previous, run.config[GateConfig]
    if previous is not None and not previous.has("vectors"):
        previous = None
    tests: tuple[TestSet, ...] = run.found[TESTS]
    known = _known_scores(previous, config)
    job = ScoreJob(
        version=candidate,
        tests=tests,
        frequent=config.frequent_words,
        previous=previous,
        previous_tests=tuple(test for test in tests if (test.name, test.digest) not in known),
    )
    with candidate.reading("run again"):
        large = is_large(candidate) or (previous is not None and is_large(previous))
        found = figures_by_spark(run.session(), job) if large else figures_here(job)
    before = {name: value for (name, _), value in known.items()}
    before |= {figure.task: figure.value for figure in found.previous if figure.metric != "coverage"}
    corpus, vocabulary = candidate.manifest["corpus"], candidate.manifest["vocabulary"]
    return [*judged(found, config, before), *_corpus_scores(config, corpus, vocabulary, run.previous)]


def judged(found: Found, config: GateConfig, before: Mapping[str, float]) -> list[Score]:
    """The figures of a version with their thresholds. before: the current version's scores on test sets."""
    scores = []
    for figure in found.own:
        if figure.metric in OF_TEST_SETS:
            scores.append(at_least(figure, config.floors.get(figure.task), f"gate.floors.{figure.task}"))
            if figure.task in before:
                fall = Figure(figure.task, "fall", before[figure.task] - figure.value, figure.covered, figure.total)
                scores.append(at_most(fall, config.max_fall if config.max_fall < 2 else None, "gate.max_fall"))
        elif figure.metric == "coverage":
            scores.append(at_least(figure, config.min_coverage or None, "gate.min_coverage"))
        elif figure.metric == "drift":
            scores.append(at_most(figure, config.max_drift if config.max_drift < 1 else None, "gate.max_drift"))
        elif figure.metric == "zero_rows":
            scores.append(
                at_most(figure, config.max_zero_rows if config.max_zero_rows < 1 else None, "gate.max_zero_rows")
            )
        elif figure.metric == "largest_norm_ratio":
            scores.append(at_most(figure, config.max_norm_ratio or None, "gate.max_norm_ratio"))
        elif figure.metric == "not_finite":
            scores.append(at_most(figure, 0, "the limit"))
        else:
            scores.append(plain(figure))
    return scores


def _known_scores(previous: Version | None, config: GateConfig) -> dict[tuple[str, str], float]:
    """Scores of the current version that its own run has measured, by name and digest of the test set."""
    if previous is None or GATE not in previous.manifest:
        return {}
    settings, digests = previous.manifest[GATE]["settings"], previous.manifest[GATE]["tests"]
    if settings["frequent_words"] != config.frequent_words:
        return {}
    return {
        (row["task"], digests[row["task"]]): row["value"]
        for row in previous.manifest["scores"]
        if row["task"] in digests and row["metric"] in OF_TEST_SETS and row["value"] is not None
    }


def _corpus_scores(
    config: GateConfig, corpus: Mapping[str, Any], vocabulary: Mapping[str, Any], previous: Version | None
) -> list[Score]:
    """The scores of the corpus. corpus, vocabulary: their figures, as in the manifest."""
    documents, tokens, words = corpus["documents"], corpus["tokens"], vocabulary["words"]
    without = sum(corpus[name] for name in ("malformed_rows", "null_documents", "empty_documents"))
    unknown = 1 - vocabulary["tokens"] / tokens
    share = Figure("corpus", "without_words", without / documents, without, documents)
    scores = [
        at_least(Figure("corpus", "documents", documents), config.min_documents or None, "gate.min_documents"),
        at_least(Figure("corpus", "tokens", tokens), config.min_tokens or None, "gate.min_tokens"),
        at_least(Figure("vocabulary", "words", words), config.min_words or None, "gate.min_words"),
        at_most(share, config.max_without_words if config.max_without_words < 1 else None, "gate.max_without_words"),
        plain(Figure("corpus", "unknown_tokens", unknown, tokens - vocabulary["tokens"], tokens)),
    ]
    before = None if previous is None else _unknown_share(previous.manifest)
    if before is not None:
        rise = Figure("corpus", "unknown_tokens_rise", unknown - before)
        scores.append(
            at_most(rise, config.max_unknown_rise if config.max_unknown_rise < 1 else None, "gate.max_unknown_rise")
        )
    return scores


def _unknown_share(manifest: Mapping[str, Any]) -> float | None:
    """The share of tokens outside the vocabulary of a version; None if its manifest does not have the numbers."""
    tokens, known = manifest.get("corpus", {}).get("tokens"), manifest.get("vocabulary", {}).get("tokens")
    return 1 - known / tokens if tokens and known is not None else None


def score_rows(run: Run) -> Any:
    """The scores of the candidate."""
    return as_table(run.scores)


SCORES_TABLE = Table(
    "scores",
    SCORES,
    "a figure of this version, and whether it passed the gate",
    score_rows,
    of_candidate=True,
)
VECTORS_GATE = Gate(score, decides)
