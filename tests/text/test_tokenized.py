# ruff: noqa: RUF001 (foreign text is the point)
"""Columns of words against the tokenizer, text by text."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2vspark.text import tokenized
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenized import tokenize
from w2vspark.text.tokenizer import decode, tokenizer

ASCII = st.text(alphabet=st.sampled_from("aZ09'' _-.,\t\n\r\x0b\x1c\x1f\x00\x7f"), max_size=40).map(str.encode)
OTHER = st.text(alphabet="aÉß'’\u200dक्षि\U0001f600٣ ½_e\u0301.。\n", max_size=20).map(str.encode)
TEXTS = st.lists(st.none() | ASCII | OTHER | st.binary(max_size=20) | st.just(b"it's. end's' 'dog"), max_size=12)
SETTINGS = [
    {},
    {"lowercase": False, "min_length": 2, "max_length": 3},
    {"tokenizer": "whitespace", "normalize": "none", "max_length": 4},
    {"sentences": "line"},
    {"sentences": "punctuation", "numbers": "zero"},
    {"numbers": "drop"},
    {"pattern": "[a-z]+"},
]


def documents_of(texts: pa.Array, config: TokensConfig) -> tuple[dict[int, list[list[str]]], int]:
    """Each document's sentences by its row, and how many documents were not UTF-8."""
    found: dict[int, list[list[str]]] = {}
    invalid = 0
    for part in tokenize(texts, config):
        assert part.words.type == pa.string()
        part.words.validate(full=True)
        words = part.words.to_pylist()
        sentences = [words[first:last] for first, last in pairwise(part.sentence_starts)]
        assert part.sentence_starts[-1] == len(words) and part.document_starts[-1] == len(sentences)
        for row, (first, last) in zip(part.documents.tolist(), pairwise(part.document_starts), strict=True):
            assert row not in found
            found[row] = sentences[first:last]
        invalid += part.invalid_utf8
    return found, invalid


@pytest.mark.parametrize("chosen", SETTINGS, ids=str)
@given(texts=TEXTS, part_bytes=st.sampled_from([1, 9, 50, 1 << 20]))
@settings(max_examples=150, deadline=None)
def test_the_words_are_those_of_the_tokenizer(
    chosen: dict[str, object], texts: list[bytes | None], part_bytes: int
) -> None:
    config = TokensConfig(**chosen)  # type: ignore[arg-type]
    column = pa.array([b"before", *texts, b"behind"], pa.binary())[1 : len(texts) + 1]
    before, tokenized.BATCH_BYTES = tokenized.BATCH_BYTES, part_bytes
    try:
        found, invalid = documents_of(column, config)
    finally:
        tokenized.BATCH_BYTES = before
    decoded = {row: decode(text) for row, text in enumerate(texts) if text is not None}
    assert found == {row: tokenizer(config)(text) for row, (text, _) in decoded.items()}
    assert invalid == sum(not valid for _, valid in decoded.values())


def test_other_binary_and_string_columns_are_taken() -> None:
    for kind in (pa.large_binary(), pa.string(), pa.large_string()):
        assert documents_of(pa.array(["a b", None, "été"], kind), TokensConfig()) == (
            {0: [["a", "b"]], 2: [["été"]]},
            0,
        )
