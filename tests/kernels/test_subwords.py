"""n-grams and their hashes against fastText's own as gensim has them, and words as means of rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vspark.kernels.word2vec.subwords import Subwords, mean_rows, ngram_buckets, subwords_of
from w2vspark.vectors.subwords import fnv1a, ngrams_of

WORDS = ["a", "the", "wherever", "naïve", "東京都", "e\u0301te\u0301", "\U0001f600x", "can't", "x" * 30]


def of_each(words: list[str], shortest: int, longest: int, buckets: int) -> list[list[int]]:
    starts, found = ngram_buckets(words, shortest, longest, buckets)
    return [found[starts[i] : starts[i + 1]].tolist() for i in range(len(words))]


def test_the_n_grams_of_where_are_those_of_the_paper():
    # Bojanowski et al. 2017, section 3.2: <wh, whe, her, ere, re> for n = 3.
    assert [ngram.decode() for ngram in ngrams_of("where", 3, 3)] == ["<wh", "whe", "her", "ere", "re>"]


def test_a_boundary_alone_is_no_n_gram():
    assert [ngram.decode() for ngram in ngrams_of("ab", 1, 2)] == ["<a", "a", "ab", "b", "b>"]


@pytest.mark.parametrize("lengths", [(3, 6), (1, 1), (1, 4), (6, 6), (2, 30)])
def test_buckets_are_those_of_gensims_fasttext_in_its_order(lengths):
    fasttext = pytest.importorskip("gensim.models.fasttext_inner")
    for word, found in zip(WORDS, of_each(WORDS, *lengths, 1000), strict=True):
        theirs = [fasttext.ft_hash_bytes(ngram) % 1000 for ngram in fasttext.compute_ngrams_bytes(word, *lengths)]
        assert found == theirs, word


@given(st.lists(st.text(min_size=0, max_size=12), max_size=5), st.integers(1, 4), st.integers(0, 4))
def test_the_kernel_finds_the_n_grams_of_any_text(words, shortest, more):
    words = [word for word in words if not any(0xD800 <= ord(letter) < 0xE000 for letter in word)]
    expected = [[fnv1a(ngram) % 77 for ngram in ngrams_of(word, shortest, shortest + more)] for word in words]
    assert of_each(words, shortest, shortest + more, 77) == expected


def test_the_hash_takes_bytes_as_signed():
    # The published value of FNV-1a for "foobar", and a byte beyond 127, where fastText's int8_t sets the high bits.
    assert fnv1a(b"foobar") == 0xBF9CF968
    assert fnv1a(b"\xc3") == ((2166136261 ^ 0xFFFFFFC3) * 16777619) % 2**32


def test_a_word_is_made_of_its_own_row_and_those_of_its_buckets():
    words = ["aa", "aaa", "b"]
    buckets = of_each(words, 3, 4, 50)
    used = np.unique(np.concatenate(buckets)).astype(np.int32)
    made = subwords_of(words, 3, 4, 50, used)
    for word in range(3):
        rows = made.rows[made.starts[word] : made.starts[word + 1]].tolist()
        assert rows == [word, *(3 + np.searchsorted(used, buckets[word])).tolist()]
    assert made.rows.max() == 2 + used.size


def test_a_bucket_that_is_missing_is_an_error():
    with pytest.raises(ValueError, match="not among the 1 used"):
        subwords_of(["word"], 3, 6, 1000, np.array([3], np.int32))


@pytest.mark.parametrize("lengths, buckets", [((0, 3), 10), ((4, 3), 10), ((3, 6), 0), ((3, 6), 2**31)])
def test_lengths_and_buckets_that_cannot_be_are_refused(lengths, buckets):
    with pytest.raises(ValueError, match="expected"):
        ngram_buckets(["word"], *lengths, buckets)


def test_a_words_vector_is_the_mean_of_its_rows():
    random = np.random.default_rng(1)
    inputs = random.standard_normal((9, 16)).astype(np.float32)
    made = Subwords(np.array([0, 1, 5, 8]), np.array([0, 1, 4, 4, 8, 2, 3, 5], np.int32))
    expected = [inputs[[0]].mean(axis=0), inputs[[1, 4, 4, 8]].mean(axis=0), inputs[[2, 3, 5]].mean(axis=0)]
    np.testing.assert_allclose(mean_rows(inputs, made, 0, 3), expected, rtol=1e-6, atol=1e-7)
    assert mean_rows(inputs, made, 1, 3).tobytes() == mean_rows(inputs, made, 0, 3)[1:].tobytes()


def test_rows_that_are_not_there_are_refused():
    made = Subwords(np.array([0, 1]), np.array([4], np.int32))
    with pytest.raises(ValueError, match="expected 5 contiguous rows"):
        mean_rows(np.zeros((4, 8), np.float32), made, 0, 1)
