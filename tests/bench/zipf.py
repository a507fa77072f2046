"""Artificial text by Zipf's law: a vocabulary of any size in a corpus of any length."""

from pathlib import Path

import numpy as np

MIN_COUNT = 5
DOCUMENT_TOKENS = 1000


def write_zipf(folder: Path, words: int, tokens: int, files: int = 8) -> list[Path]:
    """Text files of some `tokens` words in which each of `words` words occurs MIN_COUNT times or more.

    Words are made of letters; documents are lines of 1,000 words in a fixed random order.
    """
    folder.mkdir(parents=True)
    text = np.repeat(np.arange(words, dtype=np.int32), zipf_counts(words, tokens))
    np.random.default_rng(5).shuffle(text)
    names = [spelled(number) for number in range(words)]
    written = []
    for part, ids in enumerate(np.array_split(text, files)):
        written.append(folder / f"part-{part}.txt")
        with open(written[-1], "w", encoding="ascii") as out:
            for first in range(0, ids.size, DOCUMENT_TOKENS):
                out.write(" ".join([names[i] for i in ids[first : first + DOCUMENT_TOKENS].tolist()]) + "\n")
    return written


def zipf_counts(words: int, tokens: int) -> np.ndarray:
    """Counts that fall as 1 / rank to MIN_COUNT, int64 (words,), whose sum is next to `tokens`, or just above it where
    MIN_COUNT times the words are more."""
    ranks = np.arange(1, words + 1)
    low, high = 0.0, float(tokens)
    for _ in range(60):
        first = (low + high) / 2
        too_many = np.maximum(MIN_COUNT, first / ranks).sum() > tokens
        low, high = (low, first) if too_many else (first, high)
    return np.maximum(MIN_COUNT, low / ranks).astype(np.int64)


def spelled(number: int) -> str:
    """A number as a word of letters."""
    word = ""
    while True:
        number, letter = divmod(number, 26)
        word += chr(ord("a") + letter)
        if number == 0:
            return word + "x"  # keeps "a" and "aa" apart, whose last digit is zero
