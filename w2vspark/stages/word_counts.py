"""Table word_counts: how often each word stands in the corpus, and what was odd about the corpus."""

import functools
from collections import Counter
from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from w2vspark.base.config import TokensConfig
from w2vspark.base.schemas import WORD_COUNTS
from w2vspark.base.storage import read_table
from w2vspark.base.tokenizer import decode, tokenizer
from w2vspark.stages.table_io import spark_schema

# documents: rows of the corpus. Of these, malformed_rows could not be parsed, null_documents have no text,
# empty_documents have text without a word; the others have the tokens. invalid_utf8 documents hold bytes that are not
# UTF-8.
REPORT = ("documents", "malformed_rows", "null_documents", "empty_documents", "invalid_utf8", "tokens")
DISTINCT_WORDS = 1_000_000  # a task hands on its counts when it holds so many: some 150 MB


def word_counts(corpus: DataFrame, config: TokensConfig) -> DataFrame:
    """Words with their counts (kind "word") and the figures of REPORT (kind "report"), as schemas.WORD_COUNTS.

    Raises ConfigError when the tokenizer cannot be made.
    """
    tokenizer(config)  # here rather than in a worker, where the error would arrive wrapped
    count = functools.partial(count_batches, config=config)
    partial = corpus.select("text", "malformed").mapInArrow(count, spark_schema(WORD_COUNTS))
    return partial.groupBy("kind", "word").agg(F.sum("count").alias("count")).select(*WORD_COUNTS.names)


def count_batches(batches: Iterator[pa.RecordBatch], config: TokensConfig) -> Iterator[pa.RecordBatch]:
    """A task's part: batches (text binary, malformed bool) to partial counts, as schemas.WORD_COUNTS."""
    tokenize = tokenizer(config)
    counts: Counter[str] = Counter()
    report = Counter(dict.fromkeys(REPORT, 0))
    for batch in batches:
        report["documents"] += batch.num_rows
        malformed_rows = batch.column("malformed").to_pylist()
        for text, malformed in zip(batch.column("text").to_pylist(), malformed_rows, strict=True):
            if malformed:
                report["malformed_rows"] += 1
            elif text is None:
                report["null_documents"] += 1
            else:
                document, valid = decode(text)
                report["invalid_utf8"] += not valid
                sentences = tokenize(document)
                report["empty_documents"] += not sentences
                for words in sentences:
                    counts.update(words)
                    report["tokens"] += len(words)
            if len(counts) >= DISTINCT_WORDS:
                yield _rows("word", counts)
                counts.clear()
    yield _rows("word", counts)
    yield _rows("report", report)


def read_report(uri: str) -> dict[str, int]:
    """REPORT's figures from the written table; all 0 for an empty corpus. Raises OutputError as read_table does."""
    table = read_table(uri, columns=["word", "count"], filters=[("kind", "==", "report")])
    return dict.fromkeys(REPORT, 0) | dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True))


def _rows(kind: str, counts: Counter[str]) -> pa.RecordBatch:
    columns = [
        pa.repeat(kind, len(counts)),
        pa.array(counts.keys(), pa.string()),
        pa.array(counts.values(), pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=WORD_COUNTS)
