"""Splits columns of documents into columns of words: tokenizer() for many texts at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, compress, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenizer import decode, tokenizer

BATCH_BYTES = 8 << 20  # of text that is tokenized at once. It takes 100 MB of memory, or 160 MB document by document.

_Ints = npt.NDArray[np.int64]
_APOSTROPHE, _SPACE = ord("'"), ord(" ")
_ALNUM = np.array([code < 128 and chr(code).isalnum() for code in range(256)])


@dataclass(slots=True)
class Tokenized:
    """The words of some documents of a column, which include documents without words."""

    documents: _Ints  # (documents,), the document's row in the column
    document_starts: _Ints  # (documents + 1,), where the document's sentences begin
    sentence_starts: _Ints  # (sentences + 1,), where the sentence's words begin
    words: pa.Array  # string (words,)
    invalid_utf8: int  # how many documents are not valid UTF-8


def starts_of(lengths: npt.NDArray[Any]) -> _Ints:
    """Where consecutive items with these lengths begin, and where the last one ends: int64 (lengths + 1,)."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def tokenize(texts: pa.Array, config: TokensConfig) -> Iterator[Tokenized]:
    """Tokenize a column of documents in batches of some BATCH_BYTES. Each document is in one of the results.

    texts: binary; null = no document. The words are those of tokenizer(config). ASCII documents are split by array
    operations if the settings allow it, and others one by one. Raises ConfigError as tokenizer does.
    """
    if not len(texts):
        return
    ends = np.cumsum(pc.binary_length(texts).fill_null(0).to_numpy(), dtype=np.int64)
    cuts = np.searchsorted(ends, np.arange(BATCH_BYTES, ends[-1], BATCH_BYTES), side="right").tolist()
    for first, last in pairwise([0, *cuts, len(texts)]):
        if first < last:
            yield from _batch(texts.slice(first, last - first), first, config)


def _batch(texts: pa.Array, first: int, config: TokensConfig) -> Iterator[Tokenized]:
    documents = np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False)) + first
    given = texts.cast(pa.binary()).drop_null().to_pylist()
    if not _can_cut_bytes(config):
        yield _one_by_one(given, documents, config)
        return
    is_ascii = np.fromiter(map(bytes.isascii, given), np.bool_, len(given))
    if is_ascii.any():
        yield _ascii(list(compress(given, is_ascii)), documents[is_ascii], config)
    if not is_ascii.all():
        yield _one_by_one(list(compress(given, ~is_ascii)), documents[~is_ascii], config)


def _can_cut_bytes(config: TokensConfig) -> bool:
    plain = config.tokenizer == "whitespace" or (config.tokenizer == "pattern" and not config.pattern)
    return plain and config.sentences == "document" and config.numbers == "keep"


def _ascii(texts: list[bytes], documents: _Ints, config: TokensConfig) -> Tokenized:
    """Tokenize ASCII documents as tokenizer(config) does: built-in pattern or white space, lower case, lengths."""
    text = b" ".join([b"", *texts, b""]).translate(_translation(config))
    letters = np.frombuffer(text, np.uint8)
    if config.tokenizer == "pattern" and b"'" in text:
        apostrophes = np.flatnonzero(letters == _APOSTROPHE)
        inside = _ALNUM[letters[apostrophes - 1]] & _ALNUM[letters[apostrophes + 1]]
        letters = letters.copy()
        letters[apostrophes[~inside]] = _SPACE
        text = letters.tobytes()
    in_word = letters != _SPACE
    edges = np.flatnonzero(in_word[1:] != in_word[:-1])  # a word or a gap begins right after each edge
    begins, lengths = edges[::2], edges[1::2] - edges[::2]
    offsets, only_words = starts_of(lengths).astype(np.int32), text.translate(None, b" ")
    words = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(only_words))
    keep = (lengths >= config.min_length) & (lengths <= config.max_length)
    if not keep.all():
        words, begins = words.filter(pa.array(keep)), begins[keep]
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    word_starts = np.searchsorted(begins, starts_of(sizes + 1))
    with_words = np.diff(word_starts) > 0
    sentence_starts = np.append(word_starts[:-1][with_words], word_starts[-1])
    return Tokenized(documents, starts_of(with_words), sentence_starts, words, 0)


def _translation(config: TokensConfig) -> bytes:
    """A table for bytes.translate: lower case, if it is configured, and spaces for bytes that are in no word."""
    characters = bytes(range(256))
    if config.lowercase:
        characters = characters.lower()
    if config.tokenizer == "whitespace":
        return bytes(_SPACE if chr(code).isspace() else code for code in characters)
    return bytes(code if _ALNUM[code] or code == _APOSTROPHE else _SPACE for code in characters)


def _one_by_one(texts: list[bytes], documents: _Ints, config: TokensConfig) -> Tokenized:
    words_of = tokenizer(config)
    decoded = [decode(text) for text in texts]
    sentences_of = [words_of(text) for text, _ in decoded]
    sentences = list(chain.from_iterable(sentences_of))
    return Tokenized(
        documents,
        starts_of(np.fromiter(map(len, sentences_of), np.int64, len(sentences_of))),
        starts_of(np.fromiter(map(len, sentences), np.int64, len(sentences))),
        pa.array(chain.from_iterable(sentences), pa.string()),
        sum(not valid for _, valid in decoded),
    )
