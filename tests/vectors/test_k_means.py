import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

from w2vspark.vectors import k_means as module
from w2vspark.vectors.k_means import (
    ONE,
    SCALE,
    k_means,
    member_sums,
    moved_centroids,
    nearest_centroids,
    seeded_centroids,
    silhouette,
    whole_units,
)


def planted(seed: int, clusters: int = 6, each: int = 40, dimensions: int = 12, noise: float = 0.1):
    """Rows around orthogonal directions, of very different lengths, and the direction of each row."""
    random = np.random.default_rng(seed)
    centres = np.linalg.qr(random.standard_normal((dimensions, clusters)))[0].T
    truth = random.permutation(np.repeat(np.arange(clusters), each))
    rows = centres[truth]
    rows = (rows + noise * random.standard_normal(rows.shape)) * random.uniform(0.1, 20, (len(rows), 1))
    return rows.astype(np.float32), truth


def plain_lloyd(rows: np.ndarray, start: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """Spherical k-means with loops over words and clusters; the cluster of each row, and the centroids."""
    unit = [row / np.linalg.norm(row) for row in rows.astype(np.float64)]
    centroids = [row / np.linalg.norm(row) for row in start]
    for _ in range(iterations):
        cluster = [max(range(len(centroids)), key=lambda number: one @ centroids[number]) for one in unit]
        for number in range(len(centroids)):
            total = sum(one for one, own in zip(unit, cluster, strict=True) if own == number)
            centroids[number] = total / np.linalg.norm(total)
    return np.array([max(range(len(centroids)), key=lambda n: one @ centroids[n]) for one in unit]), np.array(centroids)


def test_units_are_whole_numbers_and_a_zero_row_stays_zero():
    rows, _ = planted(1)
    rows[3] = 0
    units = whole_units(rows)
    assert np.array_equal(units, np.rint(units)) and not units[3].any()
    others = np.delete(np.arange(len(rows)), 3)
    np.testing.assert_allclose(np.linalg.norm(units[others], axis=1), SCALE, rtol=1e-6)


def test_the_clusters_are_those_of_plain_lloyd_from_the_same_start():
    rows, _ = planted(2, noise=0.6)
    units = whole_units(rows)
    start = seeded_centroids(units, 6, seed=3)
    found = k_means(units, start, 4)
    cluster, centroids = plain_lloyd(rows, start, 4)
    assert found.cluster.tolist() == cluster.tolist()
    np.testing.assert_allclose(found.centroids / SCALE, centroids, atol=1e-6)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found.cosine, np.sum(unit * centroids[cluster], axis=1), atol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_planted_clusters_are_found_as_scikit_learn_finds_them(seed):
    rows, truth = planted(10 + seed)
    units = whole_units(rows)
    found = k_means(units, seeded_centroids(units, 6, seed), 50)
    assert found.converged and found.iterations < 50
    theirs = KMeans(6, n_init=5, random_state=0).fit_predict(units / SCALE)
    assert adjusted_rand_score(truth, found.cluster) == adjusted_rand_score(theirs, found.cluster) == 1


def test_sums_and_cosines_do_not_depend_on_blocks_or_order(monkeypatch):
    rows, _ = planted(4, noise=1.0)
    units = whole_units(rows)
    start = seeded_centroids(units, 9, seed=1)
    whole = nearest_centroids(units, start)
    monkeypatch.setattr(module, "BLOCK_CELLS", 63)
    order = np.random.default_rng(5).permutation(len(units))
    parts = nearest_centroids(units[order], start)
    assert parts[0].tobytes() == whole[0][order].tobytes() and parts[1].tobytes() == whole[1][order].tobytes()
    sums = member_sums(units, whole[0], 9)
    halves = [member_sums(units[rows], whole[0][rows], 9) for rows in (order[:50], order[50:])]
    assert np.array_equal(sums, halves[0] + halves[1])
    assert [sums[number].tolist() for number in range(9)] == [
        [sum(int(value) for value in column) for column in units[whole[0] == number].T] for number in range(9)
    ]


def test_a_cluster_without_members_keeps_its_centroid():
    before = whole_units(np.eye(3))
    sums = np.array([[0, 0, 0], [SCALE, SCALE, 0], [0, 0, 2 * SCALE]])
    after = moved_centroids(sums, before)
    assert after[0].tolist() == before[0].tolist() and after[2].tolist() == [0, 0, SCALE]
    assert after[1].tolist() == [round(SCALE / 2**0.5), round(SCALE / 2**0.5), 0]


def test_first_centroids_are_different_rows_and_follow_the_seed():
    units = whole_units(planted(6)[0])
    starts = [seeded_centroids(units, 20, seed) for seed in (1, 1, 2)]
    assert np.array_equal(starts[0], starts[1]) and not np.array_equal(starts[0], starts[2])
    assert len(np.unique(starts[0], axis=0)) == 20
    assert ((starts[0] @ starts[0].T) / ONE <= 1 + 1e-6).all()


def test_too_few_directions_are_an_error_that_says_how_many_there_are():
    rows = np.repeat(np.array([[1.0, 2, 3], [3, 2, 1]]), 5, axis=0) * np.arange(1, 11)[:, None]
    with pytest.raises(ValueError, match="only 2 different directions, fewer than 3"):
        seeded_centroids(whole_units(rows), 3, seed=1)
    with pytest.raises(ValueError, match="only 0 different directions"):
        seeded_centroids(np.empty((0, 3)), 1, seed=1)


def test_the_silhouette_is_that_of_scikit_learn():
    rows, truth = planted(7, noise=0.5)
    units = whole_units(rows)
    cluster = truth.astype(np.int32)
    cluster[0] = 17  # alone in its cluster
    assert silhouette(units, cluster) == pytest.approx(silhouette_score(rows, cluster, metric="cosine"), abs=1e-6)
    assert silhouette(units, np.zeros(len(units), np.int32)) is None
