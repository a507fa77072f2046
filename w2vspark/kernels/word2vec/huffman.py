"""Huffman's code over the vocabulary: each word's path from the root, for hierarchical softmax.

Huffman 1952; Morin & Bengio 2005; Mikolov et al. 2013 (word2vec.c). The tree is built from two queues in the order of
the counts, so ties have one answer: of words with equal counts the later one goes first, and a word goes before an
inner node.
"""

from dataclasses import dataclass

import numpy as np

from w2vspark.kernels.compiled import compiled


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of all words. The path of word w, from the root, is nodes[starts[w] : starts[w + 1]]."""

    starts: np.ndarray  # int64 (V + 1,)
    nodes: np.ndarray  # int32, inner nodes 0 … V - 2, numbered in the order in which they are made; the root is last
    codes: np.ndarray  # uint8, the branch at each node: 0 or 1


@compiled
def _fill_tree(counts, parents, branches):
    """Fill parents and branches: for words 0 … V - 1, then for the inner nodes in the order in which they are made."""
    words = counts.size
    weights = np.empty(words - 1, np.int64)
    word = words - 1  # the queue of words, from the least frequent
    node = 0  # the queue of inner nodes, whose weights never fall
    for made in range(words - 1):
        for branch in range(2):
            if word >= 0 and (node >= made or counts[word] <= weights[node]):
                child, weight = word, counts[word]
                word -= 1
            else:
                child, weight = words + node, weights[node]
                node += 1
            parents[child] = made
            branches[child] = branch
            weights[made] = weight if branch == 0 else weights[made] + weight


@compiled
def _fill_lengths(parents, words, depths, starts):
    for made in range(words - 3, -1, -1):  # an inner node is made before its parent
        depths[made] = depths[parents[words + made]] + 1
    for word in range(words):
        starts[word + 1] = starts[word] + depths[parents[word]] + 1


@compiled
def _fill_paths(parents, branches, words, starts, nodes, codes):
    for word in range(words):
        child = word
        for at in range(starts[word + 1] - 1, starts[word] - 1, -1):
            nodes[at] = parents[child]
            codes[at] = branches[child]
            child = words + parents[child]


def huffman_paths(counts: np.ndarray) -> Paths:
    """The Huffman paths of all words.

    counts: int64 (V,), positive and falling, as in a vocabulary. The lighter one of two subtrees has code 0. A single
    word has an empty path. Raises ValueError for invalid counts.
    """
    if counts.dtype != np.int64 or counts.ndim != 1 or counts.size == 0 or counts.size >= 2**31:
        raise ValueError(
            f"counts must be a vector of int64 with 1 to 2**31-1 entries, not {counts.dtype} {counts.shape}"
        )
    if counts[-1] <= 0 or (np.diff(counts) > 0).any():
        raise ValueError("counts must be positive and must not rise")
    words = counts.size
    parents = np.zeros(2 * words - 1, np.int32)
    branches = np.zeros(2 * words - 1, np.uint8)
    _fill_tree(counts, parents, branches)
    starts = np.zeros(words + 1, np.int64)
    if words > 1:
        _fill_lengths(parents, words, np.zeros(words - 1, np.int64), starts)
    nodes, codes = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.uint8)
    _fill_paths(parents, branches, words, starts, nodes, codes)
    return Paths(starts, nodes, codes)


def paths_of_words(counts: np.ndarray) -> Paths:
    """The Huffman paths of words in any order. Words with equal counts are taken in the given order.

    counts: int64 (V,), positive. Raises ValueError for invalid counts.
    """
    order = np.argsort(-counts, kind="stable")
    paths = huffman_paths(counts[order])
    if (order[1:] > order[:-1]).all():
        return paths
    lengths = np.empty(counts.size, np.int64)
    lengths[order] = np.diff(paths.starts)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    first = np.empty(counts.size, np.int64)  # of each word's path among the paths in the order of the counts
    first[order] = paths.starts[:-1]
    at = np.repeat(first - starts[:-1], lengths) + np.arange(starts[-1])
    return Paths(starts, paths.nodes[at], paths.codes[at])


@compiled
def _fill_same_nodes(starts, nodes, codes, old_starts, old_nodes, old_codes, old_words, found, signs):
    for word in range(old_words.size):
        old = old_words[word]
        if old < 0:
            continue
        depth = min(starts[word + 1] - starts[word], old_starts[old + 1] - old_starts[old])
        for step in range(depth):
            node = nodes[starts[word] + step]
            if signs[node] == 0:
                found[node] = old_nodes[old_starts[old] + step]
                same = codes[starts[word] + step] == old_codes[old_starts[old] + step]
                signs[node] = 1.0 if same else -1.0


def same_nodes(paths: Paths, old_paths: Paths, old_words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match each inner node of a tree with a node of an older tree: the old nodes, and the signs for their vectors.

    The match is the node that the first old word below the node passed at the same depth: the most frequent one, if
    words are in the order of their counts. The sign is -1 if the
    branches have changed sides, and 0 if there is no match. old_words: int64 (V,), each word's id in the older
    vocabulary, -1 for a new word. Returns int64 (V - 1,) and float32 (V - 1,).
    """
    found = np.zeros(max(0, old_words.size - 1), np.int64)
    signs = np.zeros(found.size, np.float32)
    _fill_same_nodes(
        paths.starts, paths.nodes, paths.codes, old_paths.starts, old_paths.nodes, old_paths.codes, old_words, found,
        signs,
    )  # fmt: skip
    return found, signs
