"""Sums by column that are added to in any order and listed in rising order, at the cost of the columns that were met.

A dense array holds the sums of one row; a bit for each column that was met, and one for each group of 64 such bits,
make the listing cost no sort and no walk over all columns.
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
    """Sums of one row, all 0 between two rows."""

    values: np.ndarray  # int64 or float64 (columns,)
    marks: np.ndarray  # uint64, a bit a column
    groups: np.ndarray  # uint64, a bit for each of the marks that is not 0


def new_sums(columns: int, kind: np.dtype[Any]) -> Sums:
    """Sums of nothing for so many columns. kind: int64 or float64."""
    return Sums(
        np.zeros(columns, kind), np.zeros((columns + 63) >> 6, np.uint64), np.zeros((columns + 4095) >> 12, np.uint64)
    )


@intrinsic
def _lowest_bit(typingctx: Any, bits: Any) -> tuple[Signature, Callable[..., Any]]:
    """The number of the lowest bit that is set in a uint64 that is not 0."""

    def codegen(context: Any, builder: Any, signature: Signature, args: tuple[Any, ...]) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


@compiled
def add_to(sums, column, value):
    """Add a value greater than 0 to a column."""
    c = uint64(column)  # an index without a sign costs no test for one
    if sums.values[c] == 0:
        sums.marks[c >> uint64(6)] |= uint64(1) << (c & uint64(63))
        sums.groups[c >> uint64(12)] |= uint64(1) << ((c >> uint64(6)) & uint64(63))
    sums.values[c] += value


@compiled
def drain(sums, at, columns, values):
    """List the columns that were met, from position `at` of columns and values on, and forget them; the next."""
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
