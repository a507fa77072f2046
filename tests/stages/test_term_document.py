"""The term-document table against plain Python, for any number of slices and reducers, and its tables as published."""

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from corpora import BUCKETS, write_encoded
from held import staging_of

from w2vspark.base.errors import DamagedTable, InputError
from w2vspark.base.schemas import BAGS
from w2vspark.stages import sparse_rows
from w2vspark.stages import term_document as stage
from w2vspark.stages.documents import term_weights
from w2vspark.stages.sparse_rows import scan_sparse_rows
from w2vspark.stages.term_document import TermDocumentJob, scan_names, term_document_job, write_term_document
from w2vspark.storage.listed import listed_files, read_listed

WORDS = 40
Documents = list[tuple[str, list[int]]]


@pytest.fixture(scope="module")
def documents() -> Documents:
    """Documents of no or many pieces with ends of sentences, one of them three times; word 39 stands in none."""
    random = np.random.default_rng(5)
    found = [(f"d{n}", (random.zipf(1.3, random.integers(1, 60)) % WORDS - 1).tolist()) for n in range(60)]
    found = [(doc_id, [*ids, 0, 3]) for doc_id, ids in found]
    return [*found, ("twin", [1, 2, -1] * 9), ("twin", [1, 2, -1] * 9), ("ü", [5]), ("twin", [1, 2, -1] * 9)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, documents: Documents) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_encoded(folder, documents, WORDS)
    return folder


def job_of(corpus: Path, table: Path, weighting: str = "log-entropy", slices: int = 1) -> TermDocumentJob:
    uris = {"encoded_uri": str(corpus / "encoded"), "table_uri": str(table), "counts_uri": f"{table}/counts"}
    job = term_document_job(weighting, "avx2", WORDS, np.full(BUCKETS, 100), uris)
    return replace(job, slices=tuple((BUCKETS * i // slices, BUCKETS * (i + 1) // slices) for i in range(slices)))


def read(table: Path, rows: int) -> list[tuple[str, list[int], list[float]]]:
    """Each row: its document's name, the words and their values."""
    names = scan_names(str(table), 0, rows).to_pylist()
    found = []
    for block in scan_sparse_rows(str(table), stage.TERM_DOCUMENT, 0, rows):
        for row, (begin, end) in enumerate(zip([0, *block.ends[:-1]], block.ends, strict=True), block.first):
            found.append((names[row], block.columns[begin:end].tolist(), block.values[begin:end].tolist()))
    return found


def by_hand(documents: Documents, weighting: str) -> list[tuple[str, list[int], list[float]]]:
    """The weights by their formulas, in the order of the names."""
    bags = [(doc_id, Counter(word for word in ids if word >= 0)) for doc_id, ids in documents]
    weights = global_by_hand(documents, weighting)
    rows = []
    for doc_id, bag in bags:
        words = sorted(bag)
        local = [math.log2(bag[word] + 1) if weighting == "log-entropy" else bag[word] for word in words]
        values = [value * weights[word] for value, word in zip(local, words, strict=True)]
        length = math.sqrt(sum(value * value for value in values)) or 1.0
        rows.append((doc_id, words, [value / length for value in values]))
    return sorted(rows, key=lambda row: row[0].encode())


def global_by_hand(documents: Documents, weighting: str) -> list[float]:
    bags = [Counter(word for word in ids if word >= 0) for _, ids in documents]
    found = []
    for word in range(WORDS):
        counts = [bag[word] for bag in bags if word in bag]
        total, n = sum(counts), len(bags)
        entropy = {
            "tf": lambda counts, total, n: 1.0,
            "tf-idf": lambda counts, total, n: math.log2(n / len(counts)) if counts else 0.0,
            "log-entropy": lambda counts, total, n: (
                1 + sum(tf / total * math.log(tf / total) for tf in counts) / math.log(n) if counts else 0.0
            ),
        }
        found.append(entropy[weighting](counts, total, n))
    return found


@pytest.mark.parametrize("weighting", ["tf", "tf-idf", "log-entropy"])
def test_rows_are_the_weights_of_the_formulas_in_the_order_of_the_names(spark, corpus, documents, tmp_path, weighting):
    staging = staging_of(tmp_path)
    table = Path(staging.begin("term_document", "f"))
    job = job_of(corpus, table, weighting)
    made = write_term_document(spark, job)
    staging.delete_files(job.counts_uri)
    assert not Path(job.counts_uri).exists()
    expected = by_hand(documents, weighting)
    assert made == {"documents": len(documents), "entries": sum(len(words) for _, words, _ in expected)}
    found = read(table, len(documents))
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for (_, _, values), (_, _, wanted) in zip(found, expected, strict=True):
        assert values == pytest.approx(wanted, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("weighting", ["tf", "tf-idf", "log-entropy"])
def test_the_published_weights_are_those_of_the_formulas(spark, corpus, documents, tmp_path, weighting):
    write_term_document(spark, job_of(corpus, tmp_path / "table", weighting, slices=4))
    frame = term_weights(spark, str(tmp_path / "table"), str(corpus / "vocabulary"), weighting, len(documents), "avx2")
    rows = frame.to_frame().collect()
    assert [(row.id, row.word) for row in rows] == [(n, f"w{n}") for n in range(WORDS)]
    assert [row.weight for row in rows] == pytest.approx(global_by_hand(documents, weighting), abs=1e-12)
    assert [row.documents for row in rows] == [sum(n in ids for _, ids in documents) for n in range(WORDS)]
    assert [row["count"] for row in rows] == [sum(ids.count(n) for _, ids in documents) for n in range(WORDS)]


def test_the_order_of_files_tasks_and_blocks_changes_no_byte(spark, corpus, documents, tmp_path, monkeypatch):
    rows = len(documents)
    write_term_document(spark, job_of(corpus, tmp_path / "one", slices=3))
    expected = read(tmp_path / "one", rows)
    assert [row[0] for row in expected] != sorted(row[0] for row in expected)  # of several reducers
    before = spark.conf.get("spark.sql.shuffle.partitions")
    try:
        spark.conf.set("spark.sql.shuffle.partitions", "5")
        write_term_document(spark, job_of(corpus, tmp_path / "two", slices=3))
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", before)
    assert read(tmp_path / "two", rows) == expected
    names = [[file["first_id"] for file in listed_files(str(tmp_path / t), stage.NAMES)] for t in ("one", "two")]
    assert names[0] == names[1] and len(names[0]) == 3


@pytest.mark.parametrize("slices", [2, 16])
def test_slices_and_reducers_change_no_row_but_its_position(spark, corpus, documents, tmp_path, slices):
    write_term_document(spark, job_of(corpus, tmp_path / "table", "tf-idf", slices))
    found = sorted(read(tmp_path / "table", len(documents)), key=lambda row: row[0].encode())
    expected = by_hand(documents, "tf-idf")
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    assert np.concatenate([row[2] for row in found]) == pytest.approx(np.concatenate([row[2] for row in expected]))


def test_blocks_are_small_but_for_single_documents(corpus, documents, monkeypatch):
    from w2vspark.base.cpu_target import pin

    pin("avx2")
    monkeypatch.setattr(stage, "BLOCK_ENTRIES", 30)
    pieces = pieces_of(corpus)
    names, blocks = stage.documents_of(pieces, WORDS)
    sizes = [(block.ends.size, block.words.size) for block in blocks]
    assert sum(rows for rows, _ in sizes) == len(names) == len(documents)
    assert len(sizes) > 10 and max(rows for rows, _ in sizes) > 1
    assert sparse_rows.BLOCK_ENTRIES > 30


def test_a_flipped_bit_of_the_bags_is_an_error(corpus, tmp_path):
    job = job_of(corpus, tmp_path / "table", slices=3)
    numbers = pa.RecordBatch.from_pydict({"id": range(3)})
    parts = list(stage.count_slices(iter([numbers]), job))
    assert len(list(stage.merge_slices(iter(parts), job))) == 3 * job.reducers
    path = Path(parts[0]["file"][0].as_py())
    whole = path.read_bytes()
    for part in range(1, 8):  # the stream holds little beside words and counts
        content = bytearray(whole)
        content[len(whole) * part // 8] ^= 16
        path.write_bytes(content)
        with pytest.raises(DamagedTable, match=path.name):
            list(stage.merge_slices(iter(parts), job))
    path.unlink()
    with pytest.raises(DamagedTable, match=path.name):
        list(stage.merge_slices(iter(parts), job))


def pieces_of(corpus: Path) -> pa.Table:
    rows = []
    for piece in read_listed(str(corpus / "encoded")).to_pylist():
        bag = Counter(word for word in piece["ids"] if word >= 0)
        words = np.array(sorted(bag), np.int32)
        counts = np.array([bag[word] for word in words.tolist()], np.float32)
        rows.append((piece["doc_id"], piece["piece"], words.tobytes(), counts.tobytes()))
    return pa.table([list(column) for column in zip(*rows, strict=True)], schema=BAGS)


def test_slices_follow_the_corpus():
    uris = dict.fromkeys(("encoded_uri", "table_uri", "counts_uri"), "x")

    def reducers(tokens: int) -> int:
        return term_document_job("tf", "avx2", 9, np.full(64, tokens // 64), uris).reducers

    assert (reducers(64), reducers(4_000_000), reducers(16_100_096), reducers(10**9)) == (1, 1, 5, 64)


def test_a_single_document_is_refused(spark, tmp_path):
    write_encoded(tmp_path, [("only", [1, 2, 3, 3])], 5)
    with pytest.raises(InputError, match=r"with a word of the vocabulary: 1.*every line is a document"):
        write_term_document(spark, job_of(tmp_path, tmp_path / "table"))
