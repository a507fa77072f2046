"""Spherical k-means: clusters of words by the angles between their vectors (Dhillon & Modha 2001).

The coordinates of unit vectors are rounded to whole multiples of 2^-24, about the precision of float32. In float64,
sums and products of such numbers are exact. So no result depends on the order or the blocks in which rows are added.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SCALE = 1 << 24  # a unit vector's coordinates are whole numbers, and its length is SCALE
ONE = float(SCALE) ** 2  # the product of a unit vector and itself
BLOCK_CELLS = 1 << 22  # products of rows and centroids that are in memory at once

_Floats = NDArray[np.float64]  # where it has units or centroids, its values are whole numbers


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    """A division of words into clusters."""

    centroids: _Floats  # (k, D), units as whole_units gives them
    cluster: NDArray[np.int32]  # (n,), of each row
    cosine: _Floats  # (n,), of each row with its centroid
    iterations: int
    converged: bool  # whether the last iteration moved no row


def whole_units(rows: NDArray[np.floating]) -> _Floats:
    """Rows divided by their lengths, times SCALE, rounded to whole numbers: float64 (n, D). A zero row stays zero."""
    values = np.asarray(rows, np.float64)
    norms = np.sqrt((values * values).sum(axis=1))
    norms[norms == 0] = 1
    units: _Floats = np.rint(values * (SCALE / norms)[:, None])
    return units


def nearest_centroids(units: _Floats, centroids: _Floats) -> tuple[NDArray[np.int32], _Floats]:
    """The centroid with the highest cosine for each row, int32 (n,), and the cosines, float64 (n,).

    Of equal cosines, the first centroid wins.
    """
    cluster, product = np.empty(len(units), np.int32), np.empty(len(units))
    rows = max(1, BLOCK_CELLS // len(centroids))
    for start in range(0, len(units), rows):
        products = units[start : start + rows] @ centroids.T
        best = products.argmax(axis=1)
        cluster[start : start + rows] = best
        product[start : start + rows] = products[np.arange(len(best)), best]
    return cluster, product / ONE


def member_sums(units: _Floats, cluster: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The sum of the rows of each cluster, int64 (count, D). It is exact below 2^29 rows."""
    sums = np.zeros((count, units.shape[1]), np.int64)
    order = np.argsort(cluster, kind="stable")
    present, starts = np.unique(cluster[order], return_index=True)
    if len(present):
        sums[present] = np.add.reduceat(units[order], starts, axis=0).astype(np.int64)
    return sums


def moved_centroids(sums: NDArray[np.int64], before: _Floats) -> _Floats:
    """The directions of the sums, as units. A cluster without members, or with sum zero, keeps its centroid."""
    centroids = before.copy()
    for number, values in enumerate(sums.astype(np.float64)):
        norm = math.sqrt(math.fsum(values * values))  # exact: the same on every machine
        if norm > 0:
            centroids[number] = np.rint(values * (SCALE / norm))
    return centroids


def seeded_centroids(units: _Floats, count: int, seed: int) -> _Floats:
    """The first centroids, float64 (count, D): rows drawn by greedy k-means++ (Arthur & Vassilvitskii 2007).

    Each draw has a few candidates. The one that leaves the other rows nearest to a centroid stays. Raises ValueError
    when there are fewer than `count` different directions.
    """
    random, draws = np.random.default_rng(seed), 2 + int(math.log(max(count, 1)))
    chosen = [int(random.integers(len(units)))] if len(units) else []
    far = ONE - units @ units[chosen[0]] if chosen else np.empty(0)  # of each row: half its squared distance
    while len(chosen) < count:
        ends = np.cumsum(far * (far > ONE * 1e-6))  # equal directions differ by a rounding
        if not len(ends) or ends[-1] == 0:
            raise ValueError(f"there are only {len(chosen)} different directions, fewer than {count}")
        drawn = np.searchsorted(ends, random.random(draws) * ends[-1], side="right")
        left = np.minimum(far[:, None], ONE - units @ units[drawn].T)
        best = int(left.sum(axis=0).argmin())
        chosen.append(int(drawn[best]))
        far = left[:, best]
    centroids: _Floats = units[chosen]
    return centroids


def k_means(units: _Floats, centroids: _Floats, iterations: int) -> Clusters:
    """Move the centroids to the means of their rows until no row changes its cluster, or `iterations` times."""
    cluster, cosine = nearest_centroids(units, centroids)
    for done in range(iterations):
        centroids = moved_centroids(member_sums(units, cluster, len(centroids)), centroids)
        before = cluster
        cluster, cosine = nearest_centroids(units, centroids)
        if np.array_equal(cluster, before):
            return Clusters(centroids, cluster, cosine, done + 1, True)
    return Clusters(centroids, cluster, cosine, iterations, False)


def silhouette(units: _Floats, cluster: NDArray[np.int32]) -> float | None:
    """The mean silhouette of the rows by 1 - cosine (Rousseeuw 1987), from -1 to 1; None with fewer than two clusters.

    A row alone in its cluster counts as 0. The cosines of all pairs are in memory at once.
    """
    present, own = np.unique(cluster, return_inverse=True)
    if len(present) < 2:
        return None
    distances = 1 - (units @ units.T) / ONE
    members = np.zeros((len(units), len(present)))
    members[np.arange(len(units)), own] = 1
    sums, sizes = distances @ members, members.sum(axis=0)
    rows = np.arange(len(units))
    inside = (sums[rows, own] - distances[rows, rows]) / np.maximum(sizes[own] - 1, 1)
    means = sums / sizes
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    values = np.where((sizes[own] > 1) & (larger > 0), (outside - inside) / np.where(larger > 0, larger, 1), 0.0)
    return float(values.mean())
