"""GloVe's arithmetic on rows, in LLVM's vectors of eight float32. kernels/simd.py has the reasons and conventions."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import Signature
from numba.extending import intrinsic

from w2vspark.kernels.instructions import (
    INT,
    INT_VECTOR,
    SIMD_WIDTH,
    VECTOR,
    WIDE,
    Builder,
    Value,
    base_of,
    bounded,
    broadcast,
    chunk_loop,
    exponential_of,
    fma,
    load,
    select,
    splat,
    store,
    sums_of,
)

_SQRT_HALF_BITS, _MANTISSA_BITS = 0x3F3504F3, 23


def _log(builder: Builder, x: Value) -> Value:
    """log x for eight normal x > 0, to 2 ulp: Cephes' polynomial (logf.c) around 1."""
    # Subtracting the bits of sqrt(1/2) first gives the exponent for a mantissa in [sqrt(1/2), sqrt(2)).
    shift = ir.Constant(INT_VECTOR, [_MANTISSA_BITS] * SIMD_WIDTH)
    bits = builder.bitcast(x, INT_VECTOR)
    exponent = builder.ashr(builder.sub(bits, ir.Constant(INT_VECTOR, [_SQRT_HALF_BITS] * SIMD_WIDTH)), shift)
    mantissa = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), VECTOR)
    n = builder.sitofp(exponent, VECTOR)
    z = builder.fsub(mantissa, splat(1.0))
    p = splat(7.0376836292e-2)
    for c in (
        -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
        -2.4999993993e-1, 3.3333331174e-1,
    ):  # fmt: skip
        p = fma(builder, p, z, splat(c))
    square = builder.fmul(z, z)
    y = builder.fmul(builder.fmul(p, z), square)
    y = fma(builder, n, splat(-2.12194440e-4), y)
    y = fma(builder, square, splat(-0.5), y)
    return fma(builder, n, splat(0.693359375), builder.fadd(z, y))


@intrinsic
def weigh_counts(
    typingctx: Any, counts: Any, at: Any, logs: Any, weights: Any, to: Any, log_max: Any, alpha: Any
) -> tuple[Signature, Callable[..., Value]]:
    """For eight counts from counts[at], write log count to logs[to], min(1, (count / x_max) ** alpha) to weights[to].

    log_max: log x_max, computed by this function.
    """
    signature = types.void(counts, types.int64, logs, weights, types.int64, types.float32, types.float32)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base, logs_base, weights_base = (base_of(context, builder, sig.args[i], args[i]) for i in (0, 2, 3))
        log = _log(builder, load(builder, base, args[1]))
        store(builder, log, logs_base, args[4])
        share = builder.fsub(log, broadcast(builder, args[5]))
        weight = exponential_of(builder, bounded(builder, builder.fmul(share, broadcast(builder, args[6]))))
        store(builder, select(builder, "<", weight, splat(1.0)), weights_base, args[4])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def dot_of_rows(
    typingctx: Any, a: Any, row: Any, b: Any, other: Any, chunks: Any
) -> tuple[Signature, Callable[..., Value]]:
    """The dot product of two rows, float32. Needs chunks >= 1."""
    signature = types.float32(a, types.int64, b, types.int64, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        a_base = builder.gep(base_of(context, builder, sig.args[0], args[0]), [args[1]])
        b_base = builder.gep(base_of(context, builder, sig.args[2], args[2]), [args[3]])

        def chunk(d: Value, sums: list[Value]) -> list[Value]:
            return [fma(builder, load(builder, a_base, d), load(builder, b_base, d), sums[0])]

        sums = chunk_loop(builder, args[4], [splat(0.0)], chunk)
        total = sums_of(builder, sums + [splat(0.0)] * (SIMD_WIDTH - 1))
        return builder.extract_element(total, ir.Constant(INT, 0))

    return signature, codegen


@intrinsic
def adagrad_step(
    typingctx: Any, a: Any, row: Any, a_mask: Any, b: Any, other: Any, b_mask: Any, chunks: Any, step: Any
) -> tuple[Signature, Callable[..., Value]]:
    """One record's step in both rows, in one pass: a -= g / sqrt(A) and A += g * g, with g = step * b (old).

    A are the sums of squares, which follow the `chunks` chunks of a. The same for b, with g = step * a (old). In the
    last chunk, g is first multiplied by the eight floats of the mask: 0 keeps a number as it is. Needs chunks >= 1.
    """
    signature = types.void(a, types.int64, a_mask, b, types.int64, b_mask, types.int64, types.float32)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        bases = [builder.gep(base_of(context, builder, sig.args[i], args[i]), [args[i + 1]]) for i in (0, 3)]
        masks = [base_of(context, builder, sig.args[i], args[i]) for i in (2, 5)]
        step = broadcast(builder, args[7])
        half = builder.mul(args[6], ir.Constant(WIDE, SIMD_WIDTH))

        def one(d: Value, is_last: bool) -> None:
            old = [load(builder, base, d) for base in bases]
            for base, mask, value, other in zip(bases, masks, old, reversed(old), strict=True):
                gradient = builder.fmul(step, other)
                if is_last:
                    gradient = builder.fmul(gradient, load(builder, mask, ir.Constant(WIDE, 0)))
                position = builder.add(d, half)
                squares = load(builder, base, position)
                moved = builder.fdiv(gradient, _square_root(builder, squares))
                store(builder, builder.fsub(value, moved), base, d)
                store(builder, fma(builder, gradient, gradient, squares), base, position)

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            one(d, False)
            return []

        before = builder.sub(args[6], ir.Constant(WIDE, 1))
        with builder.if_then(builder.icmp_signed(">", before, ir.Constant(WIDE, 0))):
            chunk_loop(builder, before, [], chunk)
        one(builder.mul(before, ir.Constant(WIDE, SIMD_WIDTH)), True)
        return context.get_dummy_value()

    return signature, codegen


def _square_root(builder: Builder, x: Value) -> Value:
    kind = ir.FunctionType(VECTOR, [VECTOR])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.sqrt.v8f32"), [x])
