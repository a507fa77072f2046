"""Table vocabulary: the words that get a vector, numbered from the most frequent."""

import pyarrow.compute as pc
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from w2vspark.base.config import VocabularyConfig
from w2vspark.base.schemas import VOCABULARY
from w2vspark.base.storage import scan_table


def vocabulary(word_counts: DataFrame, config: VocabularyConfig) -> DataFrame:
    """Words with at least ``min_count``, without the stop words, as schemas.VOCABULARY.

    Ids run from 0 by falling count, equal counts by the word's code points (the order of its UTF-8 bytes); the first
    ``max_size`` stay. No rows when no word is frequent enough. Stop words are compared as the tokenizer leaves words.
    """
    words = word_counts.where(F.col("kind") == "word").select("word", "count").where(F.col("count") >= config.min_count)
    if config.stop_words:
        words = words.where(~F.col("word").isin(list(config.stop_words)))
    # One task numbers all words: they are few beside the corpus, and every worker holds them later.
    rank = F.row_number().over(Window.orderBy(F.col("count").desc(), F.col("word")))
    numbered = words.withColumn("id", rank - 1)
    if config.max_size:
        numbered = numbered.where(F.col("id") < config.max_size)
    return numbered.select(*VOCABULARY.names)


def vocabulary_summary(uri: str) -> tuple[int, int]:
    """Words in a written vocabulary, and the tokens that they cover; reads the counts alone, batch by batch."""
    words = tokens = 0
    for batch in scan_table(uri, columns=["count"]):
        words += batch.num_rows
        tokens += pc.sum(batch.column("count")).as_py() or 0
    return words, tokens
