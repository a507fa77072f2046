"""Encoded pieces against a pure-Python oracle, whatever the files, partitions and order of the input."""

import hashlib
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from listed_tables import list_folder
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED
from w2vspark.spark.listed_files import write_table
from w2vspark.spark.session import runtime_settings
from w2vspark.stages.corpus import read_corpus
from w2vspark.stages.encoded import (
    ROW_GROUP_BYTES,
    EncodedConfig,
    auto_buckets,
    bucket_counts,
    encode_batches,
    encoded,
    read_buckets,
)
from w2vspark.stages.input import InputConfig
from w2vspark.stages.word_counts import word_counts
from w2vspark.stages.words import Words
from w2vspark.storage.listed import listed_files, read_listed
from w2vspark.text import tokenized
from w2vspark.text.settings import TokensConfig
from w2vspark.text.tokenizer import decode, tokenizer

CORPUS = "doc_id string, text binary, malformed boolean"
WORDS = {f"w{n}": n for n in range(40)}  # words from w40 on are outside the vocabulary
Row = tuple[int, str, int, tuple[int, ...]]


@pytest.fixture
def vocabulary(tmp_path: Path) -> str:
    return write_vocabulary(tmp_path / "vocabulary", WORDS)


def write_vocabulary(folder: Path, words: dict[str, int], name: str = "part-0.parquet") -> str:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()
    ids = pa.array(words.values(), pa.int32())
    pq.write_table(pa.table({"id": ids, "word": list(words), "count": [9] * len(words)}), folder / name)
    return list_folder(folder)


def oracle(
    documents: list[tuple[str | None, bytes]], tokens: TokensConfig, piece_tokens: int, buckets: int
) -> Counter[Row]:
    """A token at a time."""
    rows: Counter[Row] = Counter()
    for doc_id, text in documents:
        name = doc_id if doc_id is not None else hashlib.blake2b(text, digest_size=16).hexdigest()
        pieces: list[list[int]] = []
        counted = piece_tokens
        for sentence in tokenizer(tokens)(decode(text)[0]):
            first = True
            for word in sentence:
                if word not in WORDS:
                    continue
                if counted == piece_tokens:
                    pieces.append([])
                    counted = 0
                elif first:
                    pieces[-1].append(-1)
                pieces[-1].append(WORDS[word])
                counted, first = counted + 1, False
        for number, ids in enumerate(pieces):
            digest = hashlib.blake2b(f"{number} {name}".encode(), digest_size=8).digest()
            rows[int.from_bytes(digest, "big") % buckets, name, number, tuple(ids)] += 1
    return rows


def rows_of(table: pa.Table) -> list[Row]:
    return [(row["bucket"], row["doc_id"], row["piece"], tuple(row["ids"])) for row in table.to_pylist()]


def written(corpus: DataFrame, vocabulary: str, folder: Path, **settings: object) -> list[Row]:
    tokens = TokensConfig(sentences=settings.pop("sentences", "document"))  # type: ignore[arg-type]
    buckets = int(settings.pop("buckets", 512))  # type: ignore[call-overload]
    table = encoded(corpus, vocabulary, Words(tokens), EncodedConfig(**settings), buckets, max(1, buckets // 256))  # type: ignore[arg-type]
    write_table(table, str(folder / "encoded"), ENCODED, ROW_GROUP_BYTES)
    return rows_of(read_listed(str(folder / "encoded")))


def read(table: Path, first: int, last: int) -> list[Row]:
    keys, starts, ids = read_buckets(str(table), first, last)
    assert (starts.dtype, ids.dtype, starts[-1]) == (np.int64, np.int32, len(ids))
    assert keys.schema.equals(pa.schema(list(ENCODED)[:3]))
    lists = [tuple(ids[begin:end].tolist()) for begin, end in pairwise(starts)]
    return [(*row.values(), values) for row, values in zip(keys.to_pylist(), lists, strict=True)]


def random_documents(seed: int, count: int) -> list[tuple[str | None, bytes]]:
    generator = random.Random(seed)
    documents: list[tuple[str | None, bytes]] = []
    for number in range(count):
        words = [
            f"w{generator.randrange(60)}" + generator.choices(["", ".", "\n"], [8, 1, 1])[0]
            for _ in range(generator.choice([0, 1, 5, 30, 100]))
        ]
        documents.append((f"d{number}" if generator.random() < 0.5 else None, " ".join(words).encode()))
    return documents


@pytest.mark.parametrize("sentences", ["document", "line", "punctuation"])
@pytest.mark.parametrize("piece_tokens", [1, 3, 10, 1000])
def test_pieces_are_those_of_the_oracle(vocabulary: str, sentences: str, piece_tokens: int) -> None:
    documents = random_documents(piece_tokens, 300)
    tokens = TokensConfig(sentences=sentences)  # type: ignore[arg-type]
    names, texts = zip(*documents, strict=True)
    batch = pa.RecordBatch.from_pydict({"doc_id": pa.array(names, pa.string()), "text": pa.array(texts, pa.binary())})
    batches = iter([batch.slice(0, 7), batch.slice(7, 0), batch.slice(7)])
    found = pa.Table.from_batches(encode_batches(batches, vocabulary, Words(tokens), piece_tokens, 97, (0,)))
    assert Counter(rows_of(found)) == oracle(documents, tokens, piece_tokens, 97)
    assert -1 in found["ids"].combine_chunks().values.to_pylist() or sentences == "document" or piece_tokens == 1


def test_the_parts_in_which_text_is_tokenized_change_nothing(vocabulary: str, monkeypatch: pytest.MonkeyPatch) -> None:
    documents = random_documents(5, 200)
    names, texts = zip(*documents, strict=True)
    batch = pa.RecordBatch.from_pydict({"doc_id": pa.array(names, pa.string()), "text": pa.array(texts, pa.binary())})
    monkeypatch.setattr(tokenized, "BATCH_BYTES", 400)
    parts = list(encode_batches(iter([batch]), vocabulary, Words(TokensConfig()), 10, 97, (0,)))
    assert len(parts) > 20
    assert Counter(rows_of(pa.Table.from_batches(parts))) == oracle(documents, TokensConfig(), 10, 97)


@pytest.mark.parametrize("files", [1, 16])
def test_rows_do_not_depend_on_files_order_or_partitions(
    spark: SparkSession, tmp_path: Path, vocabulary: str, files: int
) -> None:
    documents = [(None, text.replace(b"\n", b" ")) for _, text in random_documents(8, 400)]
    documents += documents[:3]  # documents that occur twice stay two
    expected = oracle(documents, TokensConfig(), 10, 512)
    random.Random(files).shuffle(documents)
    (tmp_path / "corpus").mkdir()
    for file in range(files):
        (tmp_path / "corpus" / f"{file}.txt").write_bytes(b"".join(text + b"\n" for _, text in documents[file::files]))
    corpus = read_corpus(spark, InputConfig(path=(str(tmp_path / "corpus"),)))
    for frame in (corpus, corpus.repartition(5)):
        assert Counter(written(frame, vocabulary, tmp_path, piece_tokens=10)) == expected


def test_files_hold_ranges_of_buckets_in_order(spark: SparkSession, tmp_path: Path, vocabulary: str) -> None:
    corpus = spark.createDataFrame([(*row, False) for row in random_documents(1, 600)], CORPUS)
    written(corpus, vocabulary, tmp_path, buckets=1024, piece_tokens=10)
    files = [tmp_path / "encoded" / file["file"] for file in listed_files(str(tmp_path / "encoded"))]
    assert len(files) == 4
    for number, file in enumerate(files):
        rows = rows_of(pq.read_table(file))
        assert rows == sorted(rows)
        assert {row[0] * 4 // 1024 for row in rows} == {number}


def test_a_worker_reads_its_buckets_alone_and_in_order(spark: SparkSession, tmp_path: Path, vocabulary: str) -> None:
    documents = random_documents(2, 300)
    corpus = spark.createDataFrame([(*row, False) for row in documents], CORPUS)
    written(corpus, vocabulary, tmp_path, piece_tokens=10)
    expected = sorted(oracle(documents, TokensConfig(), 10, 512).elements())
    for first, last in [(0, 512), (100, 101), (37, 300), (300, 300), (510, 512)]:
        assert read(tmp_path / "encoded", first, last) == [row for row in expected if first <= row[0] < last]


def test_rows_with_equal_keys_are_ordered_by_content(tmp_path: Path) -> None:
    rows = [
        (1, "a", 0, [3]),
        (0, "b", 0, [5, 1]),
        (0, "b", 0, [2]),
        (0, "b", 0, [5]),
        (0, "a", 7, [9]),
        (1, "a", 0, [1]),
    ]
    columns = [pa.array(column, field.type) for column, field in zip(zip(*rows, strict=True), ENCODED, strict=True)]
    table = pa.Table.from_arrays(columns, schema=ENCODED)
    (tmp_path / "t").mkdir()
    for order in ([0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0], [2, 0, 5, 1, 4, 3]):
        pq.write_table(table.take(order[:2]), tmp_path / "t" / "0.parquet")
        pq.write_table(table.take(order[2:]), tmp_path / "t" / "1.parquet", row_group_size=2)
        list_folder(tmp_path / "t")
        assert read(tmp_path / "t", 0, 2) == sorted(
            (bucket, name, piece, tuple(ids)) for bucket, name, piece, ids in rows
        )


def test_a_cluster_that_wants_large_arrow_types_counts_and_encodes_alike(
    spark: SparkSession, tmp_path: Path, vocabulary: str
) -> None:
    documents = random_documents(6, 100)
    corpus = spark.createDataFrame([(*row, False) for row in documents], CORPUS).repartition(3)
    with runtime_settings(spark, **{"spark.sql.execution.arrow.useLargeVarTypes": "true"}):
        found = written(corpus, vocabulary, tmp_path, piece_tokens=10)
        counted = word_counts(corpus, Words(TokensConfig())).to_frame().where("kind = 'word'").collect()
    assert Counter(found) == oracle(documents, TokensConfig(), 10, 512)
    words = Counter(word for _, text in documents for s in tokenizer(TokensConfig())(text.decode()) for word in s)
    assert {row["word"]: row["count"] for row in counted} == words


def test_empty_null_and_unknown_documents_yield_nothing(spark: SparkSession, tmp_path: Path, vocabulary: str) -> None:
    texts = [b"", None, b"  --", b"unknown words", b"caf\xe9 w1"]
    corpus = spark.createDataFrame([(f"d{n}", text, text is None) for n, text in enumerate(texts)], CORPUS)
    assert [(row[1], row[3]) for row in written(corpus, vocabulary, tmp_path)] == [("d4", (1,))]
    assert written(corpus.limit(0), vocabulary, tmp_path) == []
    assert read(tmp_path / "encoded", 0, 512) == []


def test_a_vocabulary_written_again_at_the_same_place_is_read_again(
    spark: SparkSession, tmp_path: Path, vocabulary: str
) -> None:
    corpus = spark.createDataFrame([("d", b"w1 w2", False)] * 4, CORPUS).repartition(2)
    assert {row[3] for row in written(corpus, vocabulary, tmp_path)} == {(1, 2)}
    write_vocabulary(tmp_path / "vocabulary", {"w2": 0}, "part-1.parquet")
    assert {row[3] for row in written(corpus, vocabulary, tmp_path)} == {(0,)}


def test_bucket_counts_are_pieces_and_tokens_without_separators(
    spark: SparkSession, tmp_path: Path, vocabulary: str
) -> None:
    documents = random_documents(4, 200)
    corpus = spark.createDataFrame([(*row, False) for row in documents], CORPUS)
    rows = written(corpus, vocabulary, tmp_path, buckets=16, piece_tokens=10, sentences="line")
    assert any(-1 in row[3] for row in rows)
    expected: Counter[tuple[int, str]] = Counter()
    for bucket, _, _, ids in rows:
        expected[bucket, "pieces"] += 1
        expected[bucket, "tokens"] += sum(at >= 0 for at in ids)
    for rows_per_file in (0, 7):  # with 7, a bucket stands in several files
        frame = spark.read.parquet(str(tmp_path / "encoded"))
        frame.write.option("maxRecordsPerFile", rows_per_file).mode("overwrite").parquet(str(tmp_path / "again"))
        list_folder(tmp_path / "again")
        write_table(bucket_counts(spark, str(tmp_path / "again"), 16), str(tmp_path / "counts"), BUCKET_COUNTS)
        counts = read_listed(str(tmp_path / "counts")).to_pylist()
        found: Counter[tuple[int, str]] = Counter()
        for row in counts:
            found[row["bucket"], "pieces"] += row["pieces"]
            found[row["bucket"], "tokens"] += row["tokens"]
        assert found == expected
        assert (len(counts) > 16) == bool(rows_per_file)
    with pytest.raises(DamagedTable, match=r"nothing: lacks _files\.json"):
        bucket_counts(spark, str(tmp_path / "nothing"), 16)


def test_a_document_of_fifty_megabytes_on_one_line_is_cut(spark: SparkSession, tmp_path: Path, vocabulary: str) -> None:
    (tmp_path / "long.txt").write_text("w1 w2 w3 w4 w5 w99 " * 2_700_000 + "w7\n")
    corpus = read_corpus(spark, InputConfig(path=(str(tmp_path / "long.txt"),)))
    table = encoded(corpus, vocabulary, Words(TokensConfig()), EncodedConfig(), 4096, 16)
    write_table(table, str(tmp_path / "encoded"), ENCODED, ROW_GROUP_BYTES)
    found = read_listed(str(tmp_path / "encoded")).sort_by("piece")
    assert found["piece"].to_pylist() == list(range(13_501))
    values = found["ids"].combine_chunks().values.to_numpy()
    assert np.array_equal(values, np.append(np.tile([1, 2, 3, 4, 5], 2_700_000), 7))
    assert len(set(found["bucket"].to_pylist())) > 3500, "one document spreads over the buckets"


@pytest.mark.parametrize(
    ("tokens", "buckets"),
    [
        (0, 64),
        (300_000, 64),
        (16_665_788, 4096),
        (23_000_000, 4096),
        (24_000_000, 8192),
        (10**9, 32768),
        (10**12, 32768),
    ],
)
def test_buckets_follow_the_tokens_as_powers_of_two(tokens: int, buckets: int) -> None:
    assert auto_buckets(tokens) == buckets
