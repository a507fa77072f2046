"""Files and batches that carry a checksum."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from w2vspark import storage
from w2vspark.base.errors import DamagedTable
from w2vspark.storage import sealed

BATCH = pa.RecordBatch.from_pydict(
    {"name": ["a", "", "bcd"], "values": [b"", b"\x00\x01", b"xyz"], "first_id": pa.array([1, 2, 3], pa.int64())}
)


def flips(path: Path) -> "list[tuple[int, int]]":
    """Every bit of a file, as (byte, bit)."""
    return [(at, bit) for at in range(path.stat().st_size) for bit in range(8)]


def flip(path: Path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


def test_an_object_comes_back_and_no_flipped_bit_changes_it(tmp_path: Path) -> None:
    path, value = tmp_path / "x.json", {"rows": 3, "list": [1.5, "ä", None], "crc": {"a": 1}}
    path.write_text(sealed.sealed_json(value))
    assert sealed.read_sealed_json(str(path)) == value
    for at, bit in flips(path):
        flip(path, at, bit)
        try:
            assert sealed.read_sealed_json(str(path)) == value  # white space, or another spelling of the same text
        except DamagedTable as damage:
            assert "x.json: is damaged" in str(damage)
        flip(path, at, bit)


@pytest.mark.parametrize("text", ["", "[", "[]", '{"rows": 3}', '{"crc32": "x"}', "null"])
def test_a_text_that_was_never_sealed_is_damage(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DamagedTable, match=r"x\.json: is damaged"):
        sealed.read_sealed_json(str(tmp_path / "x.json"))
    with pytest.raises(FileNotFoundError):
        sealed.read_sealed_json(str(tmp_path / "y.json"))


def test_an_array_comes_back_and_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path, values = tmp_path / "x", np.array([[1.0, np.pi], [-0.0, 5e-324]])
    sealed.write_sealed(str(path), values)
    np.testing.assert_array_equal(sealed.read_sealed(str(path), np.float64), values.reshape(-1))
    for at, bit in flips(path):
        flip(path, at, bit)
        with pytest.raises(DamagedTable, match="x: is damaged"):
            sealed.read_sealed(str(path), np.float64)
        flip(path, at, bit)
    path.write_bytes(path.read_bytes()[:3])
    with pytest.raises(DamagedTable, match="x: is damaged"):
        sealed.read_sealed(str(path), np.float64)
    path.unlink()
    with pytest.raises(DamagedTable, match="x: is missing"):
        sealed.read_sealed(str(path), np.float64)


def read_stream(path: Path) -> pa.RecordBatch:
    with storage.open_at(str(path), 0) as file:
        return sealed.next_batch(sealed.open_stream(file, str(path)), str(path))


def read_file(path: Path) -> pa.RecordBatch:
    with storage.open_at(str(path), 0) as file:
        return sealed.batch_at(sealed.open_file(file, str(path)), 0, str(path))


@pytest.mark.parametrize(
    ("writer", "read"), [(pa.ipc.new_stream, read_stream), (pa.ipc.new_file, read_file)], ids=["stream", "file"]
)
def test_a_batch_comes_back_and_no_flipped_bit_changes_it(
    writer: Callable[..., pa.RecordBatchFileWriter], read: Callable[[Path], pa.RecordBatch], tmp_path: Path
) -> None:
    path = tmp_path / "x.arrow"
    with storage.open_for_writing(str(path)) as sink, writer(sink, BATCH.schema) as out:
        sealed.write_batch(out, BATCH)
        sealed.write_batch(out, BATCH.slice(1))
    assert read(path) == BATCH
    found = 0
    for at, bit in flips(path)[:: 1 if writer is pa.ipc.new_stream else 3]:
        flip(path, at, bit)
        try:
            batch = read(path)
            assert batch == BATCH  # padding, or of the second batch
        except DamagedTable:
            found += 1
        flip(path, at, bit)
    assert found > 1000 if writer is pa.ipc.new_stream else found > 300
    with storage.open_for_writing(str(path)) as sink, writer(sink, BATCH.schema) as out:
        out.write_batch(BATCH)
    with pytest.raises(DamagedTable, match="is not None"):
        read(path)


def test_a_checksum_notices_flipped_bits_zeros_and_moved_sectors() -> None:
    content = bytearray(np.random.default_rng(1).standard_normal(100_000).astype(np.float32).tobytes())
    whole = sealed.checksum(bytes(content))
    assert whole == sealed.checksum(np.frombuffer(content, np.float32).reshape(1000, 100).data) < 1 << 63
    for at in [*range(0, len(content), 997), len(content) - 1]:
        for bit in range(8):
            content[at] ^= 1 << bit
            assert sealed.checksum(content) != whole, (at, bit)
            content[at] ^= 1 << bit
    for size in (512, 4096, 65536):
        for start in (0, size, 2 * size):
            for other in (bytes(size), content[3 * size : 4 * size]):  # a sector or page is lost, or another's
                changed = content.copy()
                changed[start : start + size] = other
                assert sealed.checksum(changed) != whole
                changed[3 * size : 4 * size] = content[start : start + size]
                assert sealed.checksum(changed) != whole
    assert sealed.checksum(memoryview(content)[3:]) == sealed.checksum(bytes(content[3:])), "at an odd address"
    assert sealed.checksum(b"", 5) == 5 and sealed.checksum(b"a", 1) != sealed.checksum(b"a", 2)


def test_a_slice_has_the_checksum_of_its_copy() -> None:
    copy = pa.RecordBatch.from_pydict(BATCH.slice(1).to_pydict(), schema=BATCH.schema)
    assert sealed._checksum_of(BATCH.slice(1)) == sealed._checksum_of(copy) != sealed._checksum_of(BATCH)
