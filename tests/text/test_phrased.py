"""Joining phrases against a loop over each sentence."""

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from w2vspark.text.phrased import Phrases, find_pairs, join_phrases
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenized import Tokenized, starts_of, tokenize

WORDS = ["a", "b", "c", "of", "the"]
CONNECTORS = ("of", "the")
Parts = tuple[str, str, str]
Documents = list[list[list[str]]]  # documents of sentences of words


def columns(documents: Documents) -> Tokenized:
    sentences = [sentence for document in documents for sentence in document]
    return Tokenized(
        np.arange(len(documents)),
        starts_of(np.array([len(document) for document in documents], np.int64)),
        starts_of(np.array([len(sentence) for sentence in sentences], np.int64)),
        pa.array([word for sentence in sentences for word in sentence], pa.string()),
        0,
    )


def lists(text: Tokenized) -> Documents:
    words = text.words.to_pylist()
    sentences = [words[a:b] for a, b in itertools.pairwise(text.sentence_starts)]
    return [sentences[a:b] for a, b in itertools.pairwise(text.document_starts)]


def table(phrases: set[Parts]) -> Phrases:
    rows = sorted(phrases)
    return Phrases(*(pa.array([row[i] for row in rows], pa.string()) for i in range(3)))


def joined(sentence: list[str], phrases: set[Parts], connectors: tuple[str, ...]) -> list[str]:
    found, at = [], 0
    while at < len(sentence):
        end = at + 1
        while end < len(sentence) and sentence[end] in connectors:
            end += 1
        parts = (sentence[at], " ".join(sentence[at + 1 : end]), sentence[end] if end < len(sentence) else "")
        if sentence[at] not in connectors and end < len(sentence) and parts in phrases:
            found.append("_".join(sentence[at : end + 1]))
            at = end + 1
        else:
            found.append(sentence[at])
            at += 1
    return found


def counted(sentence: list[str], connectors: tuple[str, ...]) -> list[Parts]:
    places = [i for i, word in enumerate(sentence) if word not in connectors]
    return [(sentence[i], " ".join(sentence[i + 1 : j]), sentence[j]) for i, j in itertools.pairwise(places)]


texts = st.lists(st.lists(st.lists(st.sampled_from(WORDS), max_size=12), max_size=4), max_size=4)
parts = st.tuples(
    st.sampled_from("abc"), st.sampled_from(["", "of", "of the", "the of", "of of"]), st.sampled_from("abc")
)


@given(texts, st.sets(parts), st.booleans())
def test_phrases_are_joined_from_left_to_right_within_sentences(documents, phrases, with_connectors):
    connectors = CONNECTORS if with_connectors else ()
    got = join_phrases(columns(documents), table(phrases), connectors)
    expected = [[joined(sentence, phrases, connectors) for sentence in document] for document in documents]
    assert lists(got) == expected


@given(texts, st.booleans())
def test_pairs_are_all_neighbours_that_are_no_connectors(documents, with_connectors):
    connectors = CONNECTORS if with_connectors else ()
    text = columns(documents)
    pairs, words = find_pairs(text, connectors), text.words.to_pylist()
    got = list(
        zip([words[i] for i in pairs.first], pairs.between.to_pylist(), [words[i] for i in pairs.last], strict=True)
    )
    assert got == [parts for document in documents for sentence in document for parts in counted(sentence, connectors)]


def test_a_run_of_one_word_is_joined_two_by_two():
    got = join_phrases(columns([[["a"] * 5]]), table({("a", "", "a")}), ())
    assert lists(got) == [[["a_a", "a_a", "a"]]]


def test_text_from_the_tokenizer_is_joined_across_no_document():
    (text,) = tokenize(pa.array([b"New York new", b"york"]), TokensConfig())
    assert lists(join_phrases(text, table({("new", "", "york")}), ())) == [[["new_york", "new"]], [["york"]]]
