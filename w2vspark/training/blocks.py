"""Reads and writes blocks of the parameter tables, in the tasks of a round."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from w2vspark.base.errors import DamagedTable, TrainingError
from w2vspark.base.schemas import PARAMETER_FILES, PARAMETERS
from w2vspark.kernels.combine import first_row_not_finite
from w2vspark.spark.arrow import one_row
from w2vspark.stages.parameters import block_checksum, scan_blocks
from w2vspark.storage.listed import NewFile
from w2vspark.training.plan import MatrixShape
from w2vspark.training.trainer import Trainer

DIVERGED = "training diverged; lower training.learning_rate (or warm_start.learning_rate, where that is set)"


def read_blocks(
    uri: str | None, shape: MatrixShape, blocks: list[tuple[int, int]], trainer: Trainer
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield neighbouring blocks of a matrix: the first row, and float32 (rows, shape.width).

    blocks: (first row, number of rows). uri: the table's folder; None yields the initial values. The arrays may be
    read-only. Raises DamagedTable if a block is missing.
    """
    if uri is None:
        for first, rows in blocks:
            block = np.zeros((rows, shape.width), np.float32)
            trainer.fill_initial(shape.name, first, block)
            yield first, block
        return
    expected = iter(blocks)
    for first, block in scan_blocks(uri, shape.name, blocks[0][0], blocks[-1][0] + 1):
        if next(expected, None) != (first, len(block)) or block.shape[1] != shape.width:
            raise DamagedTable(f"{uri}: the block of {shape.name!r} at row {first} does not fit")
        yield first, block
    missing = next(expected, None)
    if missing is not None:
        raise DamagedTable(f"{uri}: lacks the block of {shape.name!r} at row {missing[0]}")


def write_blocks(
    uri: str, name: str, blocks: Iterator[tuple[int, np.ndarray]], cause: str = DIVERGED
) -> pa.RecordBatch:
    """Write one or more neighbouring blocks of a matrix to a new file; returns its row of schemas.PARAMETER_FILES.

    uri: the table's folder. blocks: the first row, and float32 (rows, floats of a row). A row group has one block, so
    readers hold one block in memory at a time. The file's name is new at every attempt. Raises TrainingError as
    check_finite does, and ValueError if a block does not follow the one before.
    """
    begin = end = -1
    # Blocks are large and all different: dictionaries and compression cost more than they save.
    options = {"compression": "none", "use_dictionary": False, "write_statistics": ["first_id"]}
    with NewFile(uri, name, PARAMETERS, write_page_checksum=False, **options) as file:
        for first, block in blocks:
            if end < 0:
                begin = end = first
            if first != end:
                raise ValueError(f"the block of {name!r} at row {first} does not follow row {end - 1}")
            check_finite(name, first, block, cause)
            found = block_checksum(name, first, len(block), block.data)
            file.write(one_row(PARAMETERS, matrix=name, first_id=first, rows=len(block), values=block, checksum=found))
            end += len(block)
    return one_row(PARAMETER_FILES, matrix=name, first_id=begin, rows=end - begin, **file.listed())


def check_finite(name: str, first: int, block: np.ndarray, cause: str = DIVERGED) -> None:
    """Raise TrainingError if a value of a block, float32 (rows, dimensions), is not finite. cause: why, and the fix."""
    row = first_row_not_finite(block)
    if row >= 0:
        raise TrainingError(f"the {name} vector of word id {first + row} is not finite: {cause}")
