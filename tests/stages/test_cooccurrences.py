"""Co-occurrence tables against plain Python, for any number of chunks and places, and as other readers see them."""

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from w2vspark.base.config import CooccurrencesConfig
from w2vspark.base.cpu_target import pin
from w2vspark.base.schemas import COOCCURRENCES, ENCODED
from w2vspark.stages import cooccurrences as counting
from w2vspark.stages.cooccurrences import CountJob, cooccurrences, count_job, read_row_sums
from w2vspark.stages.listed_files import listed_files, write_listed

WORDS, BUCKETS = 40, 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """A vocabulary whose last word is missing from the text, and encoded pieces in two files; the pieces themselves."""
    folder = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(4)
    pieces = [(random.zipf(1.4, random.integers(1, 50)) % WORDS - 1).tolist() for _ in range(120)]
    bucket = random.integers(0, BUCKETS, len(pieces)).tolist()
    rows = sorted(zip(bucket, [f"d{n}" for n in range(len(pieces))], [0] * len(pieces), pieces, strict=True))
    for number, part in enumerate((rows[:50], rows[50:])):
        columns = [list(column) for column in zip(*part, strict=True)]
        (folder / "encoded").mkdir(exist_ok=True)
        pq.write_table(pa.table(columns, schema=ENCODED), folder / "encoded" / f"part-{number}.parquet")
    ids = np.concatenate(pieces)
    counts = np.maximum(np.bincount(ids[ids >= 0], minlength=WORDS), 1)  # a warm start keeps words without tokens
    (folder / "vocabulary").mkdir()
    table = pa.table(
        {"id": pa.array(range(WORDS), pa.int32()), "word": [f"w{n}" for n in range(WORDS)], "count": counts}
    )
    pq.write_table(table, folder / "vocabulary" / "part-0.parquet")
    return folder, [row[3] for row in rows]


def job_of(folder: Path, table: Path, tokens: np.ndarray | None = None, **settings: object) -> CountJob:
    uris = {
        "encoded_uri": str(folder / "encoded"),
        "vocabulary_uri": str(folder / "vocabulary"),
        "table_uri": str(table),
        "partial_uri": str(table) + "-partial",
    }
    config = CooccurrencesConfig(**settings)  # type: ignore[arg-type]
    return count_job(config, 1, "avx2", np.full(BUCKETS, 100) if tokens is None else tokens, uris)


def made(spark, job: CountJob) -> dict[tuple[int, int], float]:
    """Makes the table; its entries, after a look at what every file of it promises."""
    write_listed(cooccurrences(spark, job), job.table_uri)
    found: dict[tuple[int, int], float] = {}
    files = listed_files(job.table_uri, counting.COUNTS)
    assert [file["first_id"] for file in files] == np.cumsum([0, *(file["rows"] for file in files)])[:-1].tolist()
    for file in files:
        table = pq.read_table(f"{job.table_uri}/{file['file']}")
        assert table.schema.equals(COOCCURRENCES)
        keys = list(zip(table["row"].to_pylist(), table["col"].to_pylist(), strict=True))
        assert keys == sorted(set(keys))
        assert all(file["first_id"] <= row < file["first_id"] + file["rows"] for row, _ in keys)
        found |= dict(zip(keys, table["weight"].to_pylist(), strict=True))
    sums = np.zeros(WORDS)
    for (row, _), weight in found.items():
        sums[row] += weight
    assert read_row_sums(job.table_uri, WORDS) == pytest.approx(sums, rel=1e-12)
    return found


def by_hand(pieces: list[list[int]], config: CooccurrencesConfig) -> dict[tuple[int, int], float]:
    weight = {"uniform": lambda d: 1, "harmonic": lambda d: Fraction(1, d)}
    weight["linear"] = lambda d: Fraction(config.window - d + 1, config.window)
    counts: dict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for piece in pieces:
        for i, centre in enumerate(piece):
            for step in (-1, 1):
                if (config.direction == "left" and step > 0) or (config.direction == "right" and step < 0):
                    continue
                for d in range(1, config.window + 1):
                    j = i + step * d
                    if centre < 0 or not 0 <= j < len(piece) or piece[j] < 0:
                        break
                    counts[centre, piece[j]] += weight[config.weighting](d)
    return {pair: float(count) for pair, count in counts.items()}


@pytest.mark.parametrize("direction", ["symmetric", "left", "right"])
@pytest.mark.parametrize("weighting", ["uniform", "harmonic", "linear"])
def test_counts_are_those_of_plain_python(spark, corpus, tmp_path, weighting, direction):
    job = job_of(corpus[0], tmp_path / "table", weighting=weighting, direction=direction, window=4)
    assert made(spark, job) == by_hand(corpus[1], job.config)


@pytest.mark.parametrize("window", [6, 25])
@pytest.mark.parametrize(("chunks", "places"), [(1, 1), (1, 7), (3, 1), (3, 5), (16, 40)])
def test_chunks_places_and_blocks_change_no_count(spark, corpus, tmp_path, chunks, places, window):
    whole = job_of(corpus[0], tmp_path / "whole", window=window)
    if window == 25:  # float64 sums are added up chunk by chunk, whatever the places
        whole = replace(whole, chunks=job_of_chunks(chunks))
    expected = made(spark, whole)
    job = replace(job_of(corpus[0], tmp_path / "table", window=window), chunks=job_of_chunks(chunks), places=places)
    assert made(spark, job) == expected
    assert expected == pytest.approx(by_hand(corpus[1], job.config), rel=1e-12)


def job_of_chunks(chunks: int) -> tuple[tuple[int, int], ...]:
    return tuple((BUCKETS * i // chunks, BUCKETS * (i + 1) // chunks) for i in range(chunks))


def test_chunks_and_places_follow_the_corpus():
    uris = dict.fromkeys(("encoded_uri", "vocabulary_uri", "table_uri", "partial_uri"), "x")
    config = CooccurrencesConfig()

    def job(tokens: int) -> CountJob:
        return count_job(config, 1, "avx2", np.full(64, tokens // 64), uris)

    assert (len(job(16_000_000).chunks), job(16_000_000).places) == (1, 16)
    assert len(job(48_000_000).chunks) == 2 and len(job(48_000_000).groups) == 8
    assert len(job(6_400_000_000).groups) == 1 and job(6_400_000_000).places == counting.MOST_PLACES
    assert job(64).places == 1


def test_blocks_cover_a_places_rows_and_are_small_but_for_single_rows(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "BLOCK_ENTRIES", 100)
    job = replace(job_of(corpus[0], tmp_path / "table", window=3), chunks=job_of_chunks(2), places=3)
    pin("avx2")
    plan = counting._plan(job)
    counts = plan.counts
    blocks = [block for place in range(3) for block in plan.blocks(place)]
    assert [row for first, last in blocks for row in range(first, last)] == list(range(WORDS))
    entries = [np.minimum(counts[first:last] * 6, 2 * WORDS).sum() for first, last in blocks]
    assert all(size <= 100 or last - first == 1 for size, (first, last) in zip(entries, blocks, strict=True))
    assert len(blocks) < WORDS


def test_a_row_of_many_chunks_is_added_up_a_few_at_a_time(corpus, tmp_path, monkeypatch):
    pin("avx2")
    monkeypatch.setattr(counting, "BLOCK_ENTRIES", 30)
    job = replace(job_of(corpus[0], tmp_path / "table", window=6), chunks=job_of_chunks(16), places=2)
    numbers = pa.RecordBatch.from_arrays([pa.array(range(16 * len(job.groups)))], ["id"])
    parts = counting.count_chunks(iter([numbers]), job)
    files = pa.Table.from_batches(counting.merge_places(parts, job)).to_pylist()
    found = {}
    for file in files:
        if file["matrix"] == counting.COUNTS:
            table = pq.read_table(f"{job.table_uri}/{file['file']}").to_pydict()
            found |= dict(zip(zip(table["row"], table["col"], strict=True), table["weight"], strict=True))
    assert found == by_hand(corpus[1], job.config)


def test_subsampling_thins_out_frequent_words_and_takes_the_seed(spark, corpus, tmp_path):
    def total(seed: int, places: int = 1) -> dict[tuple[int, int], float]:
        job = job_of(corpus[0], tmp_path / "table", window=3, subsample=0.01)
        return made(spark, replace(job, seed=seed, places=places))

    one = total(1)
    whole = by_hand(corpus[1], CooccurrencesConfig(window=3))
    assert 0 < sum(one.values()) < 0.6 * sum(whole.values())
    assert total(1, places=4) == one != total(2)


def test_other_readers_read_the_files(spark, corpus, tmp_path):
    job = replace(job_of(corpus[0], tmp_path / "table"), places=3)
    expected = made(spark, job)
    files = [f"{job.table_uri}/{file['file']}" for file in listed_files(job.table_uri, counting.COUNTS)]
    rows = duckdb.read_parquet(files).fetchall()
    assert {(row, col): weight for row, col, weight in rows} == expected
    assert {(row.row, row.col): row.weight for row in spark.read.parquet(*files).collect()} == expected
