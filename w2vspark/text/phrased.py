"""Joins words to phrases in tokenized text, as the phrases table says."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2vspark.text.tokenized import Tokenized, starts_of

DELIMITER = "_"
BETWEEN = " "  # separates the connector words of a phrase; no token contains it

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Phrases:
    """The phrases of one pass. A row is a phrase: the words left, between (connector words, or "") and right."""

    left: pa.Array  # string
    between: pa.Array
    right: pa.Array


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of neighbouring words in each sentence, where connector words are skipped."""

    first: _Ints  # positions of the left words in Tokenized.words
    last: _Ints  # positions of the right words; only connector words are between left and right
    between: pa.Array  # string: those connector words, or ""


def find_pairs(text: Tokenized, connectors: Sequence[str]) -> Pairs:
    """All pairs of neighbours, in the order of the text. A word may end one pair and begin the next."""
    positions = np.arange(len(text.words))
    if connectors:
        is_connector = pc.is_in(text.words, value_set=pa.array(connectors, pa.string()))
        positions = positions[~is_connector.to_numpy(zero_copy_only=False)]
    first, last = positions[:-1], positions[1:]
    inside = np.searchsorted(text.sentence_starts, first, "right") == np.searchsorted(
        text.sentence_starts, last, "right"
    )
    first, last = first[inside], last[inside]
    gaps = last - first - 1
    if not gaps.any():
        return Pairs(first, last, pa.repeat("", len(first)))
    between = np.full(len(first), "", dtype=object)
    for at in np.flatnonzero(gaps).tolist():
        words = text.words.slice(first[at] + 1, gaps[at])
        between[at] = BETWEEN.join(words.to_pylist())
    return Pairs(first, last, pa.array(between, pa.string()))


def join_phrases(text: Tokenized, phrases: Phrases, connectors: Sequence[str]) -> Tokenized:
    """The text with every phrase as one word: left, between and right, joined by DELIMITER.

    Phrases are joined from left to right, and no word is in two phrases. gensim's Phrases does the same, and so does
    word2phrase.c, which has no connector words.
    """
    if not len(phrases.left) or not len(text.words):
        return text
    pairs = find_pairs(text, connectors)
    found = _are_phrases(text.words, pairs, phrases)
    # Of overlapping pairs, join every other one: a pair cannot be joined if the pair before it has taken its left word.
    follows = np.zeros(len(found), np.bool_)
    follows[1:] = found[1:] & found[:-1] & (pairs.first[1:] == pairs.last[:-1])
    run_start = np.flatnonzero(found & ~follows)
    number = np.cumsum(found) - 1
    in_run = number[found] - np.repeat(number[run_start], np.diff(np.append(number[run_start], number[-1:] + 1)))
    joined = np.flatnonzero(found)[in_run % 2 == 0]
    if not len(joined):
        return text
    first, last = pairs.first[joined], pairs.last[joined]
    left, right = text.words.take(pa.array(first)), text.words.take(pa.array(last))
    between = pc.replace_substring(pairs.between.take(pa.array(joined)), BETWEEN, DELIMITER)
    plain = pc.binary_join_element_wise(left, right, DELIMITER)
    whole = pc.binary_join_element_wise(left, between, right, DELIMITER)
    names = pc.if_else(pc.equal(between, ""), plain, whole)
    keep = np.ones(len(text.words), np.bool_)
    for gap in range(1, int((last - first).max()) + 1):
        long_enough = last - first >= gap
        keep[first[long_enough] + gap] = False
    starts_phrase = np.zeros(len(text.words), np.bool_)
    starts_phrase[first] = True
    words = pc.replace_with_mask(text.words, pa.array(starts_phrase), names).filter(pa.array(keep))
    sentence_starts = starts_of(keep)[text.sentence_starts]
    return Tokenized(text.documents, text.document_starts, sentence_starts, words, text.invalid_utf8)


def _are_phrases(words: pa.Array, pairs: Pairs, phrases: Phrases) -> npt.NDArray[np.bool_]:
    """Which pairs are phrases: their three parts are in one row of the table."""
    distinct = words.dictionary_encode()

    def ends(positions: _Ints) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(distinct.indices.take(pa.array(positions)), distinct.dictionary)

    parts = []
    sizes = []
    for of_pairs, known in (
        (ends(pairs.first), phrases.left),
        (ends(pairs.last), phrases.right),
        (pairs.between.dictionary_encode(), phrases.between),
    ):
        names = known.dictionary_encode()
        number = pc.fill_null(pc.index_in(of_pairs.dictionary, value_set=names.dictionary), -1).to_numpy()
        parts.append((number.astype(np.int64)[of_pairs.indices.to_numpy()], names.indices.to_numpy().astype(np.int64)))
        sizes.append(len(names.dictionary))
    scale = (sizes[1] * sizes[2], sizes[2], 1)
    asked = sum(of_pairs * step for (of_pairs, _), step in zip(parts, scale, strict=True))
    rows = sum(known * step for (_, known), step in zip(parts, scale, strict=True))
    possible = np.all([of_pairs >= 0 for of_pairs, _ in parts], axis=0)
    found: npt.NDArray[np.bool_] = possible & np.isin(asked, rows)
    return found
