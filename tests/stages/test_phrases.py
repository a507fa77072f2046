"""Phrases against gensim's, on the same text: scores, which pairs are phrases, and the joined text."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gensim.models.phrases import Phrases
from pyspark.sql import SparkSession

from w2vspark.base.errors import InputError
from w2vspark.base.schemas import PAIR_COUNTS, PHRASES
from w2vspark.spark.listed_files import write_table
from w2vspark.stages.phrases import count_batches, pair_counts, phrases, read_pair_counts, scored_pairs
from w2vspark.stages.words import Words
from w2vspark.storage.listed import read_listed
from w2vspark.text.settings import PhrasesConfig, TokensConfig

CONNECTORS = ("of", "the")


def word2phrase(worda_count, wordb_count, bigram_count, len_vocab, min_count, corpus_word_count):
    """word2phrase.c's score, as gensim takes a scorer of one's own."""
    return (bigram_count - min_count) / (worda_count * wordb_count) * corpus_word_count


@pytest.fixture(scope="module")
def text() -> list[list[str]]:
    """Sentences of Zipf's words in which some pairs, and pairs of pairs, stand together."""
    random = np.random.default_rng(5)
    words = np.minimum(random.zipf(1.4, (400, 20)), 60)
    sentences = [[f"w{number}" for number in row] for row in words.tolist()]
    for sentence in sentences[::3]:
        sentence[3:7] = ["new", "york", "times", "square"]
    for sentence in sentences[::5]:
        sentence[9:13] = ["bank", "of", "the", "river"]
    for sentence in sentences[::7]:
        sentence[14:17] = ["of", "the", "the"]
    return sentences


def ours(
    spark: SparkSession, folder: Path, text: list[list[str]], config: PhrasesConfig
) -> tuple[list[dict[tuple[str, str, str], float]], list[list[str]]]:
    """The score of every phrase, for each pass, and the joined text."""
    lines = [" ".join(sentence).encode() for sentence in text]
    corpus = spark.createDataFrame([(line,) for line in lines], "text binary").repartition(3)
    found, made = [], []
    for number in range(1, len(config.thresholds) + 1):
        words = Words(TokensConfig(), tuple(made), config.connector_words)
        write_table(pair_counts(corpus, words), str(folder / f"counts-{number}"), PAIR_COUNTS)
        made.append(str(folder / f"pass-{number}"))
        counts = read_pair_counts(spark, str(folder / f"counts-{number}"))
        scored = scored_pairs(counts, config)
        write_table(phrases(scored, config.thresholds[number - 1], number), made[-1], PHRASES)
        rows = read_listed(made[-1]).to_pylist()
        assert {row["pass"] for row in rows} <= {number}
        found.append({(row["left"], row["between"], row["right"]): row["score"] for row in rows})
    (joined,) = Words(TokensConfig(), tuple(made), config.connector_words).reader()(pa.array(lines))
    starts = joined.sentence_starts
    words = joined.words.to_pylist()
    return found, [words[a:b] for a, b in itertools.pairwise(starts)]


def pairs(text: list[list[str]], connectors: tuple[str, ...]) -> set[tuple[str, str, str]]:
    """All neighbours that are no connectors, with the connectors between them."""
    found = set()
    for sentence in text:
        places = [i for i, word in enumerate(sentence) if word not in connectors]
        found |= {(sentence[i], " ".join(sentence[i + 1 : j]), sentence[j]) for i, j in itertools.pairwise(places)}
    return found


@pytest.mark.parametrize("connectors", [(), CONNECTORS], ids=["no connectors", "connectors"])
@pytest.mark.parametrize(
    "scoring, scorer, thresholds",
    [("word2phrase", word2phrase, (20.0, 5.0)), ("gensim", "default", (2.0, 0.5)), ("npmi", "npmi", (0.4, 0.2))],
)
def test_scores_phrases_and_text_are_gensims_pass_after_pass(
    scoring, scorer, thresholds, connectors, spark, text, tmp_path
):
    config = PhrasesConfig(thresholds=thresholds, scoring=scoring, discount=3.0, connector_words=connectors)
    found, joined = ours(spark, tmp_path, text, config)
    current = text
    for threshold, mine in zip(thresholds, found, strict=True):
        theirs = Phrases(
            current, min_count=3, threshold=threshold, scoring=scorer, connector_words=frozenset(connectors)
        )
        scored = {
            parts: theirs.score_candidate(parts[0], parts[2], parts[1].split())[1]
            for parts in pairs(current, connectors)
        }
        scored = {parts: score for parts, score in scored.items() if score is not None}
        assert mine.keys() == scored.keys() and mine
        assert all(score == pytest.approx(scored[parts], rel=1e-12) for parts, score in mine.items())
        current = [theirs[sentence] for sentence in current]
    assert sorted(joined) == sorted(current)
    assert any("new_york_times_square" in sentence for sentence in joined)
    assert ("bank", "of the", "river") in found[0] or not connectors


def test_a_threshold_that_no_pair_exceeds_makes_no_phrase_and_leaves_the_text(spark, text, tmp_path):
    found, joined = ours(spark, tmp_path, text, PhrasesConfig(thresholds=(1e9,)))
    assert found == [{}] and joined == text


def test_a_word_that_holds_the_separator_is_refused():
    batch = pa.RecordBatch.from_arrays([pa.array([b"a\x1fb c"])], names=["text"])
    with pytest.raises(InputError, match=r"holds the character .x1f.*tokens\.pattern"):
        list(count_batches(iter([batch]), Words(TokensConfig(pattern=r"[^ ]+"))))
