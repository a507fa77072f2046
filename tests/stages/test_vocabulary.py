"""The vocabulary against sorted()."""

import random
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from listed_tables import list_folder
from pyspark.sql import SparkSession

from w2vspark.base.schemas import VOCABULARY, WORD_COUNTS
from w2vspark.spark.listed_files import write_table
from w2vspark.stages.vocabulary import VocabularyConfig, vocabulary, vocabulary_summary


def built(spark: SparkSession, counts: dict[str, int], **settings: object) -> list[tuple[int, str, int]]:
    rows = [("word", word, count) for word, count in counts.items()] + [("report", "tokens", 10**12)]
    random.Random(1).shuffle(rows)
    with TemporaryDirectory() as folder:
        write_counts(Path(folder), rows)
        table = vocabulary(spark, folder, VocabularyConfig(**settings))  # type: ignore[arg-type]
        return [(row["id"], row["word"], row["count"]) for row in table.to_frame().collect()]


def write_counts(folder: Path, rows: list[tuple[str, str, int]]) -> None:
    folder.mkdir(exist_ok=True)
    for part in range(3):
        columns = zip(*rows[part::3], strict=True) if rows[part::3] else ([], [], [])
        arrays = [pa.array(column, field.type) for column, field in zip(columns, WORD_COUNTS, strict=True)]
        pq.write_table(pa.Table.from_arrays(arrays, schema=WORD_COUNTS), folder / f"{part}.parquet")
    list_folder(folder)


def test_words_are_numbered_by_falling_count_and_ties_by_code_point(spark: SparkSession) -> None:
    words = ["b", "a", "B", "é", "z", "\uffff", "\U00010000", "aa", "清"]
    counts = {word: 7 for word in words} | {"rare": 4, "often": 9, "huge": 2**40}
    expected = [("huge", 2**40), ("often", 9), *[(word, 7) for word in sorted(words)]]
    assert built(spark, counts) == [(at, word, count) for at, (word, count) in enumerate(expected)]


def test_max_size_keeps_the_most_frequent_and_cuts_ties_in_order(spark: SparkSession) -> None:
    counts = {"d": 5, "c": 5, "b": 5, "a": 9}
    assert built(spark, counts, max_size=3) == [(0, "a", 9), (1, "b", 5), (2, "c", 5)]
    assert built(spark, counts, max_size=10) == [(0, "a", 9), (1, "b", 5), (2, "c", 5), (3, "d", 5)]


def test_stop_words_go_before_the_numbering(spark: SparkSession) -> None:
    counts = {"the": 100, "The": 50, "of": 40, "it's": 30}
    assert built(spark, counts, stop_words=("the", "it's")) == [(0, "The", 50), (1, "of", 40)]


def test_min_count_is_included_and_no_frequent_word_gives_no_rows(spark: SparkSession) -> None:
    assert built(spark, {"a": 3, "b": 2}, min_count=3) == [(0, "a", 3)]
    assert built(spark, {"a": 3, "b": 2}, min_count=4) == []


def test_gensim_keeps_the_same_words_with_the_same_counts_in_the_same_order(spark: SparkSession) -> None:
    gensim = pytest.importorskip("gensim.models")
    text = random.Random(5).choices([f"w{i}" for i in range(300)], [1 / (i + 1) for i in range(300)], k=5000)
    model = gensim.Word2Vec(min_count=4, vector_size=1)
    model.build_vocab([text])
    ours = built(spark, dict(Counter(text)), min_count=4)
    assert {word: count for _, word, count in ours} == {
        word: model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key
    }
    assert [count for *_, count in ours] == [model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key]
    assert 50 < len(ours) < 300


def test_the_summary_counts_words_and_tokens(spark: SparkSession, tmp_path: Path) -> None:
    for counts in ({"a": 2**40, "b": 5, "c": 5}, {"a": 1}):
        write_counts(tmp_path / "counts", [("word", word, count) for word, count in counts.items()])
        write_table(vocabulary(spark, str(tmp_path / "counts"), VocabularyConfig()), str(tmp_path / "v"), VOCABULARY)
        kept = [count for count in counts.values() if count >= 5]
        assert vocabulary_summary(str(tmp_path / "v")) == (len(kept), sum(kept))
