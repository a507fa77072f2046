"""The natural logarithm in plain float64 arithmetic: the same bits everywhere, unlike a library's log.

After fdlibm's e_log.c (Sun Microsystems 1993). The error is less than one unit in the last place. x = 2**k * m with m
near 1, and log m is a polynomial in (m - 1) / (m + 1).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import int64, types
from numba.core.typing import Signature
from numba.extending import intrinsic

from w2vspark.kernels.compiled import compiled

LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
L1, L2, L3, L4, L5, L6, L7 = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01, 2.222219843214978396e-01,
    1.818357216161805012e-01, 1.531383769920937332e-01, 1.479819860511658591e-01,
)  # fmt: skip
LEAST_NORMAL, TWO_54 = 2.2250738585072014e-308, 18014398509481984.0
ROOT_HALF_BITS = 0x3FE6A09E00000000  # the bits of a float just below the square root of 1/2
MANTISSA = (1 << 52) - 1


@intrinsic
def _bits_of(typingctx: Any, value: Any) -> tuple[Signature, Callable[..., Any]]:
    """The bits of a float64 as int64."""

    def codegen(context: Any, builder: Any, signature: Signature, args: tuple[Any, ...]) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typingctx: Any, bits: Any) -> tuple[Signature, Callable[..., Any]]:
    """The float64 that has these bits, int64."""

    def codegen(context: Any, builder: Any, signature: Signature, args: tuple[Any, ...]) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@compiled
def log(x):
    """log(x), float64. x must be finite and greater than 0, which is not checked."""
    k = int64(0)
    if x < LEAST_NORMAL:
        x *= TWO_54
        k -= 54
    bits = _bits_of(x) - int64(ROOT_HALF_BITS)
    k += bits >> 52
    f = _float_of((bits & int64(MANTISSA)) + int64(ROOT_HALF_BITS)) - 1.0
    half = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = z * (L1 + w * (L3 + w * (L5 + w * L7)))
    even = w * (L2 + w * (L4 + w * L6))
    return s * (half + (odd + even)) + k * LN2_LOW - half + f + k * LN2_HIGH


@compiled
def fill_logarithms(values: np.ndarray, logarithms: np.ndarray) -> None:
    """logarithms[i] = log(values[i]); float64, all values finite and greater than 0."""
    for i in range(values.size):
        logarithms[i] = log(values[i])
