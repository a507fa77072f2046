"""Builds the kernels' instructions: LLVM's vectors of eight float32, and loops over a row's chunks.

The code fixes the order of every sum, and no fast-math flag lets LLVM change it. So no bit depends on the CPU target.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

SIMD_WIDTH = 8

FLOAT = ir.FloatType()
INT = ir.IntType(32)
WIDE = ir.IntType(64)
VECTOR = ir.VectorType(FLOAT, SIMD_WIDTH)
INT_VECTOR = ir.VectorType(INT, SIMD_WIDTH)

Builder = Any
Value = Any


def base_of(context: Any, builder: Builder, kind: Any, array: Value) -> Value:
    """The pointer to an array's first element. A pointer is returned as it is."""
    return array if isinstance(kind, types.CPointer) else context.make_array(kind)(context, builder, array).data


def load(builder: Builder, base: Value, offset: Value) -> Value:
    """Load eight floats from base[offset]."""
    pointer = builder.bitcast(builder.gep(base, [offset]), VECTOR.as_pointer())
    return builder.load(pointer, align=4)


def store(builder: Builder, value: Value, base: Value, offset: Value) -> None:
    """Store eight floats to base[offset]."""
    pointer = builder.bitcast(builder.gep(base, [offset]), VECTOR.as_pointer())
    builder.store(value, pointer, align=4)


def fma(builder: Builder, a: Value, b: Value, c: Value) -> Value:
    """a * b + c, rounded once."""
    kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.v8f32")
    return builder.call(function, [a, b, c])


def splat(value: float) -> Value:
    """The same constant eight times."""
    return ir.Constant(VECTOR, [float(np.float32(value))] * SIMD_WIDTH)


def broadcast(builder: Builder, scalar: Value) -> Value:
    """The same scalar eight times."""
    first = builder.insert_element(ir.Constant(VECTOR, ir.Undefined), scalar, ir.Constant(INT, 0))
    return builder.shuffle_vector(first, ir.Constant(VECTOR, ir.Undefined), ir.Constant(INT_VECTOR, [0] * SIMD_WIDTH))


def shuffle(builder: Builder, a: Value, b: Value, mask: list[int]) -> Value:
    """The elements that the mask names: 0 to 7 are elements of a, 8 to 15 of b."""
    return builder.shuffle_vector(a, b, ir.Constant(INT_VECTOR, mask))


def sums_of(builder: Builder, rows: list[Value]) -> Value:
    """The vector of the horizontal sums of eight vectors. Each sum is a tree of pairs."""
    low, high = [0, 8, 2, 10, 4, 12, 6, 14], [1, 9, 3, 11, 5, 13, 7, 15]
    pairs = [
        builder.fadd(shuffle(builder, a, b, low), shuffle(builder, a, b, high))
        for a, b in zip(rows[0::2], rows[1::2], strict=True)
    ]
    low, high = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
    fours = [
        builder.fadd(shuffle(builder, a, b, low), shuffle(builder, a, b, high))
        for a, b in zip(pairs[0::2], pairs[1::2], strict=True)
    ]
    low, high = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
    return builder.fadd(shuffle(builder, fours[0], fours[1], low), shuffle(builder, fours[0], fours[1], high))


def offsets_of(builder: Builder, base: Value, first: Value, count: int) -> list[Value]:
    """The int64 values base[first], base[first + 1], …"""
    return [builder.load(builder.gep(base, [builder.add(first, ir.Constant(WIDE, i))])) for i in range(count)]


def loop(builder: Builder, count: Value, start: list[Value], body: Callable[..., list[Value]]) -> list[Value]:
    """for i in range(count): carried = body(i, carried); return carried. Runs once if count is less than 1."""
    before = builder.block
    loop = builder.append_basic_block("loop")
    after = builder.append_basic_block("loop.done")
    builder.branch(loop)
    builder.position_at_end(loop)
    i = builder.phi(WIDE)
    i.add_incoming(ir.Constant(WIDE, 0), before)
    carried = []
    for value in start:
        phi = builder.phi(value.type)
        phi.add_incoming(value, before)
        carried.append(phi)
    new = body(i, carried)
    following = builder.add(i, ir.Constant(WIDE, 1))
    end = builder.block
    i.add_incoming(following, end)
    for phi, value in zip(carried, new, strict=True):
        phi.add_incoming(value, end)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
    builder.position_at_end(after)
    return new


def chunk_loop(builder: Builder, chunks: Value, start: list[Value], body: Callable[..., list[Value]]) -> list[Value]:
    """for d in range(0, 8 * chunks, 8): carried = body(d, carried); return carried. Runs once if chunks < 1."""
    return loop(builder, chunks, start, lambda i, carried: body(builder.mul(i, ir.Constant(WIDE, SIMD_WIDTH)), carried))


def exponential_of(builder: Builder, x: Value) -> Value:
    """e**x for |x| <= 80, to 2 ulp: Cody and Waite's reduction, Cephes' polynomial (expf.c)."""
    magic = splat(12582912.0)  # 1.5 * 2**23: adding it rounds to an integer
    n = builder.fsub(fma(builder, x, splat(1.44269504088896341), magic), magic)
    r = fma(builder, n, splat(-0.693359375), x)
    r = fma(builder, n, splat(2.12194440e-4), r)
    p = splat(1.9875691500e-4)
    for c in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
        p = fma(builder, p, r, splat(c))
    p = builder.fadd(fma(builder, p, builder.fmul(r, r), r), splat(1.0))
    exponent = builder.add(builder.fptosi(n, INT_VECTOR), ir.Constant(INT_VECTOR, [127] * SIMD_WIDTH))
    scale = builder.bitcast(builder.shl(exponent, ir.Constant(INT_VECTOR, [23] * SIMD_WIDTH)), VECTOR)
    return builder.fmul(p, scale)


def select(builder: Builder, compare: str, a: Value, b: Value) -> Value:
    """For each pair: a if `a compare b` is true, else b."""
    return builder.select(builder.fcmp_ordered(compare, a, b), a, b)


def bounded(builder: Builder, x: Value) -> Value:
    """x, limited to -80 … 80."""
    return select(builder, ">", select(builder, "<", x, splat(80.0)), splat(-80.0))
