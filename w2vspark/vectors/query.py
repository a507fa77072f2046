"""Query a table of vectors: neighbours, similarity and analogies. Needs only NumPy."""

import difflib
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vspark.base.errors import InputError
from w2vspark.vectors.table import WordVectors

Method = Literal["3cosadd", "3cosmul"]

_SPELLING_CANDIDATES = 3000  # difflib takes some 20 microseconds for each


class Neighbour(NamedTuple):
    """A word and its similarity: a cosine, or for 3CosMul a quotient of shifted cosines (see `analogy`)."""

    word: str
    similarity: float


def similarity(vectors: WordVectors, first: str, second: str) -> float:
    """The cosine of two words' vectors, from -1 to 1; 0 if a vector is zero. Raises InputError for an unknown word."""
    left, right = (vector_of(vectors, word).astype(np.float64) for word in (first, second))
    norms = np.linalg.norm(left) * np.linalg.norm(right)
    return float(left @ right / norms) if norms > 0 else 0.0


def cosines(vectors: WordVectors, first: Sequence[int], second: Sequence[int]) -> NDArray[np.float64]:
    """The cosines of N pairs of rows, float64 (N,), computed in float64; 0 if a vector is zero."""
    left = vectors.matrix[list(first)].astype(np.float64)
    right = vectors.matrix[list(second)].astype(np.float64)
    norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    norms[norms == 0] = 1
    result: NDArray[np.float64] = np.einsum("ij,ij->i", left, right) / norms
    return result


def similar(
    vectors: WordVectors, words: str | Sequence[str], top: int = 10, *, negative: str | Sequence[str] = ()
) -> list[Neighbour]:
    """The `top` words nearest to one or more words, as a list of `Neighbour(word, similarity)`.

    `words`, `negative`: one word, or a sequence of words. The similarity is the cosine with the sum of the unit vectors
    of `words` minus those of `negative`. The list is sorted by falling similarity, then by id. It never has the words
    that were asked about, as in gensim's `most_similar`. An unseen word gets the vector of its character n-grams, if
    the model has subwords.

    Raises InputError for an unknown word, if no word is given, and if `top` is less than 1.

    Example: `similar(vectors, ["king", "woman"], negative="man")`.
    """
    plus, minus = _as_list(words), _as_list(negative)
    if not plus and not minus:
        raise InputError("no word was given: name at least one word whose neighbours are wanted")
    target = np.zeros(vectors.dimensions, np.float32)
    for sign, asked in ((1, plus), (-1, minus)):
        for word in asked:
            target += sign * _unit(vector_of(vectors, word))
    return _nearest(vectors, vectors.unit @ _unit(target), top, exclude=_known(vectors, plus + minus))


def similar_to_vector(vectors: WordVectors, vector: NDArray[np.floating], top: int = 10) -> list[Neighbour]:
    """The `top` words whose vectors have the largest cosine with a vector, as a list of `Neighbour(word, similarity)`.

    `vector`: shape (D,), any float dtype. Raises InputError if it has another shape or a value that is not finite.

    Example: `similar_to_vector(vectors, vectors.vector("thread"))`.
    """
    wanted = np.asarray(vector, dtype=np.float32)
    if wanted.shape != (vectors.dimensions,) or not np.isfinite(wanted).all():
        raise InputError(
            f"the query vector has shape {wanted.shape} and {int(np.sum(~np.isfinite(wanted)))} values that are not "
            f"finite; these vectors need {vectors.dimensions} finite values"
        )
    return _nearest(vectors, vectors.unit @ _unit(wanted), top, exclude=[])


def analogy(
    vectors: WordVectors, a: str, b: str, c: str, top: int = 10, *, method: Method = "3cosadd"
) -> list[Neighbour]:
    """The `top` answers to "a is to b as c is to ?", as a list of `Neighbour(word, similarity)`; never a, b or c.

    `method`: "3cosadd" looks for the largest cos(x, b - a + c) of unit vectors (Mikolov, Yih & Zweig 2013). "3cosmul"
    looks for the largest cos'(x, b) cos'(x, c) / (cos'(x, a) + 1e-6), where cos' = (1 + cos) / 2 (Levy & Goldberg 2014,
    equation 4).

    Raises InputError for an unknown word.

    Example: `analogy(vectors, "man", "king", "woman", top=1)`.
    """
    if method == "3cosadd":
        return similar(vectors, [b, c], top, negative=[a])
    asked = np.stack([_unit(vector_of(vectors, word)) for word in (a, b, c)])
    scores = np.empty((1, len(vectors.words)), dtype=np.float32)
    combine_cosines(asked @ vectors.unit.T, np.array([[0, 1, 2]]), method, out=scores)
    return _nearest(vectors, scores[0], top, exclude=_known(vectors, [a, b, c]))


def combine_cosines(
    asked: NDArray[np.float32], questions: NDArray[np.intp], method: Method, out: NDArray[np.float32]
) -> None:
    """Score every word for every analogy question; the word with the largest score is the answer.

    asked: float32 (words asked about, words scored), the cosines. questions: (Q, 3), the rows of `asked` for a, b and
    c. out: float32 (Q, words scored), receives the scores.
    """
    a, b, c = questions.T
    if method == "3cosadd":
        # cos(x, b - a + c) times the length of b - a + c, which is the same for every x.
        np.take(asked, b, axis=0, out=out)
        out -= asked[a]
        out += asked[c]
    else:
        # Shift and divide the rows of `asked`, which are fewer than the questions.
        shifted = (asked + 1) / 2
        inverse = 1 / (shifted + np.float32(1e-6))
        np.take(shifted, b, axis=0, out=out)
        out *= shifted[c]
        out *= inverse[a]


def vector_of(vectors: WordVectors, word: str) -> NDArray[np.float32]:
    """A word's vector, float32 (D,), like WordVectors.vector. Raises InputError for an unknown word, as row_of does."""
    if word in vectors.index or vectors.subwords is None:
        row: NDArray[np.float32] = vectors.matrix[row_of(vectors, word)]
        return row
    return vectors.subwords.vector(word)


def row_of(vectors: WordVectors, word: str) -> int:
    """The row of a word. For an unknown word, raises InputError, which names words with a similar spelling."""
    row = vectors.index.get(word)
    if row is not None:
        return row
    message = f"the word {word!r} is not among the {len(vectors.words):,} words of the table"
    lower = word.lower()
    if lower in vectors.index:
        raise InputError(f"{message}, but {lower!r} is: ask for that")
    close = _close_spellings(vectors.words, word)
    hint = f"close to it are {', '.join(map(repr, close))}" if close else "no word has a close spelling"
    raise InputError(f"{message}; {hint}")


def _close_spellings(words: Sequence[str], word: str) -> list[str]:
    """Up to five words with a similar spelling and the same first two letters, or else the same first letter."""
    for letters in (2, 1):
        start, shortest, longest = word[:letters], len(word) - 2, len(word) + 2
        candidates = [w for w in words if w.startswith(start) and shortest <= len(w) <= longest]
        # Words are sorted by falling count, so the cut keeps the most likely ones.
        close = difflib.get_close_matches(word, candidates[:_SPELLING_CANDIDATES], n=5)
        if close:
            return close
    return []


def _nearest(vectors: WordVectors, scores: NDArray[np.float32], top: int, exclude: list[int]) -> list[Neighbour]:
    """The `top` best rows by falling score, then by id. Changes `scores`."""
    if top < 1:
        raise InputError(f"{top} neighbours were asked for: ask for 1 or more")
    scores[exclude] = -np.inf
    top = min(top, len(scores) - len(set(exclude)))
    if top < 1:
        return []
    threshold = np.partition(scores, len(scores) - top)[len(scores) - top]
    rows = np.flatnonzero(scores >= threshold)
    best = rows[np.lexsort((rows, -scores[rows]))][:top]
    return [Neighbour(vectors.words[row], float(scores[row])) for row in best.tolist()]


def _unit(vector: NDArray[np.float32]) -> NDArray[np.float32]:
    norm = np.linalg.norm(vector)
    return vector / norm if norm > 0 else vector


def _known(vectors: WordVectors, words: list[str]) -> list[int]:
    return [vectors.index[word] for word in words if word in vectors.index]


def _as_list(words: str | Sequence[str]) -> list[str]:
    return [words] if isinstance(words, str) else list(words)
