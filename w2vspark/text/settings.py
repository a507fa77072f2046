"""How text becomes words: the tables [tokens] and [phrases] of the configuration."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, at_least, key


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensConfig(Settings):
    """How text becomes words."""

    section = "tokens"

    tokenizer: Literal["pattern", "whitespace", "jieba"] = key(
        "pattern",
        why="pattern: words are what the pattern finds; whitespace: the text is tokenized already; jieba: Chinese.",
    )
    normalize: Literal["NFKC", "NFC", "none"] = key(
        "NFKC",
        why="NFKC makes one word of different Unicode spellings (full-width letters, ligatures); NFC keeps them apart.",
    )
    lowercase: bool = key(
        True, why='"The" and "the" become one word; false for languages or uses where capitals matter.'
    )
    pattern: str = key(
        "",
        why='A regular expression for a word; "" is the built-in one: letters, marks and digits, and apostrophes '
        "inside a word.",
    )
    min_length: int = key(1, rule=at_least(1), why="Words with fewer characters are dropped.")
    max_length: int = key(
        100, rule=at_least(1), why="Words with more characters are dropped, because they are addresses and noise."
    )
    numbers: Literal["keep", "drop", "zero"] = key(
        "keep",
        why="keep, drop, or zero. With zero, every digit of a number becomes 0, so numbers of one form share a vector.",
    )
    sentences: Literal["document", "line", "punctuation"] = key(
        "document", why="Where a window ends: at the end of the document, of a line, or of a sentence (punctuation)."
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Lengths that leave no word, and patterns that are invalid or not used."""
        if 0 < self.max_length < self.min_length:
            text = f"must not be less than tokens.min_length ({self.min_length}), or no word is left"
            yield "tokens.max_length", self.max_length, text
        if self.pattern and self.tokenizer != "pattern":
            text = f'has no meaning for tokens.tokenizer = "{self.tokenizer}"; remove it, or set the tokenizer to '
            yield "tokens.pattern", self.pattern, text + '"pattern"'
        try:
            re.compile(self.pattern)
        except re.error as error:
            yield (
                "tokens.pattern",
                self.pattern,
                f'is not a regular expression ({error}); correct it, or set "" for the built-in one',
            )

    def libraries(self) -> frozenset[str]:
        """jieba, if it is the tokenizer."""
        return frozenset({"jieba"} if self.tokenizer == "jieba" else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasesConfig(Settings):
    """Which pairs of words become one word, as bank_of_america."""

    section = "phrases"

    thresholds: tuple[float, ...] = key(
        (),
        why="One threshold for each pass over the text, usually falling, as in [100, 50]. Pairs with a higher score "
        "become one word, as new_york; [] makes no phrases.",
    )
    scoring: Literal["word2phrase", "gensim", "npmi"] = key(
        "word2phrase",
        why="The score of word2phrase; of gensim, which grows with the vocabulary and not with the text; or npmi, "
        "from -1 to 1.",
    )
    discount: float = key(
        5.0,
        rule=at_least(0),
        why="Subtracted from a pair's count, so that rare words do not make phrases; a pair with a lower count is no "
        "phrase.",
    )
    connector_words: tuple[str, ...] = key(
        (), why='Words that may stand inside a phrase, as in ["of", "the"] for bank_of_america.'
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Thresholds that no pair or every pair passes, and connector words that no text has."""
        low, high = (-1.0, 1.0) if self.scoring == "npmi" else (0.0, math.inf)
        if not all(low <= threshold < high for threshold in self.thresholds):
            bounds = "be 0 or more" if high == math.inf else f"lie from {low:g} to less than {high:g}"
            usual = "0.5 is usual" if high == 1 else "100 is usual"
            text = f"must {bounds} for phrases.scoring = {self.scoring}; {usual}"
            yield "phrases.thresholds", self.thresholds, text
        odd = [word for word in self.connector_words if not word or word.split() != [word]]
        if odd:
            text = f"{', '.join(map(repr, odd))}: must be single words, without white space"
            yield "phrases.connector_words", self.connector_words, text
        yield from capital_problems("phrases.connector_words", self.connector_words, config)


def capital_problems(name: str, words: tuple[str, ...], config: Config) -> Iterator[Problem]:
    """Words with capitals, if the text is turned into lower case."""
    capitals = [word for word in words if word != word.lower()]
    if config[TokensConfig].lowercase and capitals:
        text = f"{', '.join(capitals)} can never occur while tokens.lowercase is true; write them in lower case"
        yield name, words, text
