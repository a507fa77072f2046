import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outputs import declare

from w2vspark.base import schemas
from w2vspark.base.errors import InputError, OutputError
from w2vspark.vectors import probe

WORDS = [f"w{n}" for n in range(60)] + ["lonely"]


@pytest.fixture
def counts() -> dict[int, dict[int, float]]:
    random = np.random.default_rng(2)
    return {row: {int(col): float(random.integers(1, 90)) / 8 for col in random.choice(60, 20)} for row in range(60)}


@pytest.fixture
def output(tmp_path: Path, counts: dict[int, dict[int, float]]) -> Path:
    """A published version with counts in two files of many small row groups, and a vocabulary in no order."""
    folder = tmp_path / "output" / "versions" / "000001"
    for name in ("vocabulary", "cooccurrences"):
        (folder / name).mkdir(parents=True)
    ids = np.random.default_rng(1).permutation(len(WORDS)).astype(np.int32)
    table = pa.table({"id": ids, "word": [WORDS[n] for n in ids], "count": 100 - ids.astype(np.int64)})
    pq.write_table(table, folder / "vocabulary" / "part-0.parquet")
    for number, rows in enumerate((range(25), range(25, 60))):
        entries = [(row, col, counts[row][col]) for row in rows for col in sorted(counts[row])]
        columns = [list(column) for column in zip(*entries, strict=True)]
        file = folder / "cooccurrences" / f"part-{number:05d}.parquet"
        pq.write_table(pa.table(columns, schema=schemas.COOCCURRENCES), file, row_group_size=50)
    entries = sum(map(len, counts.values()))
    declare(tmp_path / "output", "000001", {"vocabulary": len(WORDS), "cooccurrences": entries})
    return tmp_path / "output"


def spoil_other_groups(folder: Path, rows: set[int]) -> int:
    """Overwrite the values of every row group that has none of these rows; how many there were."""
    spoiled = 0
    for file in folder.glob("*.parquet"):
        content, metadata = bytearray(file.read_bytes()), pq.ParquetFile(file).metadata
        for number in range(metadata.num_row_groups):
            chunks = [metadata.row_group(number).column(i) for i in range(metadata.num_columns)]
            if not any(chunks[0].statistics.min <= row <= chunks[0].statistics.max for row in rows):
                spoiled += 1
                for chunk in chunks:
                    first = chunk.dictionary_page_offset or chunk.data_page_offset
                    content[first : first + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
        file.write_bytes(content)
    return spoiled


def test_probabilities_and_their_ratio_are_those_of_the_counts(output, counts):
    for a, b in ((3, 40), (40, 3), (24, 25), (7, 7)):
        found = probe(str(output), WORDS[a], WORDS[b], WORDS[:60])
        assert [answer.word for answer in found] == WORDS[:60]
        for k, answer in enumerate(found):
            first, second = (counts[row].get(k, 0.0) / sum(counts[row].values()) for row in (a, b))
            assert (answer.first, answer.second) == pytest.approx((first, second))
            if second:
                assert answer.ratio == pytest.approx(first / second)
            else:
                assert math.isinf(answer.ratio) if first else math.isnan(answer.ratio)


def test_only_the_row_groups_of_the_two_words_are_read(output):
    expected = probe(str(output), "w5", "w50", WORDS[:5])
    spoiled = spoil_other_groups(output / "versions" / "000001" / "cooccurrences", {5, 50})
    assert spoiled > 15
    assert str(probe(str(output), "w5", "w50", WORDS[:5])) == str(expected)  # nan is not equal to itself
    with pytest.raises(OutputError, match="cannot be read"):
        probe(str(output), "w5", "w30", WORDS[:5])


def test_a_word_without_neighbours_has_no_probabilities(output):
    [answer] = probe(str(output), "lonely", "w3", ["lonely"])
    assert math.isnan(answer.first) and answer.second == 0 and math.isnan(answer.ratio)


def test_a_version_folder_works_too(output):
    folder = output / "versions" / "000001"
    assert str(probe(str(folder), "w1", "w2", WORDS)) == str(probe(str(output), "w1", "w2", WORDS))


@pytest.mark.parametrize("words", [("w1", "w2", ["w3", "W4"]), ("W4", "w2", ["w3"]), ("w1", "W4", ["w3"])])
def test_an_unknown_word_is_named_with_what_is_close_to_it(output, words):
    with pytest.raises(InputError, match="'W4' is not among the 61 words of the table, but 'w4' is"):
        probe(str(output), *words)


def test_no_probe_word_a_missing_table_and_an_unpublished_output_are_errors(output, tmp_path):
    with pytest.raises(InputError, match="at least one"):
        probe(str(output), "w1", "w2", [])
    with pytest.raises(OutputError, match="is not there"):
        probe(str(tmp_path / "nowhere"), "w1", "w2", ["w3"])
    (output / "versions" / "000001" / "cooccurrences").rename(tmp_path / "away")
    with pytest.raises(
        OutputError, match=r"cooccurrences: part-00000\.parquet is missing .*; run the command again.* rollback"
    ):
        probe(str(output), "w1", "w2", ["w3"])
    declare(output, "000001", {"vocabulary": len(WORDS)})
    with pytest.raises(OutputError, match=r"a method that counts neighbours, and cooccurrences\.publish = true"):
        probe(str(output), "w1", "w2", ["w3"])
