"""Word counts against collections.Counter, and the report."""

import random
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.errors import ConfigError
from w2vspark.base.schemas import WORD_COUNTS
from w2vspark.spark.listed_files import write_table
from w2vspark.stages import word_counts as module
from w2vspark.stages.corpus import read_corpus
from w2vspark.stages.input import InputConfig
from w2vspark.stages.word_counts import count_batches, read_report, sum_batches, word_counts
from w2vspark.stages.words import Words
from w2vspark.storage.listed import read_listed
from w2vspark.text import tokenized
from w2vspark.text.settings import TokensConfig

CORPUS = "doc_id string, text binary, malformed boolean"


def counted(corpus: DataFrame, folder: Path, **settings: object) -> tuple[Counter[str], dict[str, int]]:
    uri = str(folder / "word_counts")
    write_table(word_counts(corpus, Words(TokensConfig(**settings))), uri, WORD_COUNTS)  # type: ignore[arg-type]
    table = read_listed(uri, filters=[("kind", "==", "word")])
    words = dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True))
    assert len(words) == table.num_rows, "a word stands twice"
    return Counter(words), read_report(uri)


def test_counts_equal_those_of_one_counter_however_the_corpus_is_cut(spark: SparkSession, tmp_path: Path) -> None:
    generator = random.Random(3)
    lines = [" ".join(generator.choices([f"w{n}" for n in range(200)], k=generator.randrange(40))) for _ in range(500)]
    expected = Counter(" ".join(lines).split())
    for files in (1, 16):
        folder = tmp_path / str(files)
        folder.mkdir()
        generator.shuffle(lines)
        for file in range(files):
            (folder / f"{file}.txt").write_text("".join(line + "\n" for line in lines[file::files]))
        found, report = counted(read_corpus(spark, InputConfig(path=(str(folder),))), tmp_path)
        assert found == expected
        assert report["tokens"] == expected.total()
        assert (report["documents"], report["empty_documents"]) == (500, sum(not line for line in lines))


def test_counts_are_handed_on_before_they_fill_the_memory(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DISTINCT_WORDS", 10)
    monkeypatch.setattr(tokenized, "BATCH_BYTES", 30)
    rows = [(None, f"w{n} w{n + 1} all".encode(), False) for n in range(50)]
    batches = spark.createDataFrame(rows, CORPUS).select("text", "malformed").toArrow().to_batches()
    parts = list(count_batches(iter(batches), Words(TokensConfig())))
    words = [Counter(dict(zip(p["word"].to_pylist(), p["count"].to_pylist(), strict=True))) for p in parts[:-1]]
    assert len(words) > 5 and all(len(part) <= 20 for part in words)
    assert sum(words, Counter()) == Counter(word for n in range(50) for word in (f"w{n}", f"w{n + 1}", "all"))
    assert parts[-1]["kind"].to_pylist() == ["report"] * 6


def test_partial_counts_of_words_and_figures_of_one_name_are_summed_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DISTINCT_WORDS", 3)
    generator = random.Random(4)
    rows = [
        (generator.choice(["word", "report"]), generator.choice(["tokens", "documents", "é", "x"]), 2**40 + n)
        for n in range(200)
    ]
    expected: Counter[tuple[str, str]] = Counter()
    for kind, word, count in rows:
        expected[kind, word] += count
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), WORD_COUNTS, strict=True)]
    batches = pa.Table.from_arrays(columns, schema=WORD_COUNTS).to_batches(max_chunksize=7)
    found = [row for batch in sum_batches(iter(batches)) for row in batch.to_pylist()]
    assert {(row["kind"], row["word"]): row["count"] for row in found} == expected
    assert len(found) == len(expected)


def test_what_is_odd_about_the_corpus_is_reported_not_fatal(spark: SparkSession, tmp_path: Path) -> None:
    texts = [b"one two", None, b"", b" -- ", b"caf\xe9 one", "été".encode()]
    corpus = spark.createDataFrame([(None, text, False) for text in texts] + [(None, None, True)] * 2, CORPUS)
    found, report = counted(corpus, tmp_path)
    assert found == Counter({"one": 2, "two": 1, "caf": 1, "été": 1})
    assert report == {
        "documents": 8,
        "malformed_rows": 2,
        "null_documents": 1,
        "empty_documents": 2,
        "invalid_utf8": 1,
        "tokens": 5,
    }


def test_an_empty_corpus_has_no_words_and_a_report_of_zeros(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "empty.txt", tmp_path / "folder"):
        found, report = counted(read_corpus(spark, InputConfig(path=(str(path),))), tmp_path)
        assert not found
        assert report == dict.fromkeys(module.REPORT, 0)


def test_token_settings_reach_the_workers(spark: SparkSession, tmp_path: Path) -> None:
    corpus = spark.createDataFrame([(None, "Ｏne ONE 清华大学。".encode(), False)], CORPUS)  # noqa: RUF001
    assert counted(corpus, tmp_path)[0] == Counter({"one": 2, "清华大学": 1})
    pytest.importorskip("jieba")
    corpus = spark.createDataFrame([(None, "我来到北京清华大学。".encode(), False)], CORPUS)
    assert set(counted(corpus, tmp_path, tokenizer="jieba")[0]) == {"我", "来到", "北京", "清华大学"}


def test_a_tokenizer_that_cannot_be_made_is_an_error_before_spark_starts(spark: SparkSession) -> None:
    with pytest.raises(ConfigError):
        word_counts(spark.createDataFrame([], CORPUS), Words(TokensConfig(pattern="(")))


def test_a_document_of_fifty_megabytes_on_one_line_is_counted(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "long.txt").write_text("abcdefghi " * 5_000_000 + "end\nshort\n")
    found, report = counted(read_corpus(spark, InputConfig(path=(str(tmp_path / "long.txt"),))), tmp_path)
    assert found == Counter({"abcdefghi": 5_000_000, "end": 1, "short": 1})
    assert report["documents"] == 2
