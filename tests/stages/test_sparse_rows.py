import numpy as np
import pytest

from w2vspark.base.errors import DamagedTable
from w2vspark.stages.sparse_rows import SparseBlock, scan_sparse_rows, write_sparse_rows
from w2vspark.storage.listed import write_list


def block(first: int, sizes: list[int]) -> SparseBlock:
    count = sum(sizes)
    columns = np.arange(count, dtype=np.int32) + first
    return SparseBlock(first, np.cumsum(sizes), columns, columns.astype(np.float32) / 8)


def written(uri: str, files: dict[str, list[SparseBlock]]) -> None:
    """Files as tasks write them, and their list."""
    listed = []
    for name, blocks in files.items():
        listed += write_sparse_rows(uri, name.partition(" ")[0], blocks[0].first, iter(blocks)).to_pylist()
        assert listed[-1]["tokens"] == sum(part.columns.size for part in blocks)
    write_list(uri, listed)


BLOCKS = [block(0, [2, 0, 3]), block(3, [1]), block(4, [0, 0]), block(6, [4, 1])]


def test_blocks_come_back_as_they_were_for_any_rows(tmp_path):
    uri = str(tmp_path)
    written(uri, {"a second": BLOCKS[2:], "a first": BLOCKS[:2], "b": [block(0, [1] * 8)]})
    for first in range(8):
        for last in range(first + 1, 9):
            found = list(scan_sparse_rows(uri, "a", first, last))
            wanted = [part for part in BLOCKS if part.first < last and part.first + part.ends.size > first]
            assert [part.first for part in found] == [part.first for part in wanted]
            for got, expected in zip(found, wanted, strict=True):
                for mine, theirs in zip(got[1:], expected[1:], strict=True):
                    assert mine.dtype == theirs.dtype and np.array_equal(mine, theirs)


def test_a_row_that_no_file_has_is_an_error(tmp_path):
    written(str(tmp_path), {"a second": BLOCKS[2:], "a first": BLOCKS[:1]})
    with pytest.raises(DamagedTable, match="lacks row 3 of 'a'"):
        list(scan_sparse_rows(str(tmp_path), "a", 0, 8))
    with pytest.raises(DamagedTable, match="lacks row 8 of 'a'"):
        list(scan_sparse_rows(str(tmp_path), "a", 6, 9))
    with pytest.raises(DamagedTable, match="lacks row 0 of 'c'"):
        list(scan_sparse_rows(str(tmp_path), "c", 0, 1))


def test_blocks_that_do_not_follow_each_other_are_refused(tmp_path):
    with pytest.raises(ValueError, match="the block of 'a' at row 4 does not follow row 2"):
        write_sparse_rows(str(tmp_path), "a", 0, iter([BLOCKS[0], BLOCKS[2]]))
