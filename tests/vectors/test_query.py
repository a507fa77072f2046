import itertools

import numpy as np
import pytest

from w2vspark.base.errors import InputError
from w2vspark.vectors import WordVectors, analogy, similar, similar_to_vector, similarity


def assert_same_answer(ours, gensims):
    assert [word for word, _ in ours] == [word for word, _ in gensims]
    assert np.allclose([score for _, score in ours], [score for _, score in gensims], atol=2e-6)


def small(words: list[str], rows: list[list[float]]) -> WordVectors:
    return WordVectors(words, np.arange(len(words), 0, -1), np.array(rows, dtype=np.float32))


@pytest.mark.parametrize("word", ["w0", "w33", "naïve", "上课"])
def test_neighbours_are_gensims(vectors, gensim_vectors, word):
    assert_same_answer(similar(vectors, word, 25), gensim_vectors.most_similar(word, topn=25))


def test_several_words_are_averaged_as_gensim_does(vectors, gensim_vectors):
    plus, minus = ["w1", "w2", "w3"], ["w4", "w5"]
    assert_same_answer(similar(vectors, plus), gensim_vectors.most_similar(positive=plus))
    assert_same_answer(
        similar(vectors, plus, negative=minus), gensim_vectors.most_similar(positive=plus, negative=minus)
    )
    assert_same_answer(similar(vectors, [], negative="w4"), gensim_vectors.most_similar(negative=["w4"]))


def test_neighbours_of_a_vector_are_gensims(vectors, gensim_vectors):
    vector = np.linspace(-3, 5, vectors.dimensions)
    assert_same_answer(similar_to_vector(vectors, vector, 7), gensim_vectors.similar_by_vector(vector, topn=7))
    assert similar_to_vector(vectors, vectors.matrix[9], 1)[0].word == "w9"


@pytest.mark.parametrize("question", list(itertools.permutations(["w5", "w17", "o'clock"])))
@pytest.mark.filterwarnings("ignore:Call to deprecated `init_sims`")
def test_analogies_are_gensims_with_both_methods(vectors, gensim_vectors, question):
    a, b, c = question
    assert_same_answer(analogy(vectors, a, b, c), gensim_vectors.most_similar(positive=[b, c], negative=[a]))
    assert_same_answer(
        analogy(vectors, a, b, c, 12, method="3cosmul"),
        gensim_vectors.most_similar_cosmul(positive=[b, c], negative=[a], topn=12),
    )


def test_man_is_to_king_as_woman_is_to_queen():
    words = ["man", "woman", "king", "queen", "apple"]
    planted = small(words, [[1, 0, 0], [1, 1, 0], [1, 0, 1], [1, 1, 1], [-1, 0.5, -1]])
    for method in ("3cosadd", "3cosmul"):
        assert analogy(planted, "man", "king", "woman", 1, method=method)[0].word == "queen"


def test_the_similarity_of_two_words_is_gensims(vectors, gensim_vectors):
    assert similarity(vectors, "w1", "w2") == pytest.approx(float(gensim_vectors.similarity("w1", "w2")), abs=1e-6)
    assert similarity(vectors, "w1", "w1") == pytest.approx(1, abs=1e-12)


def test_equal_cosines_are_given_in_order_of_frequency():
    planted = small(["a", "b", "c", "d", "e"], [[1, 0], [0, 2], [1, 1], [0, 3], [0, 1]])
    assert [word for word, _ in similar(planted, "a", 3)] == ["c", "b", "d"]


def test_no_more_words_are_given_than_there_are():
    planted = small(["a", "b"], [[1, 0], [0, 1]])
    assert [word for word, _ in similar(planted, "a", 10)] == ["b"]
    assert similar(planted, ["a", "b"], 10) == []


def test_a_zero_vector_is_near_nothing():
    planted = small(["a", "b", "zero"], [[1, 0], [1, 1], [0, 0]])
    assert similar(planted, "zero") == [("a", 0.0), ("b", 0.0)]
    assert similarity(planted, "a", "zero") == 0


def test_an_unknown_word_is_answered_with_close_spellings():
    planted = small(["the", "paris", "parish", "prisma", "berlin"], np.eye(5).tolist())
    with pytest.raises(InputError, match=r"'pariss' is not among the 5 words .* 'paris', 'parish'"):
        similar(planted, "pariss")
    with pytest.raises(InputError, match="'the'"):
        similarity(planted, "paris", "teh")  # the first letter alone is shared
    with pytest.raises(InputError, match="no word has a close spelling"):
        analogy(planted, "the", "zzz", "paris")
    with pytest.raises(InputError, match="''"):
        similar(planted, "")


def test_an_unknown_word_that_is_known_in_lower_case_says_so():
    with pytest.raises(InputError, match=r"'Paris' is not among .* but 'paris' is"):
        similar(small(["paris", "parts"], [[1, 0], [0, 1]]), "Paris")


def test_impossible_questions_are_refused(vectors):
    with pytest.raises(InputError, match="no word"):
        similar(vectors, [])
    with pytest.raises(InputError, match="0 neighbours"):
        similar(vectors, "w1", 0)
    with pytest.raises(InputError, match=r"shape \(3,\)"):
        similar_to_vector(vectors, np.ones(3))
    with pytest.raises(InputError, match="1 values that are not finite"):
        similar_to_vector(vectors, np.array([np.nan] + [1.0] * 23))
