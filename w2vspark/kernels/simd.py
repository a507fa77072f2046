"""The micro-kernels that all word2vec methods share, written in LLVM's vectors of eight float32.

Input rows (the window's words) meet a tile of output rows (the centre and its negatives). A tile's accumulators stay
in registers: the sixteen AVX registers have room for two inputs x six outputs.

The kernels are written as IR (see instructions.py), not as loops for a vectoriser, for two reasons. The IR fixes the
order of every sum, so the bits do not depend on the CPU target. And a loop over the tile's rows makes the
straight-line code for a tile, so the same source serves every tile size.

Arrays are flat, or pointers to their first elements. Rows are given as offsets in elements. A row is `chunks` vectors
of eight: the caller pads rows with zeros, and all operations here keep these zeros. No bounds are checked.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import Signature
from numba.extending import intrinsic

from w2vspark.kernels.instructions import (
    INT,
    SIMD_WIDTH,
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
    loop,
    offsets_of,
    splat,
    store,
    sums_of,
)

TILE = 6


@intrinsic
def pointer_to(typingctx: Any, array: Any) -> tuple[Signature, Callable[..., Value]]:
    """A pointer to a contiguous array's first element. It is indexed like the array, without a check of bounds.

    Inner kernels take pointers, because numba passes an array as seven arguments and counts its references at every
    call. The caller must keep the array alive.
    """
    signature = types.CPointer(array.dtype)(array)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        return base_of(context, builder, sig.args[0], args[0])

    return signature, codegen


@intrinsic
def offset(typingctx: Any, pointer: Any, count: Any) -> tuple[Signature, Callable[..., Value]]:
    """The pointer to the element `count` positions further on."""

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        return builder.gep(args[0], [args[1]])

    return pointer(pointer, types.int64), codegen


def _dots(inputs: int) -> Any:
    """A kernel for `inputs` (1 or 2) input rows x TILE outputs: logits[at + 8*(first + i) + k] = input_i . output_k."""

    @intrinsic
    def dots(
        typingctx: Any,
        a: Any,
        rows: Any,
        first: Any,
        b: Any,
        outs: Any,
        first_out: Any,
        chunks: Any,
        logits: Any,
        at: Any,
    ) -> tuple[Signature, Callable[..., Value]]:
        signature = types.void(a, rows, types.int64, b, outs, types.int64, types.int64, logits, types.int64)

        def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
            a_base, rows_base = (base_of(context, builder, sig.args[i], args[i]) for i in (0, 1))
            b_base, outs_base = (base_of(context, builder, sig.args[i], args[i]) for i in (3, 4))
            a_rows = offsets_of(builder, rows_base, args[2], inputs)
            b_rows = offsets_of(builder, outs_base, args[5], TILE)

            def body(d: Value, sums: list[Value]) -> list[Value]:
                left = [load(builder, a_base, builder.add(row, d)) for row in a_rows]
                new = list(sums)
                for k, row in enumerate(b_rows):
                    right = load(builder, b_base, builder.add(row, d))
                    for i in range(inputs):
                        new[i * TILE + k] = fma(builder, left[i], right, sums[i * TILE + k])
                return new

            sums = chunk_loop(builder, args[6], [splat(0.0)] * (inputs * TILE), body)
            logits_base = base_of(context, builder, sig.args[7], args[7])
            for i in range(inputs):
                padded = sums[i * TILE : (i + 1) * TILE] + [splat(0.0)] * (SIMD_WIDTH - TILE)
                offset = builder.mul(builder.add(args[2], ir.Constant(WIDE, i)), ir.Constant(WIDE, SIMD_WIDTH))
                store(builder, sums_of(builder, padded), logits_base, builder.add(args[8], offset))
            return context.get_dummy_value()

        return signature, codegen

    return dots


dots_of_two = _dots(2)
dots_of_one = _dots(1)


@intrinsic
def update_tile(
    typingctx: Any,
    a: Any,
    rows: Any,
    count: Any,
    target: Any,
    target_rows: Any,
    b: Any,
    outs: Any,
    first_out: Any,
    chunks: Any,
    steps: Any,
    at: Any,
) -> tuple[Signature, Callable[..., Value]]:
    """One fused pass: target_i += sum_k step_ik * output_k (old), output_k += sum_i step_ik * input_i.

    step_ik = steps[at + 8*i + k]. `target` may be the input array itself, if no other tile of outputs needs the old
    inputs. Needs chunks >= 1 and count >= 1.
    """
    signature = types.void(
        a, rows, types.int64, target, target_rows, b, outs, types.int64, types.int64, steps, types.int64
    )

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        a_base, rows_base = (base_of(context, builder, sig.args[i], args[i]) for i in (0, 1))
        t_base, t_rows_base = (base_of(context, builder, sig.args[i], args[i]) for i in (3, 4))
        b_base, outs_base = (base_of(context, builder, sig.args[i], args[i]) for i in (5, 6))
        steps_base = builder.gep(base_of(context, builder, sig.args[9], args[9]), [args[10]])
        b_rows = offsets_of(builder, outs_base, args[7], TILE)

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            old = [load(builder, b_base, builder.add(row, d)) for row in b_rows]

            def one_input(i: Value, new: list[Value]) -> list[Value]:
                row = builder.add(builder.load(builder.gep(rows_base, [i])), d)
                target_row = builder.add(builder.load(builder.gep(t_rows_base, [i])), d)
                left = load(builder, a_base, row)
                moved = load(builder, t_base, target_row)
                following = []
                for k in range(TILE):
                    at = builder.add(builder.mul(i, ir.Constant(WIDE, SIMD_WIDTH)), ir.Constant(WIDE, k))
                    step = broadcast(builder, builder.load(builder.gep(steps_base, [at])))
                    moved = fma(builder, step, old[k], moved)
                    following.append(fma(builder, step, left, new[k]))
                store(builder, moved, t_base, target_row)
                return following

            for row, value in zip(b_rows, loop(builder, args[2], old, one_input), strict=True):
                store(builder, value, b_base, builder.add(row, d))
            return []

        chunk_loop(builder, args[8], [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def update_tile_scaled(
    typingctx: Any,
    a: Any,
    rows: Any,
    count: Any,
    target: Any,
    target_rows: Any,
    scales: Any,
    squares: Any,
    b: Any,
    outs: Any,
    first_out: Any,
    out_scales: Any,
    out_squares: Any,
    chunks: Any,
    steps: Any,
    at: Any,
) -> tuple[Signature, Callable[..., Value]]:
    """As update_tile, but every row has its own scale, and the squares of the unscaled changes are added up.

    target_i += scales[i] * d_i and squares[8*i:] += d_i * d_i, with d_i = sum_k step_ik * output_k (old).
    output_k += out_scales[k] * e_k and out_squares[8*k:] += e_k * e_k, with e_k = sum_i step_ik * input_i.
    The caller adds up a row's eight floats of squares. out_scales and out_squares begin at the tile's first output.
    """
    signature = types.void(
        a, rows, types.int64, target, target_rows, scales, squares, b, outs, types.int64, out_scales, out_squares,
        types.int64, steps, types.int64,
    )  # fmt: skip

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        a_base, rows_base, t_base, t_rows_base, scales_base, squares_base, b_base, outs_base = (
            base_of(context, builder, sig.args[i], args[i]) for i in (0, 1, 3, 4, 5, 6, 7, 8)
        )
        out_scales_base, out_squares_base = (base_of(context, builder, sig.args[i], args[i]) for i in (10, 11))
        steps_base = builder.gep(base_of(context, builder, sig.args[13], args[13]), [args[14]])
        b_rows = offsets_of(builder, outs_base, args[9], TILE)

        def add_square(base: Value, number: Value, value: Value) -> None:
            position = builder.mul(number, ir.Constant(WIDE, SIMD_WIDTH))
            store(builder, fma(builder, value, value, load(builder, base, position)), base, position)

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            old = [load(builder, b_base, builder.add(row, d)) for row in b_rows]

            def one_input(i: Value, gradients: list[Value]) -> list[Value]:
                row = builder.add(builder.load(builder.gep(rows_base, [i])), d)
                target_row = builder.add(builder.load(builder.gep(t_rows_base, [i])), d)
                left = load(builder, a_base, row)
                own = splat(0.0)
                following = []
                for k in range(TILE):
                    position = builder.add(builder.mul(i, ir.Constant(WIDE, SIMD_WIDTH)), ir.Constant(WIDE, k))
                    step = broadcast(builder, builder.load(builder.gep(steps_base, [position])))
                    own = fma(builder, step, old[k], own)
                    following.append(fma(builder, step, left, gradients[k]))
                add_square(squares_base, i, own)
                scale = broadcast(builder, builder.load(builder.gep(scales_base, [i])))
                store(builder, fma(builder, scale, own, load(builder, t_base, target_row)), t_base, target_row)
                return following

            gradients = loop(builder, args[2], [splat(0.0)] * TILE, one_input)
            for k, (row, gradient) in enumerate(zip(b_rows, gradients, strict=True)):
                number = ir.Constant(WIDE, k)
                add_square(out_squares_base, number, gradient)
                scale = broadcast(builder, builder.load(builder.gep(out_scales_base, [number])))
                store(builder, fma(builder, scale, gradient, old[k]), b_base, builder.add(row, d))
            return []

        chunk_loop(builder, args[12], [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def update_tile_of_one(
    typingctx: Any, a: Any, target: Any, b: Any, outs: Any, first_out: Any, chunks: Any, steps: Any, out_steps: Any
) -> tuple[Signature, Callable[..., Value]]:
    """update_tile for one input, the row a: target += sum_k steps[k] * output_k (old), output_k += out_steps[k] * a.

    `target` must not be the row a.
    """
    signature = types.void(a, target, b, outs, types.int64, types.int64, steps, out_steps)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        a_base, t_base, b_base, outs_base, *step_bases = (
            base_of(context, builder, sig.args[i], args[i]) for i in (0, 1, 2, 3, 6, 7)
        )
        b_rows = offsets_of(builder, outs_base, args[4], TILE)
        own_steps, out_steps = (
            [broadcast(builder, step) for step in offsets_of(builder, base, ir.Constant(WIDE, 0), TILE)]
            for base in step_bases
        )

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            left, moved = load(builder, a_base, d), load(builder, t_base, d)
            for row, own_step, out_step in zip(b_rows, own_steps, out_steps, strict=True):
                position = builder.add(row, d)
                old = load(builder, b_base, position)
                moved = fma(builder, own_step, old, moved)
                store(builder, fma(builder, out_step, left, old), b_base, position)
            store(builder, moved, t_base, d)
            return []

        chunk_loop(builder, args[5], [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def sums_of_eights(typingctx: Any, floats: Any, at: Any, out: Any, to: Any) -> tuple[Signature, Callable[..., Value]]:
    """out[to + k] = the sum of the eight floats from floats[at + 8*k], for k < TILE. Sets the next two to 0."""
    signature = types.void(floats, types.int64, out, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base, out_base = (base_of(context, builder, sig.args[i], args[i]) for i in (0, 2))
        positions = [builder.add(args[1], ir.Constant(WIDE, k * SIMD_WIDTH)) for k in range(TILE)]
        eights = [load(builder, base, position) for position in positions] + [splat(0.0)] * (SIMD_WIDTH - TILE)
        store(builder, sums_of(builder, eights), out_base, args[3])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def sum_rows(
    typingctx: Any, a: Any, rows: Any, count: Any, scale: Any, out: Any, at: Any, chunks: Any
) -> tuple[Signature, Callable[..., Value]]:
    """out[at:] = scale * (row_0 + row_1 + …), added in that order. Needs chunks >= 1 and count >= 1."""
    signature = types.void(a, rows, types.int64, types.float32, out, types.int64, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        a_base, rows_base = (base_of(context, builder, sig.args[i], args[i]) for i in (0, 1))
        out_base = base_of(context, builder, sig.args[4], args[4])
        scale = broadcast(builder, args[3])

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            def one_row(i: Value, sums: list[Value]) -> list[Value]:
                row = builder.load(builder.gep(rows_base, [i]))
                return [builder.fadd(sums[0], load(builder, a_base, builder.add(row, d)))]

            sums = loop(builder, args[2], [splat(0.0)], one_row)
            store(builder, builder.fmul(sums[0], scale), out_base, builder.add(args[5], d))
            return []

        chunk_loop(builder, args[6], [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def spread_row(
    typingctx: Any, change: Any, at: Any, scale: Any, a: Any, rows: Any, count: Any, chunks: Any
) -> tuple[Signature, Callable[..., Value]]:
    """row_i += scale * change[at:] for `count` rows of a. Needs chunks >= 1 and count >= 1."""
    signature = types.void(change, types.int64, types.float32, a, rows, types.int64, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        change_base = base_of(context, builder, sig.args[0], args[0])
        a_base, rows_base = (base_of(context, builder, sig.args[i], args[i]) for i in (3, 4))
        scale = broadcast(builder, args[2])

        def chunk(d: Value, _: list[Value]) -> list[Value]:
            step = builder.fmul(scale, load(builder, change_base, builder.add(args[1], d)))

            def one_row(i: Value, _: list[Value]) -> list[Value]:
                row = builder.add(builder.load(builder.gep(rows_base, [i])), d)
                store(builder, builder.fadd(load(builder, a_base, row), step), a_base, row)
                return []

            loop(builder, args[5], [], one_row)
            return []

        chunk_loop(builder, args[6], [], chunk)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def square_of_row(typingctx: Any, a: Any, at: Any, chunks: Any) -> tuple[Signature, Callable[..., Value]]:
    """The row's dot product with itself, float32. Needs chunks >= 1."""
    signature = types.float32(a, types.int64, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base = builder.gep(base_of(context, builder, sig.args[0], args[0]), [args[1]])

        def chunk(d: Value, sums: list[Value]) -> list[Value]:
            row = load(builder, base, d)
            return [fma(builder, row, row, sums[0])]

        sums = chunk_loop(builder, args[2], [splat(0.0)], chunk)
        total = sums_of(builder, sums + [splat(0.0)] * (SIMD_WIDTH - 1))
        return builder.extract_element(total, ir.Constant(INT, 0))

    return signature, codegen


@intrinsic
def logistic_steps(
    typingctx: Any, logits: Any, at: Any, count: Any, labels: Any, weights: Any, first: Any
) -> tuple[Signature, Callable[..., Value]]:
    """Replace each logit by (label - sigmoid(logit)) * weight, in `count` rows of eight logits from logits[at].

    All rows use the same eight labels and weights, from position `first`.
    """
    signature = types.void(logits, types.int64, types.int64, labels, weights, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base = builder.gep(base_of(context, builder, sig.args[0], args[0]), [args[1]])
        label = load(builder, base_of(context, builder, sig.args[3], args[3]), args[5])
        weight = load(builder, base_of(context, builder, sig.args[4], args[4]), args[5])

        def row(offset: Value, _: list[Value]) -> list[Value]:
            minus = bounded(builder, builder.fsub(splat(0.0), load(builder, base, offset)))
            sigmoid = builder.fdiv(splat(1.0), builder.fadd(splat(1.0), exponential_of(builder, minus)))
            store(builder, builder.fmul(builder.fsub(label, sigmoid), weight), base, offset)
            return []

        chunk_loop(builder, args[2], [], row)
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def exponential(typingctx: Any, values: Any, at: Any, shift: Any) -> tuple[Signature, Callable[..., Value]]:
    """Replace the eight values from values[at] by e**(value - shift), with the exponent limited to -80 … 80."""
    signature = types.void(values, types.int64, types.float32)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base = base_of(context, builder, sig.args[0], args[0])
        x = builder.fsub(load(builder, base, args[1]), broadcast(builder, args[2]))
        store(builder, exponential_of(builder, bounded(builder, x)), base, args[1])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def prefetch_row(typingctx: Any, a: Any, offset: Any, chunks: Any) -> tuple[Signature, Callable[..., Value]]:
    """Load a row's cache lines before they are used."""
    signature = types.void(a, types.int64, types.int64)

    def codegen(context: Any, builder: Builder, sig: Signature, args: tuple[Value, ...]) -> Value:
        base = base_of(context, builder, sig.args[0], args[0])
        byte = ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, INT, INT, INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        lines = builder.lshr(builder.add(args[2], ir.Constant(WIDE, 1)), ir.Constant(WIDE, 1))

        def line(d: Value, _: list[Value]) -> list[Value]:
            element = builder.add(args[1], builder.add(d, d))  # 16 floats are a cache line
            pointer = builder.bitcast(builder.gep(base, [element]), byte)
            builder.call(function, [pointer, ir.Constant(INT, 0), ir.Constant(INT, 3), ir.Constant(INT, 1)])
            return []

        chunk_loop(builder, lines, [], line)
        return context.get_dummy_value()

    return signature, codegen
