"""Tables as lists of files."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from w2vspark.base.errors import DamagedTable, EnvironmentFailure, OutputError
from w2vspark.storage import listed

TABLE = pa.table(
    {
        "id": pa.array(range(1000), pa.int32()),
        "word": [f"word{number % 37}" for number in range(1000)],
        "vector": pa.array(np.arange(4000, dtype=np.float32).reshape(1000, 4).tolist(), pa.list_(pa.float32())),
    }
)


def write(folder: Path, *parts: pa.Table, **options: Any) -> list[dict[str, Any]]:
    files, first = [], 0
    for part in parts:
        with listed.NewFile(str(folder), "part", part.schema, **options) as file:
            file.write(part, 100)
        files.append({"matrix": listed.ROWS, "first_id": first, "rows": file.rows, **file.listed()})
        first += file.rows
    listed.write_list(str(folder), files[::-1])
    return files


def test_rows_come_in_the_order_of_the_list_whatever_else_is_in_the_folder(tmp_path: Path) -> None:
    files = write(tmp_path, TABLE.slice(0, 300), TABLE.slice(300))
    pq.write_table(TABLE, tmp_path / "part-0.parquet")  # of an attempt that failed
    uri = str(tmp_path)
    assert listed.read_listed(uri) == TABLE
    assert pa.Table.from_batches(listed.scan_listed(uri)) == TABLE
    assert listed.read_listed(uri, ["word"], [("id", ">=", 250), ("id", "<", 350)]) == TABLE.slice(250, 100).select(
        ["word"]
    )
    assert listed.read_listed(uri, files=files[1:]) == TABLE.slice(300)
    assert listed.count_listed(uri) == 1000 and listed.file_names(uri) == tuple(file["file"] for file in files)
    assert listed.listed_files(uri, "other") == [] == list(listed.scan_listed(uri, matrix="other"))
    assert listed.missing_file(uri) == ""


def test_a_small_table_comes_back(tmp_path: Path) -> None:
    listed.write_small(TABLE.slice(0, 0), str(tmp_path))
    assert listed.read_listed(str(tmp_path)) == TABLE.slice(0, 0)


def test_no_flipped_bit_of_a_file_changes_what_is_read(tmp_path: Path) -> None:
    # Bits that nobody reads may flip; never may other rows come out, or none.
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)  # noqa: T201
    draw = random.Random(seed)
    (file,) = write(tmp_path, TABLE, compression="snappy", use_dictionary=["word"])
    path, found = tmp_path / file["file"], 0
    whole = path.read_bytes()
    for _ in range(1500):
        content = bytearray(whole)
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(content)
        for filters in (None, [("id", ">=", 450)]):
            try:
                rows = listed.read_listed(str(tmp_path), filters=filters)
            except DamagedTable as damage:
                assert str(damage).startswith(f"{tmp_path}: ")
                found += 1
            else:
                assert rows == TABLE.slice(450 if filters else 0)
    assert found > 2000


def test_a_file_that_is_missing_or_cut_is_named(tmp_path: Path) -> None:
    (file,) = write(tmp_path, TABLE)
    path = tmp_path / file["file"]
    whole = path.read_bytes()
    for size in (0, 3, 11, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert listed.missing_file(str(tmp_path)) == file["file"]
        with pytest.raises(DamagedTable, match=rf"{file['file']} has {size} bytes, not {len(whole)}"):
            listed.read_listed(str(tmp_path))
    path.unlink()
    assert listed.missing_file(str(tmp_path)) == file["file"]
    with pytest.raises(DamagedTable, match=rf"{file['file']} is missing"):
        list(listed.scan_listed(str(tmp_path)))


def test_a_storage_that_fails_is_not_taken_for_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file,) = write(tmp_path, TABLE)
    path = tmp_path / file["file"]
    path.unlink()
    path.mkdir()  # can be opened, and not be read
    with pytest.raises(EnvironmentFailure, match="cannot be used"):
        listed.read_listed(str(tmp_path))


def test_a_storage_that_failed_for_a_moment_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, TABLE)
    real, calls = listed._dataset, []

    def failing_once(uri: str, files: Any) -> Any:
        calls.append(uri)
        if len(calls) == 1:
            raise OSError("connection reset")
        return real(uri, files)

    monkeypatch.setattr(listed, "_dataset", failing_once)
    with pytest.raises(EnvironmentFailure, match=r"at the second try \(connection reset\); check the disk"):
        listed.read_listed(str(tmp_path))
    assert listed.read_listed(str(tmp_path)) == TABLE


@pytest.mark.parametrize("text", [None, "[{", "[]", '{"files": []}'])
def test_a_list_that_is_missing_or_damaged_is_named(text: str | None, tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    (tmp_path / listed.LIST).unlink()
    if text is not None:
        (tmp_path / listed.LIST).write_text(text)
    with pytest.raises(DamagedTable, match=r"_files\.json"):
        listed.read_listed(str(tmp_path))


def test_a_list_of_nothing_is_no_table(tmp_path: Path) -> None:
    listed.write_list(str(tmp_path), [])
    with pytest.raises(DamagedTable, match="lists no file"):
        listed.read_listed(str(tmp_path))


def test_footers_that_are_kept_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, TABLE.slice(0, 500), TABLE.slice(500))
    read: list[str] = []
    real = listed.footer_of

    def counting(uri: str) -> listed.Footer:
        read.append(uri)
        return real(uri)

    monkeypatch.setattr(listed, "footer_of", counting)
    listed._kept_dataset.cache_clear()
    for first in (0, 400, 900):
        wanted = [("id", ">=", first)]
        rows = list(listed.scan_listed(str(tmp_path), filters=wanted, keep_footers=True))
        assert pa.Table.from_batches(rows) == TABLE.slice(first)
    assert len(read) == 2
    # The footers are kept, not only checked once: files that are cut behind them now are no obstacle.
    for file in tmp_path.glob("*.parquet"):
        content = file.read_bytes()
        length = int.from_bytes(content[-8:-4], "little") + 8
        file.write_bytes(content[:-length] + b"\0" * length)
    rows = list(listed.scan_listed(str(tmp_path), filters=[("id", ">=", 900)], keep_footers=True))
    assert pa.Table.from_batches(rows) == TABLE.slice(900)
    assert len(read) == 2


def test_a_file_that_is_no_parquet_file_is_told(tmp_path: Path) -> None:
    for content in (b"", b"PAR1", b"\xff" * 40 + b"PAR1", b"\xff" * 100):
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(OutputError, match="does not end as a Parquet file"):
            listed.footer_of(str(tmp_path / "x"))


def test_the_list_holds_what_it_says(tmp_path: Path) -> None:
    files = write(tmp_path, TABLE)
    written = json.loads((tmp_path / listed.LIST).read_text())
    assert written["files"] == files and set(files[0]) == set(listed.COLUMNS)
    assert files[0]["size"] == (tmp_path / files[0]["file"]).stat().st_size
