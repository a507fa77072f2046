"""What shards or lanes changed, from arrays with a row for each of them."""

import numpy as np

from w2vspark.kernels.combine import Changes


def of_replicas(changes: np.ndarray, updates: np.ndarray) -> list[Changes]:
    """changes: float32 (replicas, rows, columns); updates: int32 (replicas, rows), 0 = it did not touch the row."""
    touched = [np.flatnonzero(of_one > 0).astype(np.int32) for of_one in updates]
    return [Changes(rows, updates[r][rows], changes[r][rows]) for r, rows in enumerate(touched)]
