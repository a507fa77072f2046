"""Table word_counts: how often each word occurs in the corpus, and figures about the documents."""

import functools
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from w2vspark.base.schemas import WORD_COUNTS
from w2vspark.spark.arrow import ROWS_PER_BATCH, spark_schema
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.words import Reader, Words
from w2vspark.storage.listed import read_listed
from w2vspark.text.tokenizer import tokenizer

# documents: rows of the corpus. Of these, malformed_rows could not be parsed, null_documents have no text,
# empty_documents have text without a word; the others have the tokens. invalid_utf8 documents have bytes that are not
# UTF-8.
REPORT = ("documents", "malformed_rows", "null_documents", "empty_documents", "invalid_utf8", "tokens")
DISTINCT_WORDS = 1_000_000  # with this number of words, some 100 MB, a task yields its counts

Tallied = tuple[str, pa.Array, pa.Array]  # a kind; keys, string; and their counts, int64


def word_counts(corpus: DataFrame, words: Words) -> TaskRows:
    """Words with their counts (kind "word") and the figures of REPORT (kind "report"), as schemas.WORD_COUNTS.

    Raises ConfigError when the tokenizer cannot be made.
    """
    tokenizer(words.tokens)  # fails here, because an error from a worker would be wrapped
    count = functools.partial(count_batches, words=words)
    partial = corpus.select("text", "malformed").mapInArrow(count, spark_schema(WORD_COUNTS))
    return TaskRows(partial.repartition("word"), sum_batches, WORD_COUNTS)


def count_batches(batches: Iterator[pa.RecordBatch], words: Words) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (text binary, malformed bool) -> partial counts, as schemas.WORD_COUNTS."""
    counts = {"word": Counts(), "report": Counts()}
    read = words.reader()
    for batch in batches:
        for kind, keys, of_keys in tally(batch, words, read):
            counts[kind].add(keys, of_keys)
            if counts["word"].distinct >= DISTINCT_WORDS:
                yield from _rows("word", *counts["word"].take())
    for kind, of_kind in counts.items():
        yield from _rows(kind, *of_kind.take())


def tally(batch: pa.RecordBatch, words: Words, read: Reader) -> Iterator[Tallied]:
    """The words of some documents with their counts, and the figures of REPORT. batch: as for count_batches."""
    report = dict.fromkeys(REPORT, 0)
    malformed = batch["malformed"].true_count
    report["documents"] = batch.num_rows
    report["malformed_rows"] = malformed
    report["null_documents"] = batch["text"].null_count - malformed
    for text in read(batch["text"]):
        report["invalid_utf8"] += text.invalid_utf8
        report["empty_documents"] += int(np.count_nonzero(np.diff(text.document_starts) == 0))
        report["tokens"] += len(text.words)
        yield "word", *pc.value_counts(text.words).flatten()
    yield "report", pa.array(report.keys(), pa.string()), pa.array(report.values(), pa.int64())


def sum_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """mapInArrow: all partial counts of some words -> their sums. Both are rows of schemas.WORD_COUNTS."""
    counts = {"word": Counts(), "report": Counts()}
    for batch in batches:
        for kind, of_kind in counts.items():
            rows = batch.filter(pc.equal(batch["kind"], kind))
            of_kind.add(rows["word"].cast(pa.string()), rows["count"])
    for kind, of_kind in counts.items():
        yield from _rows(kind, *of_kind.take())


class Counts:
    """Words with sums of counts, as columns. Added counts are collected, and summed only now and then."""

    def __init__(self) -> None:
        self._clear()

    def add(self, words: pa.Array, counts: pa.Array) -> None:
        """Add counts: string and int64 (words,)."""
        self._words.append(words)
        self._counts.append(counts)
        self._pending += len(words)
        if self._pending >= max(self.distinct, DISTINCT_WORDS):
            self._sum()

    def summed(self) -> int:
        """Sum what was added; returns the number of words."""
        self._sum()
        return self.distinct

    def take(self) -> tuple[pa.Array, pa.Array]:
        """Return the words and their sums, and forget them."""
        self._sum()
        found = self._words[0], self._counts[0]
        self._clear()
        return found

    def _clear(self) -> None:
        self._words = [pa.array([], pa.string())]
        self._counts = [pa.array([], pa.int64())]
        self._pending = 0
        self.distinct = 0  # words at the last sum

    def _sum(self) -> None:
        coded = pa.concat_arrays(self._words).dictionary_encode()
        sums = np.zeros(len(coded.dictionary), np.int64)
        np.add.at(sums, coded.indices.to_numpy(), pa.concat_arrays(self._counts).to_numpy())
        self._words, self._counts = [coded.dictionary], [pa.array(sums)]
        self.distinct, self._pending = len(sums), 0


def read_report(uri: str) -> dict[str, int]:
    """The figures of REPORT in a written table; 0 for an empty corpus. Raises DamagedTable as read_listed does."""
    table = read_listed(uri, ["word", "count"], [("kind", "==", "report")])
    return dict.fromkeys(REPORT, 0) | dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True))


def _rows(kind: str, words: pa.Array, counts: pa.Array) -> list[pa.RecordBatch]:
    rows = pa.Table.from_arrays([pa.repeat(kind, len(words)), words, counts], schema=WORD_COUNTS)
    return list(rows.to_batches(ROWS_PER_BATCH))
