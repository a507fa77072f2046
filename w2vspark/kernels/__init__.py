"""Numeric code with NumPy and numba only: no pyspark, no I/O, no logging."""
