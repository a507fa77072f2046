"""Co-occurrence tables against plain Python, for any number of slices and reducers, and as other readers see them."""

import json
import os
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from held import Held, staging_of
from listed_tables import list_folder

from w2vspark import storage
from w2vspark.base.cpu_target import pin
from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import COOCCURRENCES, ENCODED
from w2vspark.output.candidates import StagedTable, write_candidate
from w2vspark.output.publish import Version
from w2vspark.output.versions import CHECKED, version_folder
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages import cooccurrences as counting
from w2vspark.stages.cooccurrences import COUNTS, CooccurrencesConfig, CountJob, cooccurrences, count_job, read_row_sums
from w2vspark.storage.listed import listed_files, write_list

WORDS, BUCKETS = 40, 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[int]]]:
    """A vocabulary whose last word is missing from the text, and encoded pieces in two files; the pieces themselves."""
    folder = tmp_path_factory.mktemp("corpus")
    draw = np.random.default_rng(4)
    pieces = [(draw.zipf(1.4, draw.integers(1, 50)) % WORDS - 1).tolist() for _ in range(120)]
    bucket = draw.integers(0, BUCKETS, len(pieces)).tolist()
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
    for name in ("encoded", "vocabulary"):
        list_folder(folder / name)
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
    files = listed_files(job.table_uri, COUNTS)
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
@pytest.mark.parametrize(("slices", "reducers"), [(1, 1), (1, 7), (3, 1), (3, 5), (16, 40)])
def test_slices_reducers_and_blocks_change_no_count(spark, corpus, tmp_path, slices, reducers, window):
    whole = job_of(corpus[0], tmp_path / "whole", window=window)
    if window == 25:  # float64 sums are added up slice by slice, whatever the reducers
        whole = replace(whole, slices=text_slices(slices))
    expected = made(spark, whole)
    job = replace(job_of(corpus[0], tmp_path / "table", window=window), slices=text_slices(slices), reducers=reducers)
    assert made(spark, job) == expected
    assert expected == pytest.approx(by_hand(corpus[1], job.config), rel=1e-12)


def text_slices(slices: int) -> tuple[tuple[int, int], ...]:
    return tuple((BUCKETS * i // slices, BUCKETS * (i + 1) // slices) for i in range(slices))


def test_slices_and_reducers_follow_the_corpus():
    uris = dict.fromkeys(("encoded_uri", "vocabulary_uri", "table_uri", "partial_uri"), "x")
    config = CooccurrencesConfig()

    def job(tokens: int) -> CountJob:
        return count_job(config, 1, "avx2", np.full(64, tokens // 64), uris)

    assert (len(job(16_000_000).slices), job(16_000_000).reducers) == (1, 16)
    assert len(job(48_000_000).slices) == 2 and len(job(48_000_000).reducer_ranges) == 8
    assert len(job(6_400_000_000).reducer_ranges) == 1 and job(6_400_000_000).reducers == counting.MOST_REDUCERS
    assert job(64).reducers == 1


def test_blocks_cover_a_reducers_rows_and_are_small_but_for_single_rows(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "BLOCK_ENTRIES", 100)
    job = replace(job_of(corpus[0], tmp_path / "table", window=3), slices=text_slices(2), reducers=3)
    pin("avx2")
    plan = counting._plan(job)
    counts = plan.counts
    blocks = [block for reducer in range(3) for block in plan.blocks(reducer)]
    assert [row for first, last in blocks for row in range(first, last)] == list(range(WORDS))
    entries = [np.minimum(counts[first:last] * 6, 2 * WORDS).sum() for first, last in blocks]
    assert all(size <= 100 or last - first == 1 for size, (first, last) in zip(entries, blocks, strict=True))
    assert len(blocks) < WORDS


@pytest.mark.parametrize(("block", "streams"), [(30, 256), (4_000_000, 3), (30, 2)])
def test_a_row_of_many_slices_is_added_up_a_few_at_a_time(corpus, tmp_path, monkeypatch, block, streams):
    monkeypatch.setattr(counting, "BLOCK_ENTRIES", block)
    monkeypatch.setattr(counting, "MOST_STREAMS", streams)
    job = replace(job_of(corpus[0], tmp_path / "table", window=6), slices=text_slices(16), reducers=2)
    files = list_here(job, counting.merge_slices(count_here(job, counting.count_slices), job))
    found = {}
    for file in files:
        if file["matrix"] == COUNTS:
            table = pq.read_table(f"{job.table_uri}/{file['file']}").to_pydict()
            found |= dict(zip(zip(table["row"], table["col"], strict=True), table["weight"], strict=True))
    assert found == by_hand(corpus[1], job.config)


def count_here(job: CountJob, count: Callable[..., Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """All tasks one after the other in this process."""
    pin("avx2")
    return count(
        iter([pa.RecordBatch.from_arrays([pa.array(range(len(job.slices) * len(job.reducer_ranges)))], ["id"])]), job
    )


def list_here(job: CountJob, batches: Iterator[pa.RecordBatch]) -> list[dict[str, object]]:
    return pa.Table.from_batches(batches).to_pylist()


def test_a_worker_holds_one_slice_of_the_text_and_none_while_it_merges(corpus, tmp_path):
    job = replace(job_of(corpus[0], tmp_path / "table", window=2), slices=text_slices(3), reducers=2)
    parts = list(count_here(job, counting.count_slices))
    [(_, slice, _)] = counting._texts
    assert slice == 2 and counting.read_text(job, 2) is counting.read_text(job, 2)
    list_here(job, counting.merge_slices(iter(parts), job))
    assert not counting._texts


def test_no_flipped_bit_of_partial_counts_changes_the_table(corpus, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)  # noqa: T201
    draw = random.Random(seed)
    job = replace(job_of(corpus[0], tmp_path / "table", window=2), slices=text_slices(3), reducers=2)
    parts = list(count_here(job, counting.count_slices))
    expected, found = by_hand(corpus[1], job.config), 0
    for _ in range(60):
        path = Path(draw.choice(parts)["file"][0].as_py())
        whole = bytearray(path.read_bytes())
        changed = whole.copy()
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        try:
            files = list_here(job, counting.merge_slices(iter(parts), job))
        except DamagedTable as damage:
            assert str(damage).startswith(f"{path}: ")
            found += 1
        else:  # what aligns the values
            tables = [pq.read_table(f"{job.table_uri}/{file['file']}") for file in files if file["matrix"] == COUNTS]
            table = pa.concat_tables(tables).to_pydict()
            assert dict(zip(zip(table["row"], table["col"], strict=True), table["weight"], strict=True)) == expected
        path.write_bytes(whole)
    assert found > 30


def test_partial_counts_that_are_cut_or_gone_are_damage(corpus, tmp_path):
    job = replace(job_of(corpus[0], tmp_path / "table", window=2), slices=text_slices(3), reducers=2)
    parts = list(count_here(job, counting.count_slices))
    path = Path(parts[0]["file"][0].as_py())
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DamagedTable, match=path.name):
        list_here(job, counting.merge_slices(iter(parts), job))
    path.unlink()
    with pytest.raises(DamagedTable, match=path.name):
        list_here(job, counting.merge_slices(iter(parts), job))


def test_partial_counts_are_deleted_with_their_folder(spark, corpus, tmp_path):
    staging = staging_of(tmp_path / "output")
    uri = staging.begin("cooccurrences", "f")
    job = replace(job_of(corpus[0], Path(uri), window=2), slices=text_slices(3), partial_uri=f"{uri}/partial")
    made(spark, job)
    assert len(os.listdir(job.partial_uri)) >= 3
    staging.delete_files(job.partial_uri)
    assert not Path(job.partial_uri).exists() and read_row_sums(uri, WORDS).any()


@pytest.mark.parametrize("slices", [1, 3])
def test_tasks_side_by_side_write_the_bytes_of_one_process(spark, corpus, tmp_path, slices):
    job = replace(job_of(corpus[0], tmp_path / "spark", window=6), slices=text_slices(slices), reducers=5)
    made(spark, job)
    alone = replace(job, table_uri=str(tmp_path / "alone"), partial_uri=str(tmp_path / "partial"))
    if slices == 1:
        files = list_here(alone, count_here(alone, counting.count_whole))
    else:
        files = list_here(alone, counting.merge_slices(count_here(alone, counting.count_slices), alone))
    for matrix in (COUNTS, counting.SUMS):
        ours = {
            file["first_id"]: Path(alone.table_uri, str(file["file"])) for file in files if file["matrix"] == matrix
        }
        theirs = {file["first_id"]: Path(job.table_uri, file["file"]) for file in listed_files(job.table_uri, matrix)}
        assert len(ours) > 3 and ours.keys() == theirs.keys()
        assert all(ours[first].read_bytes() == theirs[first].read_bytes() for first in ours)


def test_what_a_failed_or_overtaken_attempt_left_is_never_read(spark, corpus, tmp_path):
    job = replace(job_of(corpus[0], tmp_path / "table", window=3), reducers=3)
    expected = made(spark, job)
    sums, names = read_row_sums(job.table_uri, WORDS), set(os.listdir(job.table_uri))
    list_here(job, count_here(job, counting.count_whole))  # the same tasks again, under names of their own
    Path(job.table_uri, f"{COUNTS}-half.parquet").write_bytes(b"PAR1 and no end")
    assert len(os.listdir(job.table_uri)) == 2 * len(names)  # _files.json has no second one, half a file stands for it
    table = pq.read_table(published(job, tmp_path / "output")).to_pydict()
    pairs = zip(table["row"], table["col"], strict=True)
    assert dict(zip(pairs, table["weight"], strict=True)) == expected and len(table["row"]) == len(expected)
    assert np.array_equal(read_row_sums(job.table_uri, WORDS), sums)


def published(job: CountJob, output: Path) -> Path:
    """The published table of counts."""
    parts = [StagedTable("cooccurrences", job.table_uri, COUNTS, copy=True)]
    folder = Path(version_folder(str(output), write_candidate(str(output), Held(), parts, {"run_id": "r"}, CHECKED)))
    version = Version(str(folder), "r", json.loads((folder / "manifest.json").read_text()))
    table = version.table("cooccurrences")
    # Where the list in staging counts the matrix's rows, the manifest counts those of the Parquet files: entries.
    assert version.manifest["tables"] == {"cooccurrences": storage.count_rows(table)}
    return Path(table)


def test_published_rows_rise_through_the_files_and_ranges_are_read_alone(spark, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "ROW_GROUP_ENTRIES", 20)
    job = replace(job_of(corpus[0], tmp_path / "table", window=3), reducers=3)
    files = list_here(job, count_here(job, counting.count_whole))
    write_list(job.table_uri, files)
    target = published(job, tmp_path / "output")
    assert sorted(file.name for file in target.iterdir()) == [f"part-{n:05d}.parquet" for n in range(3)]
    keys = [(row, col) for row, col, _ in by_hand_rows(corpus[1], job.config)]
    found = [
        (row, col)
        for file in sorted(target.iterdir())
        for row, col in zip(*pq.read_table(file, columns=["row", "col"]).to_pydict().values(), strict=True)
    ]
    assert found == keys
    for first, last in ((0, 1), (3, 9), (WORDS - 2, WORDS)):
        part = storage.read_table(str(target), filters=[("row", ">=", first), ("row", "<", last)]).to_pylist()
        expected = [entry for entry in by_hand_rows(corpus[1], job.config) if first <= entry[0] < last]
        assert [tuple(entry.values()) for entry in part] == expected
    query = f"SELECT row, col, weight FROM read_parquet('{target}/*.parquet') WHERE row = 5 ORDER BY col"
    assert duckdb.sql(query).fetchall() == [entry for entry in by_hand_rows(corpus[1], job.config) if entry[0] == 5]
    metadata = pq.ParquetFile(target / "part-00000.parquet").metadata
    ranges = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
    assert len(ranges) > 2 and all(one.max <= other.min for one, other in pairwise(ranges))


def by_hand_rows(pieces: list[list[int]], config: CooccurrencesConfig) -> list[tuple[int, int, float]]:
    return sorted((row, col, weight) for (row, col), weight in by_hand(pieces, config).items())


def test_subsampling_thins_out_frequent_words_and_takes_the_seed(spark, corpus, tmp_path):
    def total(seed: int, reducers: int = 1) -> dict[tuple[int, int], float]:
        job = job_of(corpus[0], tmp_path / "table", window=3, subsample=0.01)
        return made(spark, replace(job, seed=seed, reducers=reducers))

    one = total(1)
    whole = by_hand(corpus[1], CooccurrencesConfig(window=3))
    assert 0 < sum(one.values()) < 0.6 * sum(whole.values())
    assert total(1, reducers=4) == one != total(2)


def test_other_readers_read_the_files(spark, corpus, tmp_path):
    job = replace(job_of(corpus[0], tmp_path / "table"), reducers=3)
    expected = made(spark, job)
    files = [f"{job.table_uri}/{file['file']}" for file in listed_files(job.table_uri, COUNTS)]
    rows = duckdb.read_parquet(files).fetchall()
    assert {(row, col): weight for row, col, weight in rows} == expected
    assert {(row.row, row.col): row.weight for row in spark.read.parquet(*files).collect()} == expected


def test_written_counts_are_added_up_only_where_the_sums_are_exact():
    from w2vspark.kernels.counts.cooccurrences import EXACT_WINDOW, distance_weights
    from w2vspark.stages.cooccurrences import MOST_EXACT, exact_sums

    assert MOST_EXACT == EXACT_WINDOW
    for weighting in ("uniform", "linear", "harmonic"):
        for window in (1, 2, 10, 20, 21):
            config = CooccurrencesConfig(window=window, weighting=weighting)
            weights, _ = distance_weights(weighting, window, 1)
            exact = weights.dtype == np.int64
            most = ((1 << 52) - 1) // (2 * int(weights.sum())) if exact else 1
            assert exact_sums(config, most) == exact and not exact_sums(config, most + 1)
