"""Splits text into sentences of words, in pure Python. The driver, Spark's workers and tests run the same function."""

import functools
import logging
import re
import sys
import unicodedata
from collections.abc import Callable

from w2vspark.base.errors import ConfigError
from w2vspark.text.settings import TokensConfig

Tokenizer = Callable[[str], list[list[str]]]
_Words = Callable[[str], list[str]]

# These do not end a word between two letters: both apostrophes, and the invisible joiners of Persian and Hindi.
_JOINERS = "'\u2019\u200c\u200d"
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
# ASCII text: first remove apostrophes outside words, then all other characters that are no letters or digits.
_BARE_APOSTROPHE = re.compile(r"(?<![A-Za-z0-9])'|'(?![A-Za-z0-9])")
_SEPARATORS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "'")}

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_DIGIT = re.compile(r"\d")
# A stop, and the closing quotes and brackets after it. The lookbehind makes the time linear for long rows of stops.
_CLOSERS = "[\"'\u201d\u2019\u00bb)\\]\u300d\u300f\uff09\u300b\u3011]*+"
_SENTENCE_END = re.compile(
    rf"(?<![.!?\u2026])[.!?\u2026]++{_CLOSERS}(?=\s|\Z)|[\u3002\uff01\uff1f\uff61][.!?\u2026\u3002\uff01\uff1f\uff61]*+{_CLOSERS}"
)


def decode(text: bytes) -> tuple[str, bool]:
    """A document's text, and whether its bytes are valid UTF-8. Invalid bytes become U+FFFD."""
    try:
        return text.decode("utf-8"), True
    except UnicodeDecodeError:
        return text.decode("utf-8", "replace"), False


def tokenizer(config: TokensConfig) -> Tokenizer:
    """The function for these settings: it splits a document's text into sentences, each a list of words.

    Sentences without words are left out, so a document without words gives []. ``sentences="document"`` gives at most
    one sentence. ``line`` ends sentences where str.splitlines does. ``punctuation`` ends them after ``. ! ? …`` before
    white space or the end of the text, and after every full-width stop.

    A number is a word of decimal digits, possibly with ``.`` or ``,`` between them: ``drop`` removes it, ``zero``
    writes all its digits as 0. A word of letters and digits (mp3) is no number. The built-in pattern finds words of
    letters, marks and numbers (Unicode L, M, N) that begin with a letter or number. Between two letters, apostrophes
    and zero-width joiners belong to the word. Lengths are in characters.

    Raises ConfigError for a pattern that is no regular expression, and for jieba if it is not installed.
    """
    words = _words(config)
    if config.sentences == "document":

        def document(text: str) -> list[list[str]]:
            found = words(text)
            return [found] if found else []

        return document
    # Split before normalization, because NFKC turns full-width stops into ordinary ones.
    split = str.splitlines if config.sentences == "line" else _split_at_stops

    def sentences(text: str) -> list[list[str]]:
        return [found for sentence in split(text) if (found := words(sentence))]

    return sentences


def _words(config: TokensConfig) -> _Words:
    find, accept, form, lowercase = _finder(config), _filter(config), config.normalize, config.lowercase

    def words(text: str) -> list[str]:
        if form != "none" and not text.isascii():
            text = unicodedata.normalize(form, text)
        return accept(find(text.lower() if lowercase else text))

    return words


def _finder(config: TokensConfig) -> _Words:
    if config.tokenizer == "whitespace":
        return str.split
    if config.tokenizer == "jieba":
        return _jieba()
    if not config.pattern:
        return _built_in
    try:
        pattern = re.compile(config.pattern)
    except re.error as error:
        raise ConfigError(f"tokens.pattern {config.pattern!r} is not a regular expression: {error}") from error
    if pattern.groups == 0 and not pattern.match(""):
        return pattern.findall
    return lambda text: [match[0] for match in pattern.finditer(text) if match[0]]


def _built_in(text: str) -> list[str]:
    if text.isascii():
        if "'" in text:
            text = _BARE_APOSTROPHE.sub(" ", text)
        return text.translate(_SEPARATORS).split()
    # re looks up characters of the basic plane in a table; ranges beyond it take three times as long.
    return _built_in_pattern(sys.maxunicode if _ASTRAL.search(text) else 0xFFFF).findall(text)


@functools.cache
def _built_in_pattern(last: int) -> re.Pattern[str]:
    """The built-in pattern for characters up to ``last``. Python's ``\\w`` lacks the marks in Hindi words."""
    first, more = _character_class("LN", last), _character_class("LMN", last)
    return re.compile(f"{first}{more}*(?:[{_JOINERS}]{first}{more}*)*")


def _character_class(categories: str, last: int) -> str:
    ranges, start = [], -1
    for code in range(last + 2):
        inside = code <= last and unicodedata.category(chr(code))[0] in categories
        if inside and start < 0:
            start = code
        elif not inside and start >= 0:
            ranges.append(f"\\U{start:08x}-\\U{code - 1:08x}")
            start = -1
    return "[" + "".join(ranges) + "]"


def _jieba() -> _Words:
    try:
        import jieba
    except ImportError as error:
        message = 'tokens.tokenizer = "jieba" needs the package jieba: pip install w2vspark[chinese]'
        raise ConfigError(message) from error
    jieba.setLogLevel(logging.WARNING)  # else it reports on standard error that it loads its dictionary
    return lambda text: [word for word in jieba.lcut(text) if any(map(str.isalnum, word))]


def _filter(config: TokensConfig) -> Callable[[list[str]], list[str]]:
    shortest, longest, numbers = config.min_length, config.max_length, config.numbers

    def accept(words: list[str]) -> list[str]:
        if numbers == "drop":
            words = [word for word in words if not _NUMBER.fullmatch(word)]
        elif numbers == "zero":
            words = [_DIGIT.sub("0", word) if _NUMBER.fullmatch(word) else word for word in words]
        if shortest > 1 or max(map(len, words), default=0) > longest:  # all in C if no word is dropped
            words = [word for word in words if shortest <= len(word) <= longest]
        return words

    return accept


def _split_at_stops(text: str) -> list[str]:
    ends = [match.end() for match in _SENTENCE_END.finditer(text)]
    return [text[start:end] for start, end in zip([0, *ends], [*ends, len(text)], strict=True)]
