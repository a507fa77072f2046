"""Table phrases: pairs of words that stand together more often than their counts explain, pass by pass."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark.base.errors import InputError
from w2vspark.base.schemas import PAIR_COUNTS, PHRASES
from w2vspark.spark.arrow import ROWS_PER_BATCH, spark_schema
from w2vspark.spark.listed_files import TaskRows, listed_frame
from w2vspark.stages.word_counts import DISTINCT_WORDS, Counts, Tallied
from w2vspark.stages.words import Reader, Words
from w2vspark.text.phrased import DELIMITER, find_pairs
from w2vspark.text.settings import PhrasesConfig

ScoredPhrase = dict[str, Any]  # phrase, count, score
KINDS = ("word", "pair", "report")  # of schemas.PAIR_COUNTS
SEPARATOR = "\x1f"  # in the key of a pair. It is white space for the built-in tokenizers, so no word has it.


def pair_counts(corpus: DataFrame, words: Words) -> TaskRows:
    """The counts of words and of pairs of neighbours, as schemas.PAIR_COUNTS. Connector words are not counted."""
    count = functools.partial(count_batches, words=words)
    partial = corpus.select("text").mapInArrow(count, spark_schema(PAIR_COUNTS))
    return TaskRows(partial.repartition("key"), sum_batches, PAIR_COUNTS)


def count_batches(batches: Iterator[pa.RecordBatch], words: Words) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (text binary) -> partial counts, as schemas.PAIR_COUNTS."""
    counts = {kind: Counts() for kind in KINDS}
    read = words.reader()
    for batch in batches:
        for kind, keys, of_keys in tally(batch, words, read):
            counts[kind].add(keys, of_keys)
            if counts[kind].distinct >= DISTINCT_WORDS:
                yield from _rows(kind, *counts[kind].take())
    for kind, of_kind in counts.items():
        yield from _rows(kind, *of_kind.take())


def tally(batch: pa.RecordBatch, words: Words, read: Reader) -> Iterator[Tallied]:
    """The counts of words and of pairs in some documents, and the number of all words. batch: text binary."""
    for text in read(batch["text"]):
        _check_words(text.words)
        yield "word", *_tallied(_without(text.words, words.connectors))
        pairs = find_pairs(text, words.connectors)
        ends = [text.words.take(pa.array(positions)) for positions in (pairs.first, pairs.last)]
        yield "pair", *_tallied(pc.binary_join_element_wise(ends[0], pairs.between, ends[1], SEPARATOR))
        yield "report", pa.array(["tokens"]), pa.array([len(text.words)], pa.int64())


def sum_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """mapInArrow: all partial counts of some keys -> their sums. Both are rows of schemas.PAIR_COUNTS."""
    counts = {kind: Counts() for kind in KINDS}
    for batch in batches:
        for kind, of_kind in counts.items():
            rows = batch.filter(pc.equal(batch["kind"], kind))
            of_kind.add(rows["key"].cast(pa.string()), rows["count"])
    for kind, of_kind in counts.items():
        yield from _rows(kind, *of_kind.take())


def scored_pairs(counts: DataFrame, config: PhrasesConfig) -> DataFrame:
    """Pairs with their scores: left, between, right, count, score. counts: as schemas.PAIR_COUNTS.

    The score is word2phrase's, (pair - discount) / (left x right) x tokens (Mikolov et al. 2013, equation 6); gensim's,
    with the number of different words and pairs in place of tokens; or normalized pointwise mutual information (Bouma
    2009). Pairs that occur fewer than `discount` times are left out.
    """
    of_kind = {kind: counts.where(F.col("kind") == kind).select("key", "count") for kind in KINDS}
    total = of_kind["report"].select(F.sum("count").alias("total"))
    if config.scoring == "gensim":
        total = counts.where(F.col("kind") != "report").select(F.count("*").alias("total"))
    parts = F.split("key", SEPARATOR)
    pairs = of_kind["pair"].where(F.col("count") >= config.discount).select(
        parts[0].alias("left"), parts[1].alias("between"), parts[2].alias("right"), F.col("count")
    )  # fmt: skip
    for side in ("left", "right"):
        known = of_kind["word"].select(F.col("key").alias(side), F.col("count").cast("double").alias(f"{side}_count"))
        pairs = pairs.join(known, side)
    scored = pairs.crossJoin(F.broadcast(total)).withColumn("score", _score(config))
    return scored.select("left", "between", "right", "count", "score")


def phrases(scored: DataFrame, threshold: float, number: int) -> DataFrame:
    """The pairs that score above the threshold of a pass, as schemas.PHRASES. number: of the pass, from 1."""
    chosen = scored.where(F.col("score") > F.lit(float(threshold)))
    return chosen.withColumn("pass", F.lit(number)).select(*PHRASES.names)


def examples_of(scored: DataFrame, threshold: float, most: int) -> dict[str, list[ScoredPhrase]]:
    """Pairs to choose the threshold by, the best first: the `best`, and those just above (`last`) and `below` it."""
    words, limit = ("left", "between", "right"), F.lit(float(threshold))
    above, below = scored.where(F.col("score") > limit), scored.where(F.col("score") <= limit)
    found = {
        "best": above.orderBy(F.desc("score"), *words).limit(most).collect(),
        "last": above.orderBy("score", *map(F.desc, words)).limit(most).collect()[::-1],
        "below": below.orderBy(F.desc("score"), *words).limit(most).collect(),
    }
    return {kind: [_scored_phrase(row.asDict()) for row in rows] for kind, rows in found.items()}


def _scored_phrase(row: dict[str, Any]) -> ScoredPhrase:
    words = (row["left"], *row["between"].split(), row["right"])
    return {"phrase": DELIMITER.join(words), "count": row["count"], "score": row["score"]}


def _score(config: PhrasesConfig) -> Column:
    pair, total = F.col("count").cast("double"), F.col("total").cast("double")
    left, right = F.col("left_count"), F.col("right_count")
    if config.scoring != "npmi":
        return (pair - F.lit(float(config.discount))) / (left * right) * total
    information = F.log((pair / total) / ((left / total) * (right / total))) / -F.log(pair / total)
    return information


def read_pair_counts(session: SparkSession, uri: str) -> DataFrame:
    """The rows of a written table of pair counts."""
    return listed_frame(session, uri, PAIR_COUNTS)


def read_phrase_table(session: SparkSession, uris: Sequence[str]) -> DataFrame:
    """The written phrases of some passes as one table, sorted by pass and words."""
    passes = functools.reduce(DataFrame.unionByName, [listed_frame(session, uri, PHRASES) for uri in uris])
    return passes.repartition(1).sortWithinPartitions("pass", "left", "between", "right")


def _without(words: pa.Array, connectors: tuple[str, ...]) -> pa.Array:
    if not connectors:
        return words
    return words.filter(pc.invert(pc.is_in(words, value_set=pa.array(connectors, pa.string()))))


def _check_words(words: pa.Array) -> None:
    odd = words.filter(pc.match_substring(words, SEPARATOR))
    if len(odd):
        raise InputError(
            f"the word {odd[0].as_py()!r} holds the character \\x1f, which phrases need as a separator; change "
            "tokens.pattern so that no word holds it"
        )


def _tallied(keys: pa.Array) -> tuple[pa.Array, pa.Array]:
    found, counts = pc.value_counts(keys).flatten()
    return found, counts


def _rows(kind: str, keys: pa.Array, counts: pa.Array) -> list[pa.RecordBatch]:
    rows = pa.Table.from_arrays([pa.repeat(kind, len(keys)), keys, counts], schema=PAIR_COUNTS)
    return list(rows.to_batches(ROWS_PER_BATCH))
