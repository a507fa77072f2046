"""Splits sparse rows by grid column: column c goes to grid column c % grid_columns, as number c // grid_columns."""

import numpy as np

from w2vspark.kernels.compiled import compiled


def deal_columns(
    ends: np.ndarray, columns: np.ndarray, values: np.ndarray, grid_columns: int
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """The entries of each grid column: ends, int64 (rows,); columns, int32, renumbered; values, float32.

    ends: int64 (rows,), where each row ends in columns (int32, not negative) and values (float32). Raises ValueError
    for invalid input.
    """
    kinds = [array.dtype for array in (ends, columns, values)]
    if kinds != [np.int64, np.int32, np.float32] or columns.size != values.size or grid_columns < 1:
        raise ValueError(
            f"expected int64 ends, int32 columns, float32 values of the same length, and a grid column, got {kinds}"
        )
    if (ends.size and ends[-1] != columns.size) or (np.diff(ends, prepend=0) < 0).any():
        raise ValueError(f"the rows' ends must rise to {columns.size}")
    if columns.size and columns.min() < 0:
        raise ValueError(f"column {columns.min()} is negative")
    sizes = np.zeros(grid_columns, np.int64)
    _count_columns(columns, np.int32(grid_columns), sizes)
    starts = np.cumsum(sizes) - sizes
    dealt_ends = np.empty((grid_columns, ends.size), np.int64)
    dealt_columns, dealt_values = np.empty_like(columns), np.empty_like(values)
    _deal(ends, columns, values, np.int32(grid_columns), starts.copy(), starts, dealt_ends, dealt_columns, dealt_values)
    entries = [slice(start, start + size) for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)]
    return [(dealt_ends[number], dealt_columns[of], dealt_values[of]) for number, of in enumerate(entries)]


@compiled
def _count_columns(columns, grid_columns, sizes):
    for at in range(columns.size):
        sizes[columns[at] % grid_columns] += 1


@compiled
def _deal(ends, columns, values, grid_columns, positions, starts, dealt_ends, dealt_columns, dealt_values):
    begin = 0
    for i in range(ends.size):
        for at in range(begin, ends[i]):
            number = columns[at] // grid_columns
            of = columns[at] - number * grid_columns
            dealt_columns[positions[of]] = number
            dealt_values[positions[of]] = values[at]
            positions[of] += 1
        begin = ends[i]
        for of in range(positions.size):
            dealt_ends[of, i] = positions[of] - starts[of]
