"""Table vocabulary: the words that get a vector, numbered from the most frequent."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.config import VocabularyConfig
from w2vspark.base.schemas import VOCABULARY
from w2vspark.base.storage import read_table, scan_table
from w2vspark.stages.table_io import ROWS_PER_BATCH, spark_schema


def vocabulary(session: SparkSession, word_counts_uri: str, config: VocabularyConfig) -> DataFrame:
    """Words with at least ``min_count``, without the stop words, as schemas.VOCABULARY.

    Ids run from 0 by falling count, equal counts by the word's code points (the order of its UTF-8 bytes); the first
    ``max_size`` stay. No rows when no word is frequent enough. Stop words are compared as the tokenizer leaves words.
    """
    # One task numbers all words: they are few beside the corpus, and every worker holds them later.
    number = partial(number_words, word_counts_uri=word_counts_uri, config=config)
    return session.range(0, 1, 1, 1).mapInArrow(number, spark_schema(VOCABULARY))


def number_words(
    batches: Iterator[pa.RecordBatch], word_counts_uri: str, config: VocabularyConfig
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: for the one row that there is, all rows of schemas.VOCABULARY in the order of their ids."""
    for _ in batches:
        frequent = [("kind", "==", "word"), ("count", ">=", config.min_count)]
        words = read_table(word_counts_uri, ["word", "count"], frequent)
        if config.stop_words:
            stop_words = pa.array(config.stop_words, pa.string())
            words = words.filter(pc.invert(pc.is_in(words["word"], value_set=stop_words)))
        order = pc.sort_indices(words, [("count", "descending"), ("word", "ascending")])
        words = words.take(order[: config.max_size or None])
        numbered = words.add_column(0, VOCABULARY.field("id"), pa.array(np.arange(len(words), dtype=np.int32)))
        yield from numbered.cast(VOCABULARY).combine_chunks().to_batches(ROWS_PER_BATCH)


def vocabulary_summary(uri: str) -> tuple[int, int]:
    """Words in a written vocabulary, and the tokens that they cover; reads the counts alone, batch by batch."""
    words = tokens = 0
    for batch in scan_table(uri, columns=["count"]):
        words += batch.num_rows
        tokens += pc.sum(batch.column("count")).as_py() or 0
    return words, tokens
