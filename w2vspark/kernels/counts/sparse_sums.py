"""Sums by column, which are added to in any order and listed in rising order of the columns.

A dense array holds the sums of one row. A bit marks each column that was met, and a second level has a bit for each
group of 64 such bits. So listing needs no sort and no loop over all columns: its cost depends on the columns that
were met.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types, uint64
from numba.core.typing import Signature
from numba.extending import intrinsic

from w2vspark.kernels.compiled import compiled


class Sums(NamedTuple):
    """The sums of one row. All are 0 between two rows."""

    values: np.ndarray  # int64 or float64 (columns,)
    marks: np.ndarray  # uint64, one bit for each column
    groups: np.ndarray  # uint64, one bit for each element of marks that is not 0


def new_sums(columns: int, kind: np.dtype[Any]) -> Sums:
    """Sums that are 0, for `columns` columns. kind: int64 or float64."""
    return Sums(
        np.zeros(columns, kind), np.zeros((columns + 63) >> 6, np.uint64), np.zeros((columns + 4095) >> 12, np.uint64)
    )


@intrinsic
def _lowest_bit(typingctx: Any, bits: Any) -> tuple[Signature, Callable[..., Any]]:
    """The position of the lowest set bit of a uint64, which must not be 0."""

    def codegen(context: Any, builder: Any, signature: Signature, args: tuple[Any, ...]) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@compiled
def add_to(sums, column, value):
    """Add a value greater than 0 to a column."""
    c = uint64(column)  # an unsigned index needs no test for negative values
    if sums.values[c] == 0:
        sums.marks[c >> uint64(6)] |= uint64(1) << (c & uint64(63))
        sums.groups[c >> uint64(12)] |= uint64(1) << ((c >> uint64(6)) & uint64(63))
    sums.values[c] += value


@compiled
def drain(sums, at, columns, values):
    """List the columns that were met and their sums, from position `at` on, and clear them; returns the next `at`."""
    for g in range(sums.groups.size):
        group = sums.groups[g]
        sums.groups[g] = uint64(0)
        while group:
            m = g * 64 + _lowest_bit(group)
            group &= group - uint64(1)
            marks = sums.marks[m]
            sums.marks[m] = uint64(0)
            while marks:
                column = m * 64 + _lowest_bit(marks)
                marks &= marks - uint64(1)
                columns[at] = column
                values[at] = sums.values[column]
                sums.values[column] = 0
                at += 1
    return at
