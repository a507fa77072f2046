"""Table vocabulary: the words that get a vector, numbered from the most frequent."""

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from w2vspark.base.schemas import VOCABULARY, WORD_COUNTS
from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, at_least, key
from w2vspark.spark.arrow import ROWS_PER_BATCH
from w2vspark.spark.listed_files import TaskRows, listed_frame
from w2vspark.storage.listed import ListedFile, count_listed, read_listed, scan_listed
from w2vspark.text.settings import capital_problems

CURRENT = "current"  # as a setting: the current version of the output folder


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig(Settings):
    """Which words get a vector."""

    section = "vocabulary"

    min_count: int = key(5, rule=at_least(1), why="Rarer words are dropped: too few contexts to learn from.")
    max_size: int = key(0, rule=at_least(0), why="Keep at most this many of the most frequent words; 0 = all.")
    stop_words: tuple[str, ...] = key((), why="Words to leave out.")
    keep: Literal["none", "current"] = key(
        "none",
        why="current: the words of the output's current version keep their ids, however rare they are now, and new "
        "words get the ids after them; so a run encodes and counts only text that is new.",
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Stop words that cannot occur in a text."""
        yield from capital_problems("vocabulary.stop_words", self.stop_words, config)


def vocabulary(
    session: SparkSession, word_counts_uri: str, config: VocabularyConfig, earlier_uri: str = "", keep: bool = True
) -> TaskRows:
    """The words with a count of at least ``min_count``, except stop words, as schemas.VOCABULARY.

    Ids run from 0 by falling count, then by the word's code points (the order of its UTF-8 bytes); the first
    ``max_size`` words stay. There are no rows if no word is frequent enough. Stop words are compared with words as the
    tokenizer makes them. The counts of an earlier vocabulary (schemas.VOCABULARY) are added; with ``keep`` its words
    stay, however rare.
    """
    # One task numbers all words: they are few compared to the corpus, and every worker holds them later.
    number = partial(number_words, word_counts_uri=word_counts_uri, config=config, earlier_uri=earlier_uri, keep=keep)
    return TaskRows(session.range(0, 1, 1, 1), number, VOCABULARY)


def number_words(
    batches: Iterator[pa.RecordBatch],
    word_counts_uri: str,
    config: VocabularyConfig,
    earlier_uri: str = "",
    keep: bool = True,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> all rows of schemas.VOCABULARY, in the order of their ids."""
    for _ in batches:
        if earlier_uri:
            words = _with_earlier(word_counts_uri, config, earlier_uri, keep)
        else:
            frequent = [("kind", "==", "word"), ("count", ">=", config.min_count)]
            words = read_listed(word_counts_uri, ["word", "count"], frequent)
        if config.stop_words:
            stop_words = pa.array(config.stop_words, pa.string())
            words = words.filter(pc.invert(pc.is_in(words["word"], value_set=stop_words)))
        order = pc.sort_indices(words, [("count", "descending"), ("word", "ascending")])
        words = words.take(order[: config.max_size or None])
        numbered = words.add_column(0, VOCABULARY.field("id"), pa.array(np.arange(len(words), dtype=np.int32)))
        yield from numbered.cast(VOCABULARY).combine_chunks().to_batches(ROWS_PER_BATCH)


def kept_vocabulary(
    session: SparkSession, word_counts_uri: str, config: VocabularyConfig, kept_uri: str, kept_files: list[ListedFile]
) -> TaskRows:
    """The words of an earlier vocabulary under their ids, then new words, as schemas.VOCABULARY.

    Counts are those of this corpus; an earlier word that it does not have has count 1, because counts must be positive.
    New words are chosen and ordered as in `vocabulary`, and get the ids after the earlier words. With ``max_size``
    there are only as many as fit beside the earlier words. kept_uri, kept_files: the earlier vocabulary.
    """
    number = partial(
        number_kept_words, word_counts_uri=word_counts_uri, config=config, kept_uri=kept_uri, kept_files=kept_files
    )
    return TaskRows(session.range(0, 1, 1, 1), number, VOCABULARY)


def number_kept_words(
    batches: Iterator[pa.RecordBatch],
    word_counts_uri: str,
    config: VocabularyConfig,
    kept_uri: str,
    kept_files: list[ListedFile],
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> all rows of schemas.VOCABULARY, in the order of their ids."""
    for _ in batches:
        kept = read_listed(kept_uri, ["id", "word"], files=kept_files).sort_by("id")["word"].combine_chunks()
        here = read_listed(word_counts_uri, ["word", "count"], [("kind", "==", "word")])
        places = pc.index_in(kept, value_set=here["word"].combine_chunks())
        counts = pc.fill_null(here["count"].combine_chunks().take(places), 1)
        old = pa.table({"word": kept, "count": counts})
        left_out = pa.concat_arrays([kept, pa.array(config.stop_words, pa.string())])
        frequent = pc.greater_equal(here["count"], config.min_count)
        new = here.filter(pc.and_(frequent, pc.invert(pc.is_in(here["word"], value_set=left_out))))
        order = pc.sort_indices(new, [("count", "descending"), ("word", "ascending")])
        most = max(0, config.max_size - len(old)) if config.max_size else len(order)
        words = pa.concat_tables([old, new.take(order[:most]).cast(old.schema)])
        numbered = words.add_column(0, VOCABULARY.field("id"), pa.array(np.arange(len(words), dtype=np.int32)))
        yield from numbered.cast(VOCABULARY).combine_chunks().to_batches(ROWS_PER_BATCH)


def word_hashes(uri: str, sizes: Collection[int]) -> dict[int, str]:
    """For some sizes, a hash of the first so many words of a written vocabulary: 16 hexadecimal digits each."""
    digest, found, at = hashlib.sha256(), {}, 0
    ends = sorted(sizes)
    for batch in scan_listed(uri, ["id", "word"]):
        words = batch["word"].to_pylist()
        while ends and ends[0] <= at + len(words):
            digest.update("".join(f"{word}\n" for word in words[: ends[0] - at]).encode())
            words, at = words[ends[0] - at :], ends[0]
            found[ends.pop(0)] = digest.hexdigest()[:16]
        digest.update("".join(f"{word}\n" for word in words).encode())
        at += len(words)
    return found


def _with_earlier(word_counts_uri: str, config: VocabularyConfig, earlier_uri: str, keep: bool) -> pa.Table:
    """The words, with the sums of their counts in this corpus and in the earlier vocabulary."""
    before = read_listed(earlier_uri, ["word", "count"])
    here = read_listed(word_counts_uri, ["word", "count"], [("kind", "==", "word")])
    sums = pa.concat_tables([here, before.cast(here.schema)]).group_by("word").aggregate([("count", "sum")])
    sums = sums.rename_columns({"count_sum": "count"}).select(["word", "count"])
    chosen = pc.greater_equal(sums["count"], config.min_count)
    if keep:
        chosen = pc.or_(chosen, pc.is_in(sums["word"], value_set=before["word"].combine_chunks()))
    return sums.filter(chosen)


def corpus_tokens(session: SparkSession, word_counts_uri: str, vocabulary_uri: str) -> int:
    """The number of this corpus's tokens in the vocabulary, which may also have the counts of an earlier corpus."""
    counts = listed_frame(session, word_counts_uri, WORD_COUNTS, where=[("kind", "==", "word")])
    words = listed_frame(session, vocabulary_uri, VOCABULARY).select("word")
    (row,) = counts.join(words, "word").agg(F.sum("count").alias("tokens")).collect()
    return int(row["tokens"] or 0)


def vocabulary_counts(uri: str) -> np.ndarray:
    """The counts of a vocabulary's words, by id: int64 (V,)."""
    counts = np.zeros(count_listed(uri), np.int64)
    for batch in scan_listed(uri, ["id", "count"]):
        counts[batch["id"].to_numpy()] = batch["count"].to_numpy()
    return counts


def vocabulary_summary(uri: str) -> tuple[int, int]:
    """The numbers of words in a written vocabulary and of tokens that they cover. Reads only the counts, in batches."""
    words = tokens = 0
    for batch in scan_listed(uri, columns=["count"]):
        words += batch.num_rows
        tokens += pc.sum(batch.column("count")).as_py() or 0
    return words, tokens
