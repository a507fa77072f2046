"""Reading the corpus: formats, ids, and what is wrong with inputs."""

import gzip
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark.base.errors import InputError
from w2vspark.stages import json_text
from w2vspark.stages.corpus import count_duplicate_ids, read_corpus
from w2vspark.stages.input import InputConfig

Document = tuple[str | None, bytes | None, bool]


def documents(corpus: DataFrame) -> list[Document]:
    assert corpus.dtypes == [("doc_id", "string"), ("text", "binary"), ("malformed", "boolean")]
    found = [
        (row["doc_id"], None if row["text"] is None else bytes(row["text"]), row["malformed"])
        for row in corpus.collect()
    ]
    return sorted(found, key=repr)


def config(path: Path | str, **settings: object) -> InputConfig:
    return InputConfig(path=(str(path),), **settings)  # type: ignore[arg-type]


def write_json(path: Path, *rows: object) -> Path:
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "\n")
    return path


def test_text_is_a_document_a_line_in_the_bytes_of_the_file(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one two\r\n\ncaf\xe9 \xff\n")
    with gzip.open(tmp_path / "b.txt.gz", "wb") as file:
        file.write("été\n".encode())
    expected = [(None, text, False) for text in (b"", b"caf\xe9 \xff", b"one two", "été".encode())]
    assert documents(read_corpus(spark, config(tmp_path))) == sorted(expected, key=repr)
    assert documents(read_corpus(spark, config(tmp_path / "*.gz"))) == [(None, "été".encode(), False)]


def test_wholetext_is_a_document_a_file(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\ntwo\n")
    (tmp_path / "b.txt").write_bytes(b"three")
    found = documents(read_corpus(spark, config(tmp_path, format="wholetext")))
    assert found == [(None, b"one\ntwo\n", False), (None, b"three", False)]


def test_json_rows_are_documents_and_malformed_ones_are_flagged(spark: SparkSession, tmp_path: Path) -> None:
    cut = ['{"id": 9, "text": "cut', '{"text": "whole", "id": oops}']
    rows = [{"id": 7, "text": "seven"}, {"id": "x", "text": None}, {"text": "no id"}, *cut]
    path = write_json(tmp_path / "a.json", *rows)
    with path.open("ab") as file:
        file.write(b'{"id": "bad", "text": "caf\xe9"}\n{"text": "parsed before the end", "id": "caf\xe9"}\n')
    found = documents(read_corpus(spark, config(path, format="json", id_column="id")))
    good: list[Document] = [("7", b"seven", False), ("x", None, False), (None, b"no id", False)]
    assert [row for row in found if not row[2]] == sorted(good, key=repr)
    assert [(text, malformed) for _, text, malformed in found if malformed] == [(None, True)] * 4


NOT_TEXT = (["a", "b"], {"text": "a"}, 5, -1.5, 10**40, True, [])
LIKE_JSON = ('["a", "b"]', '{"text": "a"}', "5", "-1.5", "true", "[sic] quoted", "null")


def test_json_values_that_are_no_text_are_malformed_wherever_they_stand(spark: SparkSession, tmp_path: Path) -> None:
    rows = [{"text": f"row {number}"} for number in range(1000)]  # as many as are looked at before all are read
    others: list[dict[str, object]] = [*({"text": value} for value in (*NOT_TEXT, *LIKE_JSON, None)), {"id": 5}]
    path = write_json(tmp_path / "a.json", *rows, *others)
    expected: list[Document] = [(None, str(row["text"]).encode(), False) for row in rows]
    expected += [(None, None, True)] * len(NOT_TEXT) + [(None, None, False)] * 2
    expected += [(None, text.encode(), False) for text in LIKE_JSON]
    assert documents(read_corpus(spark, config(path, format="json"))) == sorted(expected, key=repr)
    # A whole file is a record here, and Spark infers the columns.
    (tmp_path / "b.json").write_text(json.dumps([*rows, *others], indent=1))
    found = documents(read_corpus(spark, config(tmp_path / "b.json", format="json", options={"multiLine": "true"})))
    assert found == sorted(expected, key=repr)


def test_a_json_row_too_long_for_a_variant_is_text_or_malformed(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_text, "VARIANT_BYTES", 15)  # in place of 16 MiB
    bad = [json.dumps({"the text": text}) for text in (["a", "b"], {"text": "a"})] + ['{"the text": "cut off']
    raw = bad + [json.dumps({"the text": text}) for text in LIKE_JSON]
    unread = spark.createDataFrame([(row,) for row in raw], f"{json_text.CORRUPT} string")
    text, malformed = json_text.text_and_malformed("the text", {})
    found = unread.withColumn("the text", F.lit(None).cast("variant")).select(text, malformed).collect()
    assert [tuple(row) for row in found] == [(None, True)] * len(bad) + [(text, False) for text in LIKE_JSON]


@pytest.mark.slow
def test_json_texts_above_the_limit_of_a_variant_are_whole(spark: SparkSession, tmp_path: Path) -> None:
    long = "[word] " * (136_000_000 // 7)
    path = write_json(tmp_path / "a.json", {"text": "short"}, {"text": long})
    corpus = read_corpus(spark, config(path, format="json")).select(F.octet_length("text"), "malformed")
    assert sorted(map(tuple, corpus.collect())) == [(5, False), (len(long), False)]


def test_json_of_nothing_but_garbage_is_all_malformed(spark: SparkSession, tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", "garbage", "[1, 2")
    assert documents(read_corpus(spark, config(path, format="json"))) == [(None, None, True)] * 2


def test_json_records_over_several_lines_are_read_through_the_option(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[{"body":\n "one"},\n {"body": "two"}]')
    settings = config(tmp_path, format="json", text_column="body", options={"multiLine": "true"})
    assert documents(read_corpus(spark, settings)) == [(None, b"one", False), (None, b"two", False)]


def test_parquet_and_other_sources_and_tables_give_the_same_documents(spark: SparkSession, tmp_path: Path) -> None:
    rows = {
        "key": pa.array([1, 2, None], pa.int64()),
        "body text": ["one", None, "été"],
        "other.column": [0.5, 1.5, 2.5],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet")
    expected = sorted([("1", b"one", False), ("2", None, False), (None, "été".encode(), False)], key=repr)
    named = {"text_column": "body text", "id_column": "key"}
    assert documents(read_corpus(spark, config(tmp_path / "a.parquet", format="parquet", **named))) == expected
    spark.read.parquet(str(tmp_path / "a.parquet")).createOrReplaceTempView("documents_of_a_test")
    assert documents(read_corpus(spark, InputConfig(table="documents_of_a_test", **named))) == expected
    (tmp_path / "a.csv").write_text("key;body text\n1;one\n2;\n;été\n")
    options = {"header": "true", "sep": ";"}
    assert documents(read_corpus(spark, config(tmp_path / "a.csv", format="csv", options=options, **named))) == expected


def test_several_paths_are_one_corpus(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    corpus = read_corpus(spark, InputConfig(path=(str(tmp_path / "a"), str(tmp_path / "c"))))
    assert documents(corpus) == [(None, b"a", False), (None, b"c", False)]


@pytest.mark.parametrize("format_", ["text", "json", "parquet"])
@pytest.mark.parametrize("name", ["nowhere", "no*where"])
def test_a_missing_path_is_one_clear_error(spark: SparkSession, tmp_path: Path, format_: str, name: str) -> None:
    with pytest.raises(
        InputError, match=r"^input\.path .*where cannot be read as .*Path does not exist.*\(check [^\n]*$"
    ):
        read_corpus(spark, config(tmp_path / name, format=format_))


def test_a_missing_table_format_or_path_setting_is_one_clear_error(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^input\.table no_such_table cannot be read.*TABLE_OR_VIEW_NOT_FOUND[^\n]*$"):
        read_corpus(spark, InputConfig(table="no_such_table"))
    with pytest.raises(InputError, match=r"cannot be read as nosuchformat: \[DATA_SOURCE_NOT_FOUND\][^\n]*$"):
        read_corpus(spark, config(tmp_path, format="nosuchformat"))
    with pytest.raises(InputError, match=r"set input\.path"):
        read_corpus(spark, InputConfig())


def test_a_missing_column_is_an_error_that_lists_those_there_are(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"title": ["a"], "body": ["b"]}), tmp_path / "a.parquet")
    path = write_json(tmp_path / "a.json", {"title": "a", "body": "b"}, "garbage")
    for settings in (config(tmp_path / "a.parquet", format="parquet"), config(path, format="json")):
        with pytest.raises(
            InputError, match=r"no column 'text' \(input\.text_column\); its columns are (title|body), "
        ):
            read_corpus(spark, settings)
    with pytest.raises(InputError, match=r"no column 'id' \(input\.id_column\); its columns are body, title"):
        read_corpus(spark, config(path, format="json", text_column="body", id_column="id"))
    with pytest.raises(InputError, match=r"no column 'id' \(input\.id_column\); its columns are value"):
        read_corpus(spark, config(path, id_column="id"))


def test_a_text_column_that_is_no_string_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"column 'text' \(input\.text_column\) is bigint, not a string"):
        read_corpus(spark, config(tmp_path / "a.parquet", format="parquet"))
    path = write_json(tmp_path / "a.json", {"text": "fine"}, {"text": ["a", "b"]})
    with pytest.raises(
        InputError, match=r"column 'text' \(input\.text_column\) is array<string> or string, not a string"
    ):
        read_corpus(spark, config(path, format="json"))


def test_an_id_column_of_lists_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["a"], "id": [[1]]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"column 'id' \(input\.id_column\) is array<bigint>"):
        read_corpus(spark, config(tmp_path / "a.parquet", format="parquet", id_column="id"))


def test_zstandard_text_needs_a_newer_spark(spark: SparkSession, tmp_path: Path) -> None:
    with pa.output_stream(str(tmp_path / "a.txt.zst"), compression="zstd") as file:
        file.write(b"one\ntwo\n")
    if tuple(map(int, spark.version.split(".")[:2])) >= (4, 3):
        assert documents(read_corpus(spark, config(tmp_path))) == [(None, b"one", False), (None, b"two", False)]
    else:
        with pytest.raises(InputError, match=r"a\.txt\.zst needs Spark 4\.3"):
            read_corpus(spark, config(tmp_path))


def test_duplicate_ids_are_counted_and_kept_apart_by_content(spark: SparkSession, tmp_path: Path) -> None:
    texts = [
        ("a", "one"),
        ("b", "two"),
        ("a", "three"),
        (None, "four"),
        (None, "five"),
        ("c", "x"),
        ("c", "x"),
        ("a", None),
    ]
    path = write_json(tmp_path / "a.json", *[{"id": name, "text": text} for name, text in texts])
    settings = config(path, format="json", id_column="id")

    def named(name: str, text: str) -> str:
        return f"{name}#{hashlib.md5(text.encode()).hexdigest()[:12]}"

    expected = [
        (named("a", "one"), b"one", False),
        (named("a", "three"), b"three", False),
        (named("a", ""), None, False),
        ("b", b"two", False),
        *[(named("c", "x"), b"x", False)] * 2,
        *[(None, text, False) for text in (b"four", b"five")],
    ]
    assert count_duplicate_ids(spark, settings) == 2
    assert documents(read_corpus(spark, settings)) == sorted(expected, key=repr)
    assert documents(read_corpus(spark, settings, duplicate_ids=2)) == sorted(expected, key=repr)
    assert count_duplicate_ids(spark, config(path, format="json")) == 0


def test_ids_that_are_not_utf8_are_made_so(spark: SparkSession, tmp_path: Path) -> None:
    ids = pa.array([b"\xff", b"\xfe", b"fine"], pa.binary())
    pq.write_table(pa.table({"text": ["a", "b", "c"], "id": ids}), tmp_path / "a.parquet")
    found = documents(read_corpus(spark, config(tmp_path, format="parquet", id_column="id")))
    assert [(doc_id or "").partition("#")[0] for doc_id, _, _ in found] == ["fine", "\ufffd", "\ufffd"]
    assert len({doc_id for doc_id, _, _ in found}) == 3
