import numpy as np
import pytest

from w2vspark.base.errors import OutputError
from w2vspark.output.publish import resolve
from w2vspark.vectors import WordVectors, read_analogies, read_pairs, score_analogies, score_pairs
from w2vspark.vectors.sample import read_sample
from w2vspark.vectors.test_sets import figures_of, name_of, read_test_sets


def test_a_sample_has_the_most_frequent_words_and_those_that_are_asked_for(vectors, publish):
    version = resolve(str(publish(vectors, order=np.random.default_rng(3).permutation(500).tolist())))
    sample = read_sample(version, 120, {"w7", "w300", "W499", "上课", "nobody", "W130"})
    rows = [*range(120), 130, 300, vectors.index["上课"]]
    assert sample.vectors.words == [vectors.words[row] for row in rows]
    assert np.array_equal(sample.vectors.matrix, vectors.matrix[rows])
    assert np.array_equal(sample.vectors.counts, vectors.counts[rows])
    assert (sample.frequent, sample.words, sample.case) == (120, 500, "lower")


def test_a_small_vocabulary_is_its_own_sample(vectors, publish):
    sample = read_sample(resolve(str(publish(vectors))), 30_000, {"w3"})
    assert sample.frequent == sample.words == 500 and sample.vectors.words == vectors.words


def test_words_are_looked_up_as_they_are_if_the_vocabulary_has_capitals(publish):
    words = ["Paris", "France", "Rome", "Italy"]
    capitals = WordVectors(words, np.ones(4, np.int64), np.eye(4, dtype=np.float32))
    assert read_sample(resolve(str(publish(capitals))), 100).case == "keep"


def test_a_table_with_missing_ids_is_damaged(vectors, publish):
    output = publish(vectors, order=[*range(100), *range(101, 500)])
    with pytest.raises(OutputError, match="119 rows have the ids of 120 words"):
        read_sample(resolve(str(output)), 120)


@pytest.fixture
def tests_on_disk(tmp_path):
    draw = np.random.default_rng(8)
    pairs = "".join(f"w{a}\tw{b}\t{a % 7}\n" for a, b in draw.integers(0, 520, (200, 2)).tolist())
    rows = "".join("s " + " ".join(f"w{n}" for n in row) + "\n" for row in draw.integers(0, 150, (200, 4)).tolist())
    (tmp_path / "some.pairs.tsv").write_text(pairs)
    (tmp_path / "questions.txt").write_text(rows)
    return str(tmp_path / "some.pairs.tsv"), str(tmp_path / "questions.txt")


def test_a_samples_figures_are_those_of_the_whole_version(vectors, publish, tests_on_disk):
    pairs, analogies = tests_on_disk
    tests = read_test_sets([pairs], [analogies])
    assert [test.name for test in tests] == ["some.pairs", "questions"]
    sample = read_sample(resolve(str(publish(vectors))), 120, tests[0].words | tests[1].words)
    score, coverage = figures_of(sample, tests[0])
    whole = score_pairs(vectors, read_pairs(pairs))
    assert (score.metric, score.value, score.covered, score.total) == ("spearman", whole.spearman, whole.covered, 200)
    assert coverage.value == whole.covered / 200 < 1
    score, coverage = figures_of(sample, tests[1])
    answered = score_analogies(vectors, read_analogies(analogies), restrict=120).total
    assert (score.metric, score.value, score.covered) == ("accuracy", answered.accuracy, answered.covered)
    assert 0 < answered.covered < 200 and coverage.value == answered.covered / 200


def test_a_test_set_counts_by_its_content(tests_on_disk):
    pairs, _ = tests_on_disk
    (before,) = read_test_sets([pairs], [])
    with open(pairs, "a") as file:
        file.write("w1 w2 3\n")
    assert read_test_sets([pairs], [])[0].digest != before.digest


def test_a_test_sets_name_is_its_files_name_without_the_ending():
    assert [name_of(path) for path in ("/a/wordsim353.tsv", "s3://b/google.txt", "plain", "a/.hidden", "x/")] == [
        "wordsim353", "google", "plain", ".hidden", "x",
    ]  # fmt: skip
