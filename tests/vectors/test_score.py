import math
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors
from scipy import stats

from w2vspark.vectors import WordVectors, read_analogies, score_analogies, score_pairs, similarity
from w2vspark.vectors import score as score_module


def pair_rows(seed: int) -> list[tuple[str, str, float]]:
    """Pairs with many equal scores, and some of them with a word that is not known."""
    generator = np.random.default_rng(seed)
    numbers = generator.integers(0, 560, size=(200, 2))
    return [(f"w{a}", f"w{b}", float(generator.integers(0, 10)) / 2) for a, b in numbers]


@pytest.mark.parametrize("restrict", [0, 300])
def test_pair_scores_are_gensims(vectors, gensim_vectors, tmp_path: Path, restrict):
    rows = pair_rows(1)
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"{a}\t{b}\t{score}\n" for a, b, score in rows))
    pearson, spearman, missing = gensim_vectors.evaluate_word_pairs(
        str(file), restrict_vocab=restrict or None, case_insensitive=False
    )
    ours = score_pairs(vectors, rows, restrict=restrict)
    assert ours.spearman == pytest.approx(spearman[0], abs=1e-6)
    assert ours.pearson == pytest.approx(pearson[0], abs=1e-6)
    assert 100 - 100 * ours.covered / ours.total == pytest.approx(missing)
    assert ours.total == 200 and 50 < ours.covered < 195


def test_pair_scores_are_scipys_with_ties_on_both_sides(vectors):
    rows = [row for row in pair_rows(2) if row[0] in vectors.index and row[1] in vectors.index] * 2
    ours = score_pairs(vectors, rows)
    judged, measured = [row[2] for row in rows], [similarity(vectors, row[0], row[1]) for row in rows]
    assert len(set(measured)) < len(measured)
    assert ours.spearman == pytest.approx(stats.spearmanr(judged, measured).statistic, abs=1e-12)
    assert ours.pearson == pytest.approx(stats.pearsonr(judged, measured).statistic, abs=1e-12)


def test_a_correlation_that_does_not_exist_is_nan(vectors):
    for rows in ([], [("w1", "unknown", 1.0)], [("w1", "w2", 1.0)], [("w1", "w2", 0.1), ("w2", "w3", 0.1)]):
        score = score_pairs(vectors, rows)
        assert math.isnan(score.spearman) and math.isnan(score.pearson)
        assert score.total == len(rows)


def planted_words(case=str) -> WordVectors:
    """Words whose vectors are an own part, or the same plus a relation's part and noise: some analogies hold."""
    generator = np.random.default_rng(11)
    own = generator.normal(size=(120, 16))
    relation = generator.normal(size=16) * 1.2
    rows = np.concatenate([own, own + relation + generator.normal(size=own.shape) * 0.45])
    order = generator.permutation(240)
    names = [case(f"Base{n}") for n in range(120)] + [case(f"Derived{n}") for n in range(120)]
    return WordVectors([names[n] for n in order], np.arange(240, 0, -1), rows[order].astype(np.float32))


def questions(path: Path) -> Path:
    generator = np.random.default_rng(12)
    lines = []
    for section in ("capitals", "gram1-plural", "family", "gram2-past"):
        lines.append(f": {section}")
        for a, c in generator.integers(0, 125, size=(80, 2)):  # five of them are not known
            lines.append(f"Base{a} Derived{a} Base{c} Derived{c}")
        lines.append("Base1 Derived1 Base1 Derived2")  # a word twice
    path.write_text("\n".join(lines) + "\n")
    return path


def gensim_sections(vectors: WordVectors, file: Path, restrict: int, fold: bool) -> dict[str, tuple[int, int]]:
    peer = KeyedVectors(vectors.dimensions)
    peer.add_vectors(vectors.words, vectors.matrix)
    _, sections = peer.evaluate_word_analogies(str(file), restrict_vocab=restrict or None, case_insensitive=fold)
    return {part["section"]: (len(part["correct"]), len(part["correct"] + part["incorrect"])) for part in sections}


@pytest.mark.parametrize(("restrict", "case", "fold"), [(0, str, False), (150, str, False), (0, str.lower, True)])
def test_analogy_scores_are_gensims_in_every_section(tmp_path: Path, restrict, case, fold):
    vectors, file = planted_words(case), questions(tmp_path / "questions-words.txt")
    theirs = gensim_sections(vectors, file, restrict, fold)
    ours = score_analogies(vectors, read_analogies(str(file)), restrict=restrict)
    assert {part.section: (part.correct, part.covered) for part in ours.sections} == {
        name: counts for name, counts in theirs.items() if name != "Total accuracy"
    }
    assert (ours.total.correct, ours.total.covered) == theirs["Total accuracy"]
    assert 0 < ours.total.correct < ours.total.covered < ours.total.total == 4 * 81
    assert [part.section for part in ours.sections] == ["capitals", "gram1-plural", "family", "gram2-past"]
    assert ours.semantic.correct == ours.sections[0].correct + ours.sections[2].correct
    assert ours.syntactic.covered == ours.sections[1].covered + ours.sections[3].covered
    assert ours.total.accuracy == ours.total.correct / ours.total.covered


@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
def test_3cosmul_scores_are_those_of_gensims_answers(tmp_path: Path):
    vectors = planted_words()
    rows = [
        row for row in read_analogies(str(questions(tmp_path / "q.txt"))) if all(w in vectors.index for w in row[1:])
    ]
    peer = KeyedVectors(vectors.dimensions)
    peer.add_vectors(vectors.words, vectors.matrix)
    right = sum(
        peer.most_similar_cosmul(positive=[row.b, row.c], negative=[row.a], topn=1)[0][0] == row.expected
        for row in rows
    )
    ours = score_analogies(vectors, rows, method="3cosmul")
    assert ours.total.correct == right
    assert ours.total.correct != score_analogies(vectors, rows).total.correct


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_the_size_of_the_blocks_changes_nothing(tmp_path: Path, monkeypatch, method):
    vectors, rows = planted_words(), read_analogies(str(questions(tmp_path / "q.txt")))
    whole = score_analogies(vectors, rows, method=method)
    monkeypatch.setattr(score_module, "_QUESTIONS", 7)
    monkeypatch.setattr(score_module, "_WORDS", 11)
    monkeypatch.setattr(score_module, "_AT_ONCE", 3)
    assert score_analogies(vectors, rows, method=method) == whole


def test_test_sets_are_looked_up_in_lower_case_where_the_vocabulary_is_lower_cased():
    lower = WordVectors(["paris", "rome"], np.array([2, 1]), np.eye(2, dtype=np.float32))
    mixed = WordVectors(["Paris", "rome"], np.array([2, 1]), np.eye(2, dtype=np.float32))
    rows = [("Paris", "Rome", 1.0)]
    assert score_pairs(lower, rows).covered == 1
    assert score_pairs(lower, rows, case="keep").covered == 0
    assert score_pairs(mixed, rows).covered == 0
    assert score_pairs(mixed, [("PARIS", "ROME", 1.0), ("Paris", "rome", 1.0)]).covered == 1
    assert score_pairs(mixed, [("Rome", "ROME", 1.0)], case="lower").covered == 1


def test_no_question_gives_no_accuracy(vectors):
    score = score_analogies(vectors, [("s", "unknown", "w1", "w2", "w3")])
    assert (score.total.correct, score.total.covered, score.total.total) == (0, 0, 1)
    assert math.isnan(score.total.accuracy)
    assert score_analogies(vectors, []).sections == ()
