"""The map of frequent words: a place in the plane for each, near the words with similar vectors, and their clusters.

The places come from UMAP (McInnes, Healy & Melville 2018), with one thread and a fixed seed. On one machine, the same
vectors get the same places. On another kind of machine the last bits of sums may differ, and then the places do too.
"""

import warnings
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark import storage
from w2vspark.base.schemas import MAP
from w2vspark.output.publish import Version
from w2vspark.report.frequent import SHOWN, Frequent, read_frequent
from w2vspark.vectors.k_means import k_means, seeded_centroids, whole_units
from w2vspark.vectors.nearest import nearest_rows

LEAST = 100  # words below which a map shows nothing that a list does not
CLUSTERS, WORDS_OF_CLUSTER = 24, 20  # at most so many clusters, and at least so many words for each
NEIGHBOURS, EPOCHS, ITERATIONS, SEED = 15, 300, 50, 1
NAMING = 3  # words that name a cluster

INSTALL = "pip install 'w2vspark[report]'"


def make_map(version: Version) -> pa.Table:
    """The rows of table `map`, as schemas.MAP, for the most frequent words of a version; empty if there is no map.

    `why_no_map` has the reason. The version's own table `map`, if it has one, is read and not made again. Words without
    a vector (all zeros) have no cluster. Raises OutputError as read_frequent does.
    """
    if version.has("map"):
        return storage.read_table(version.table("map"), MAP.names).cast(MAP).sort_by("id")
    frequent = read_frequent(version, SHOWN)
    if why_no_map(frequent):
        return MAP.empty_table()
    places, clusters = places_of(frequent.unit), clusters_of(frequent.unit)
    columns = [
        pa.array(frequent.ids.astype(np.int32)),
        pa.array(frequent.words, pa.string()),
        pa.array(places[:, 0]),
        pa.array(places[:, 1]),
        pa.array(clusters, mask=clusters < 0),
    ]
    return pa.Table.from_arrays(columns, schema=MAP)


def can_make_map() -> bool:
    """Whether the packages that a map needs are installed."""
    return find_spec("umap") is not None


def why_no_map(frequent: Frequent) -> str:
    """Why these words get no map, in a sentence; "" = they get one."""
    if len(frequent.words) < LEAST:
        return f"There is no map: it needs at least {LEAST} words, and there are {len(frequent.words)}."
    if not can_make_map():
        return f"There is no map, because the package umap-learn is not installed. This command adds it: {INSTALL}"
    return ""


def places_of(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The places of some words, float32 (n, 2), about the origin. unit: as Frequent.unit, more than NEIGHBOURS rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages about their own packages
        from umap import UMAP

        rows = np.arange(len(unit))
        near, cosines = nearest_rows(unit, rows, NEIGHBOURS - 1)
        found = np.concatenate([rows[:, None], near], axis=1).astype(np.int32)
        distances = np.concatenate([np.zeros((len(unit), 1), np.float32), np.maximum(1 - cosines, 0)], axis=1)
        model = UMAP(
            n_neighbors=NEIGHBOURS,
            n_epochs=EPOCHS,
            min_dist=0.15,
            init=_first_places(unit),
            precomputed_knn=(found, distances, None),
            force_approximation_algorithm=True,  # use these neighbours for few words too
            random_state=SEED,
            n_jobs=1,
        )
        places: NDArray[np.float32] = np.asarray(model.fit_transform(unit), np.float32)
    centred: NDArray[np.float32] = places - places.mean(axis=0, dtype=np.float64).astype(np.float32)
    return centred


def _first_places(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """The two principal components, scaled to 0 … 10 as UMAP wants its start."""
    centred = unit.astype(np.float64) - unit.mean(axis=0, dtype=np.float64)
    _, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, -2:] if vectors.shape[1] > 1 else np.concatenate([vectors, vectors], axis=1)
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), [0, 1]])  # a component and its opposite are the same
    places = centred @ axes
    span = np.ptp(places, axis=0)
    scaled: NDArray[np.float32] = (10 * (places - places.min(axis=0)) / np.where(span > 0, span, 1)).astype(np.float32)
    return scaled


def clusters_of(unit: NDArray[np.float32]) -> NDArray[np.int32]:
    """The cluster of each word, int32 (n,), the largest cluster first; -1 for a row of zeros."""
    units = whole_units(unit)
    rows = np.flatnonzero(units.any(axis=1))
    clusters = np.full(len(unit), -1, np.int32)
    different = len(np.unique(units[rows], axis=0))
    count = min(CLUSTERS, different, max(1, len(rows) // WORDS_OF_CLUSTER))
    if count:
        found = k_means(units[rows], seeded_centroids(units[rows], count, SEED), ITERATIONS).cluster
        order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
        place = np.empty(count, np.int32)
        place[order] = np.arange(count, dtype=np.int32)
        clusters[rows] = place[found]
    return clusters


def cluster_names(frequent: Frequent, clusters: NDArray[np.int32]) -> list[str]:
    """A name for each cluster: the words nearest to its centre, joined by commas."""
    names = []
    for number in range(int(clusters.max(initial=-1)) + 1):
        members = np.flatnonzero(clusters == number)
        centre = frequent.unit[members].sum(axis=0, dtype=np.float64)
        nearest = members[np.argsort(-(frequent.unit[members] @ centre), kind="stable")[:NAMING]]
        names.append(", ".join(frequent.words[row] for row in nearest))
    return names
