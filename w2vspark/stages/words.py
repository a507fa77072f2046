"""How workers turn text into words: the tokenizer, then the phrases of every pass."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from w2vspark.storage.listed import file_names, read_listed
from w2vspark.text.phrased import Phrases, join_phrases
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenized import Tokenized, tokenize

Reader = Callable[[pa.Array], Iterator[Tokenized]]  # turns a column of texts into words


@dataclass(frozen=True, slots=True)
class Words:
    """The settings of the tokenizer, and the phrases to join."""

    tokens: TokensConfig
    passes: tuple[str, ...] = ()  # URIs of tables of schemas.PHRASES, in their order
    connectors: tuple[str, ...] = ()

    def reader(self) -> Reader:
        """A function like `tokenize` that also joins phrases. A task makes it once."""
        made = [read_phrases(uri, file_names(uri)) for uri in self.passes]

        def read(texts: pa.Array) -> Iterator[Tokenized]:
            for text in tokenize(texts, self.tokens):
                for phrases in made:
                    text = join_phrases(text, phrases, self.connectors)
                yield text

        return read


@functools.lru_cache(maxsize=16)
def read_phrases(uri: str, _files: tuple[str, ...]) -> Phrases:
    """The phrases of a pass. Raises DamagedTable as read_listed does."""
    table = read_listed(uri, ["left", "between", "right"]).combine_chunks()
    return Phrases(*(table[name].combine_chunks() for name in ("left", "between", "right")))
