"""Read a published lsa model for folding: its tokenizer and phrases, the weights of its words, and its vectors."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output.publish import Version, damaged
from w2vspark.text.phrased import Phrases, join_phrases
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenized import Tokenized, starts_of, tokenize
from w2vspark.text.tokenizer import tokenizer
from w2vspark.text.word_ids import WordIds

BLOCK_BYTES = 256 << 20  # of the words' matrix in memory at once; a smaller matrix stays in memory
TABLES = ("vectors", "singular_values", "term_weights")  # of every lsa model; some models also have phrases
AGAIN = "load the model again"

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LsaModel:
    """An lsa model in memory, except the words' matrix V S ** p (of the SVD), which `blocks` reads."""

    version: Version
    files: tuple[str, ...]  # of its tables when the model was read
    tokens: TokensConfig
    passes: tuple[Phrases, ...]
    connectors: tuple[str, ...]
    weighting: str
    cpu_target: str
    ids: WordIds
    weights: npt.NDArray[np.float64]  # (V,), the words' weights over all documents of the run
    inverse: npt.NDArray[np.float64]  # (dimensions,), 1 / S; 0 where S is 0
    exponent: float

    def known_words(self, texts: pa.Array) -> Iterator[tuple[_Ints, _Ints, npt.NDArray[np.int32]]]:
        """The known words of some texts, in batches (rows, starts, ids), each of n documents with a known word.

        texts: binary; null = no text. rows: int64 (n,), the documents' rows in `texts`. starts: int64 (n + 1,): where
        each document's words begin in ids, and the end. ids: int32, the words' ids.
        """
        for text in tokenize(texts, self.tokens):
            for phrases in self.passes:
                text = join_phrases(text, phrases, self.connectors)
            found = self._find(text)
            known = found >= 0
            starts = starts_of(known)[text.sentence_starts[text.document_starts]]
            with_words = np.diff(starts) > 0
            yield text.documents[with_words], np.append(starts[:-1][with_words], starts[-1]), found[known]

    def blocks(self) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
        """The words' matrix in blocks: the id of the first word, and the rows, float32 (n, dimensions).

        Raises OutputError when the table lacks words, or the version was deleted meanwhile.
        """
        rows = max(1, BLOCK_BYTES // (4 * self.inverse.size))
        for first in range(0, self.weights.size, rows):
            last = min(first + rows, self.weights.size)
            yield first, read_block(self.version, self.files, first, last, self.inverse.size)

    def _find(self, text: Tokenized) -> npt.NDArray[np.int32]:
        if not len(text.words):
            return np.empty(0, np.int32)
        distinct = text.words.dictionary_encode()
        found: npt.NDArray[np.int32] = self.ids.find(distinct.dictionary)[distinct.indices.to_numpy()]
        return found


def read_lsa_model(version: Version) -> LsaModel:
    """The lsa model of a published version. A process keeps the last model in memory.

    Raises OutputError when the model is of another method or one of its tables is missing or damaged, ConfigError when
    its tokenizer cannot be made.
    """
    _check_method(version)
    return _read_model(version, version.files(*TABLES, "phrases"))


@lru_cache(maxsize=1)
def _read_model(version: Version, files: tuple[str, ...]) -> LsaModel:
    config = version.manifest["config"]
    tokens = TokensConfig(**config["tokens"])
    tokenizer(tokens)
    with version.reading(AGAIN):
        version.table("vectors")
        singular = storage.read_table(version.table("singular_values")).sort_by("dimension")["value"].to_numpy()
        found = storage.read_table(version.table("term_weights"), ["id", "word", "weight"])
        passes = tuple(_passes(version, len(config["phrases"]["thresholds"])))
    ids = found["id"].to_numpy()
    if not np.array_equal(np.sort(ids), np.arange(ids.size)):
        what = f"the ids of its {ids.size} rows are not 0, 1, 2 and so on, each once"
        raise damaged(storage.join(version.folder, "term_weights"), what)
    weights = np.zeros(ids.size)
    weights[ids] = found["weight"].to_numpy()
    inverse = np.zeros(singular.size)
    inverse[singular > 0] = 1 / singular[singular > 0]
    return LsaModel(
        version=version,
        files=files,
        tokens=tokens,
        passes=passes,
        connectors=tuple(config["phrases"]["connector_words"]),
        weighting=config["lsa"]["weighting"],
        cpu_target=config["training"]["cpu_target"],
        ids=WordIds(found["word"], ids),
        weights=weights,
        inverse=inverse,
        exponent=config["svd"]["exponent"],
    )


@lru_cache(maxsize=1)  # a matrix of one block stays in memory
def read_block(
    version: Version, _files: tuple[str, ...], first: int, last: int, dimensions: int
) -> npt.NDArray[np.float32]:
    """Rows first … last - 1 of the words' matrix. Raises OutputError when one is missing."""
    table, block, found = storage.join(version.folder, "vectors"), np.zeros((last - first, dimensions), np.float32), 0
    with version.reading(AGAIN):
        for batch in storage.scan_table(table, ["id", "vector"], [("id", ">=", first), ("id", "<", last)]):
            if batch.num_rows:
                block[batch["id"].to_numpy() - first] = batch["vector"].flatten().to_numpy().reshape(-1, dimensions)
                found += batch.num_rows
    if found != last - first:
        raise damaged(table, f"has {found} of the words {first} to {last - 1}")
    return block


def _check_method(version: Version) -> None:
    method = version.manifest.get("config", {}).get("training", {}).get("method")
    if method != "lsa":
        what = f"a model of {method}" if method else "no model"
        raise OutputError(f"{version.folder}: holds {what}; documents need one of training.method = lsa")


def _passes(version: Version, passes: int) -> Iterator[Phrases]:
    if passes:
        table = storage.read_table(version.table("phrases"), ["pass", "left", "between", "right"])
        for number in range(1, passes + 1):
            of_pass = table.filter(pc.equal(table["pass"], number)).combine_chunks()
            yield Phrases(*(of_pass[name].combine_chunks() for name in ("left", "between", "right")))
