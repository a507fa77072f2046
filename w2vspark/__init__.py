"""Word embeddings at data-lake scale: Spark stages, numba kernels, Parquet vector tables."""

__version__ = "0.2.0"
