"""Table ppmi against plain Python, for every option, and for any cut of the counts."""

import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from inline_session import InlineSession

from w2vspark.base.schemas import COOCCURRENCES, ROW_SUMS
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages import ppmi as stage
from w2vspark.stages.cooccurrences import COUNTS, SUMS
from w2vspark.stages.ppmi import PPMI, PpmiConfig, PpmiJob, column_sums, ppmi
from w2vspark.stages.sparse_rows import block_entries, scan_sparse_rows
from w2vspark.storage.listed import footer_of, listed_files, write_list

WORDS = 30
Counts = dict[tuple[int, int], float]


def random_counts(symmetric: bool) -> Counts:
    """Counts in whole thirds; the last word and some others never stand near another."""
    draw, counts = np.random.default_rng(6), {}
    for row, column in draw.integers(0, WORDS - 1, (250, 2)).tolist():
        if 7 not in (row, column):
            counts[row, column] = int(draw.integers(1, 40)) / 3
            if symmetric:
                counts[column, row] = counts[row, column]
    return counts


def stored(folder: Path, counts: Counts, cuts: list[int]) -> Path:
    """The counts as stage cooccurrences leaves them, in files that begin at the cuts."""
    files = []
    folder.mkdir()
    for first, last in zip(cuts, [*cuts[1:], WORDS], strict=True):
        rows = sorted((row, column, weight) for (row, column), weight in counts.items() if first <= row < last)
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        sums = [sum(weight for row, _, weight in rows if row == word) for word in range(first, last)]
        entries = [sum(row == word for row, _, _ in rows) for word in range(first, last)]
        tables = {
            COUNTS: pa.table(columns, schema=COOCCURRENCES),
            SUMS: pa.table([range(first, last), sums, entries], schema=ROW_SUMS),
        }
        for matrix, table in tables.items():
            path = folder / f"{matrix}-{first}.parquet"
            pq.write_table(table, path, row_group_size=17)
            of_file = {"matrix": matrix, "first_id": first, "rows": last - first, "file": path.name}
            files.append(of_file | footer_of(str(path))._asdict())
    write_list(str(folder), files)
    return folder


def made(folder: Path, counts: Counts, cuts: list[int], symmetric: bool, session: object = None, **settings) -> Counts:
    """The entries of the table that the stage makes."""
    job = PpmiJob(
        config=PpmiConfig(**settings), cpu_target="avx2", words=WORDS, counts_uri=str(stored(folder, counts, cuts)),
        columns_uri="" if symmetric else f"{folder}-columns", table_uri=f"{folder}-ppmi",
    )  # fmt: skip
    session = session or InlineSession()
    if not symmetric:
        write_listed(column_sums(session, job), job.columns_uri)
    write_listed(ppmi(session, job), job.table_uri)
    assert sum(file["rows"] for file in listed_files(job.table_uri, PPMI)) == WORDS
    found, row = {}, 0
    for block in scan_sparse_rows(job.table_uri, PPMI, 0, WORDS):
        assert block.first == row
        begin = 0
        for end in block.ends.tolist():
            columns = block.columns[begin:end].tolist()
            assert columns == sorted(set(columns))
            found |= {
                (row, column): value for column, value in zip(columns, block.values[begin:end].tolist(), strict=True)
            }
            begin, row = end, row + 1
        assert begin == block.columns.size == block.values.size
    assert row == WORDS
    assert block_entries(job.table_uri, PPMI)[1].sum() == len(found)
    return found


def by_hand(counts: Counts, smoothing: float = 0.75, shift: float = 1.0, positive: bool = True) -> Counts:
    rows, columns = defaultdict(float), defaultdict(float)
    for (row, column), weight in counts.items():
        rows[row] += weight
        columns[column] += weight
    total = sum(weight**smoothing for weight in columns.values())
    found = {}
    for (row, column), weight in counts.items():
        value = math.log(weight / rows[row] / (columns[column] ** smoothing / total)) - math.log(shift)
        if value > 0 or not positive:
            found[row, column] = value
    return found


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize(
    "settings",
    [{}, {"smoothing": 1.0}, {"smoothing": 0.0}, {"smoothing": 0.3}, {"shift": 5.0}, {"positive": False},
     {"positive": False, "shift": 2.5, "smoothing": 1.0}],
)  # fmt: skip
def test_values_are_those_of_plain_python(tmp_path, settings, symmetric):
    counts = random_counts(symmetric)
    found, expected = made(tmp_path / "counts", counts, [0, 4, 20], symmetric, **settings), by_hand(counts, **settings)
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert bool(settings.get("positive", True)) == (min(found.values()) > 0)


def test_spark_and_other_cuts_of_counts_and_blocks_give_the_same_entries(spark, tmp_path, monkeypatch):
    counts = random_counts(False)
    expected = made(tmp_path / "one", counts, [0], False)
    several = made(tmp_path / "several", counts, [0, 9, 22], False)
    assert several == pytest.approx(expected, rel=1e-6)  # other groups of columns' sums
    assert made(tmp_path / "spark", counts, [0, 9, 22], False, spark) == several
    monkeypatch.setattr(stage, "BLOCK_ENTRIES", 10)
    assert made(tmp_path / "blocks", counts, [0], False) == expected
    firsts, entries = block_entries(f"{tmp_path}/blocks-ppmi", PPMI)
    assert len(firsts) > 5 and (entries[:-1] >= 10).all()
    rows = np.diff([*firsts, WORDS])
    assert rows.sum() == WORDS and (entries[rows > 1] < 10 + WORDS).all()


def test_a_shift_that_nothing_exceeds_leaves_empty_rows(tmp_path):
    assert made(tmp_path / "counts", random_counts(True), [0, 5], True, shift=1e6) == {}
