"""Huffman's code: METHODS.md's examples, the optimum by a heap, ties, and hierarchical softmax's probabilities."""

import heapq
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2vspark.kernels.word2vec.huffman import Paths, huffman_paths, paths_of_words, same_nodes

from .reference import sigmoid


def falling(*counts: int) -> np.ndarray:
    return np.array(sorted(counts, reverse=True), np.int64)


def lengths(paths: Paths) -> list[int]:
    return np.diff(paths.starts).tolist()


def code(paths: Paths, word: int) -> str:
    return "".join(map(str, paths.codes[paths.starts[word] : paths.starts[word + 1]]))


def path(paths: Paths, word: int) -> list[int]:
    return paths.nodes[paths.starts[word] : paths.starts[word + 1]].tolist()


def optimum(counts: np.ndarray) -> int:
    """The least sum of count x length, which is the sum of all inner nodes' weights."""
    heap, total = counts.tolist(), 0
    heapq.heapify(heap)
    while len(heap) > 1:
        weight = heapq.heappop(heap) + heapq.heappop(heap)
        total += weight
        heapq.heappush(heap, weight)
    return total


def test_the_weights_of_the_methods_example_merge_as_stated():
    counts = falling(26, 24, 15, 10, 17, 18, 10, 27)
    paths = huffman_paths(counts)
    weights = [sum(counts[word] for word in range(8) if node in path(paths, word)) for node in range(7)]
    assert weights == [20, 32, 38, 50, 59, 88, 147]
    assert lengths(paths) == [2, 3, 3, 3, 3, 3, 4, 4]


def test_the_chinese_example_has_the_least_weighted_length():
    counts = falling(8, 15, 2, 1, 20, 10, 5, 3, 2)
    paths = huffman_paths(counts)
    assert counts.sum() == 66
    assert (counts * lengths(paths)).sum() == optimum(counts)
    assert lengths(paths) == sorted(lengths(paths)), "frequent words have the short codes"


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_codes_are_prefix_free_optimal_and_shorter_for_frequent_words(counts):
    counts = falling(*counts)
    paths = huffman_paths(counts)
    codes = [code(paths, word) for word in range(counts.size)]
    assert (counts * lengths(paths)).sum() == optimum(counts)
    assert sum(2.0 ** -len(c) for c in codes) == 1.0
    ordered = sorted(codes)
    assert not any(b.startswith(a) for a, b in itertools.pairwise(ordered))
    assert lengths(paths) == sorted(lengths(paths))
    for word in range(counts.size):
        assert all(b < a for a, b in zip(path(paths, word), path(paths, word)[1:], strict=False)), "root first"
        assert not path(paths, word) or path(paths, word)[0] == counts.size - 2


def test_of_equal_counts_the_later_word_goes_first_and_a_word_before_a_node():
    # 1+1 = 2 (words 4 and 3); then the words of 2 before the node of 2: 2 = word 2 + word 1, 4 = node 0 + word 0 …
    paths = huffman_paths(falling(3, 2, 2, 1, 1))
    assert [path(paths, word) for word in range(5)] == [[3, 2], [3, 1], [3, 1], [3, 2, 0], [3, 2, 0]]
    assert [code(paths, word) for word in range(5)] == ["11", "01", "00", "101", "100"]


def test_counts_beyond_32_bits_add_up():
    counts = falling(2**61, 2**61, 2**60, 3)
    assert lengths(huffman_paths(counts)) == [1, 2, 3, 3]


def test_a_code_of_many_words_is_as_deep_as_fibonacci_counts_make_it():
    counts = [1, 1]
    while len(counts) < 60:
        counts.append(counts[-1] + counts[-2])
    paths = huffman_paths(falling(*counts))
    assert max(lengths(paths)) == 59


def test_gensims_tree_has_the_same_codes_and_nodes_where_no_counts_tie():
    gensim = pytest.importorskip("gensim.models")
    random = np.random.default_rng(3)
    counts = falling(*random.choice(10_000_000, 500, replace=False))
    model = gensim.Word2Vec(hs=1, negative=0, min_count=1, vector_size=1)
    model.build_vocab_from_freq({f"w{i}": int(count) for i, count in enumerate(counts)})
    paths = huffman_paths(counts)
    for word in range(500):
        assert code(paths, word) == "".join(map(str, model.wv.get_vecattr(f"w{word}", "code")))
        assert path(paths, word) == model.wv.get_vecattr(f"w{word}", "point").tolist()


def test_a_node_goes_on_as_the_one_that_its_most_frequent_old_word_passed_at_that_depth():
    random = np.random.default_rng(11)
    old_counts, counts = (falling(*random.integers(1, 10**6, 40)) for _ in range(2))
    old_words = np.append(random.permutation(40)[:38], [-1, -1])  # two words are new
    random.shuffle(old_words)
    paths, old_paths = huffman_paths(counts), huffman_paths(old_counts)
    found, signs = same_nodes(paths, old_paths, old_words)
    expected: dict[int, tuple[int, float]] = {}
    for word, old in enumerate(old_words.tolist()):
        if old >= 0:
            steps = zip(path(paths, word), code(paths, word), path(old_paths, old), code(old_paths, old), strict=False)
            for node, bit, old_node, old_bit in steps:
                expected.setdefault(node, (old_node, 1.0 if bit == old_bit else -1.0))
    assert [(found[node], signs[node]) for node in sorted(expected)] == [expected[node] for node in sorted(expected)]
    assert set(np.flatnonzero(signs == 0)) == set(range(39)) - set(expected)
    assert set(signs.tolist()) == {-1.0, 0.0, 1.0}


def test_the_probabilities_of_all_words_sum_to_one():
    random = np.random.default_rng(1)
    paths = huffman_paths(falling(*random.integers(1, 1000, 40)))
    nodes, vector = random.normal(size=(39, 8)), random.normal(size=8)
    shares = []
    for word in range(40):
        labels = 1.0 - paths.codes[paths.starts[word] : paths.starts[word + 1]]
        logits = nodes[path(paths, word)] @ vector
        shares.append(np.prod(np.where(labels == 1, sigmoid(logits), 1 - sigmoid(logits))))
    assert sum(shares) == pytest.approx(1.0, abs=1e-12)
    assert max(shares) < 0.9


def test_a_single_word_has_no_path():
    paths = huffman_paths(falling(7))
    assert lengths(paths) == [0] and paths.nodes.size == 0


@pytest.mark.parametrize(
    "counts",
    [np.array([3, 4]), np.array([3, 0]), np.array([], np.int64), np.array([3.0, 2.0]), np.array([[2, 1]])],
    ids=["rising", "zero", "empty", "floats", "matrix"],
)
def test_other_counts_are_refused(counts):
    with pytest.raises(ValueError, match="counts must"):
        huffman_paths(counts)


def test_words_in_any_order_have_the_codes_of_their_counts():
    draw = np.random.default_rng(4)
    counts = draw.integers(1, 50, 200)
    order = np.argsort(-counts, kind="stable")
    found, expected = paths_of_words(counts), huffman_paths(counts[order])
    for place, word in enumerate(order):
        for of_word, wanted in ((found.nodes, expected.nodes), (found.codes, expected.codes)):
            a = of_word[found.starts[word] : found.starts[word + 1]]
            b = wanted[expected.starts[place] : expected.starts[place + 1]]
            np.testing.assert_array_equal(a, b)
    assert paths_of_words(np.array([7])).starts.tolist() == [0, 0]
