"""Kernels compile for the pinned CPU target; numba reads it when it is first imported, which is below this line."""

from w2vspark.base.cpu_target import pin

pin("avx2")
