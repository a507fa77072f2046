"""Combination of changes against a few lines of NumPy in float64."""

import itertools

import numpy as np
import pytest
from replicas import of_replicas

from w2vspark.kernels.combine import Changes, combine_changes, first_row_not_finite, merge_lanes

RULES = ["mean", "adasum"]


def adasum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Maleki et al. 2021, equation 1: parallel changes are averaged, orthogonal ones added."""
    if not a.any() or not b.any():
        return a + b
    return (1 - a @ b / (2 * a @ a)) * a + (1 - a @ b / (2 * b @ b)) * b


def combined(rule: str, changes: np.ndarray, updates: np.ndarray) -> np.ndarray:
    """One row's change from (replicas, columns) and the replicas' updates of it, over those that touched it."""
    level = [c.astype(float) for c, n in zip(changes, updates, strict=True) if n > 0]
    weights = [float(n) for n in updates if n > 0]
    if not level:
        return np.zeros(changes.shape[1])
    if rule == "mean":
        return np.average(level, axis=0, weights=weights)
    while len(level) > 1:  # neighbours in pairs; one without a partner goes up as it is
        level = [adasum(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def replicas_of(count: int, rows: int, columns: int, seed: int, touched: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    common = random.standard_normal((rows, columns))
    changes = (random.standard_normal((count, rows, columns)) + common).astype(np.float32)
    updates = (random.integers(1, 50, (count, rows)) * (random.random((count, rows)) < touched)).astype(np.int32)
    if touched < 1:
        updates[:, 0] = 0  # a row that no replica touched is always there
    return changes, updates


def old_rows(rows: int, stride: int) -> np.ndarray:
    return np.random.default_rng(99).integers(-1000, 1000, (rows, stride)).astype(np.float32) / np.float32(1024)


@pytest.mark.parametrize("columns, stride", [(1, 8), (10, 16), (16, 16)])
@pytest.mark.parametrize("replicas", range(1, 10))
@pytest.mark.parametrize("rule", RULES)
def test_each_row_moves_by_the_rules_combination_of_its_replicas(rule, replicas, columns, stride):
    changes, updates = replicas_of(replicas, 40, columns, seed=replicas)
    rows = old_rows(40, stride)
    before = rows.copy()
    combine_changes(rule, of_replicas(changes, updates), rows)
    for i in range(40):
        want = before[i, :columns] + combined(rule, changes[:, i], updates[:, i])
        np.testing.assert_allclose(rows[i, :columns], want, rtol=2e-7, atol=1e-7, err_msg=f"row {i}")
    assert (rows[:, columns:] == before[:, columns:]).all()


@pytest.mark.parametrize("rule", RULES)
def test_a_row_that_no_replica_touched_keeps_its_bytes(rule):
    changes, updates = replicas_of(3, 10, 8, seed=1, touched=1.0)
    updates[:, 4] = 0
    rows = old_rows(10, 8)
    before = rows.copy()
    combine_changes(rule, of_replicas(changes, updates), rows)
    assert rows[4].tobytes() == before[4].tobytes()
    assert (rows != before).any(axis=1).sum() == 9


@pytest.mark.parametrize("rule", RULES)
def test_a_replica_that_did_not_touch_a_row_does_not_weigh_on_it(rule):
    changes, updates = replicas_of(4, 10, 8, seed=2, touched=1.0)
    updates[1:] = 0
    rows = old_rows(10, 8)
    expected = (rows.astype(float) + changes[0]).astype(np.float32)
    combine_changes(rule, of_replicas(changes, updates), rows)
    assert rows.tobytes() == expected.tobytes()


@pytest.mark.parametrize("rule", RULES)
def test_changes_of_zero_leave_the_row_and_one_zero_among_them_gives_no_nan(rule):
    changes, updates = replicas_of(3, 10, 8, seed=3, touched=1.0)
    rows = old_rows(10, 8)
    before = rows.copy()
    combine_changes(rule, of_replicas(np.zeros_like(changes), updates), rows)
    assert rows.tobytes() == before.tobytes()
    changes[1] = 0
    combine_changes(rule, of_replicas(changes, updates), rows)
    for i in range(10):
        want = before[i] + combined(rule, changes[:, i], updates[:, i])
        np.testing.assert_allclose(rows[i], want, rtol=2e-7, atol=1e-7)


@pytest.mark.parametrize("replicas", [2, 4, 8])
def test_adasum_averages_equal_changes(replicas):
    changes, updates = replicas_of(1, 10, 8, seed=4, touched=1.0)
    rows = np.zeros((10, 8), np.float32)
    combine_changes("adasum", of_replicas(changes, updates) * replicas, rows)
    np.testing.assert_allclose(rows, changes[0], rtol=1e-7)


def test_adasum_averages_two_parallel_changes_of_unlike_length():
    change = np.random.default_rng(5).standard_normal((1, 10, 8)).astype(np.float32)
    rows = np.zeros((10, 8), np.float32)
    changes = of_replicas(np.concatenate([change, 4 * change]), np.array([[1] * 10, [9] * 10], np.int32))
    combine_changes("adasum", changes, rows)
    np.testing.assert_allclose(rows, 2.5 * change[0], rtol=1e-6)


@pytest.mark.parametrize("replicas", [2, 3, 5, 8])
def test_adasum_adds_orthogonal_changes(replicas):
    changes = np.zeros((replicas, 1, 8), np.float32)
    changes[range(replicas), 0, range(replicas)] = np.arange(1, replicas + 1)
    rows = np.zeros((1, 8), np.float32)
    combine_changes("adasum", of_replicas(changes, np.ones((replicas, 1), np.int32)), rows)
    assert rows[0].tolist() == [*range(1, replicas + 1), *[0] * (8 - replicas)]


def test_mean_is_weighted_by_updates():
    rows = np.zeros((1, 2), np.float32)
    changes = of_replicas(np.array([[[1, 0]], [[0, 8]]], np.float32), np.array([[3], [1]], np.int32))
    combine_changes("mean", changes, rows)
    assert rows.tolist() == [[0.75, 2.0]]


@pytest.mark.parametrize("rule", RULES)
def test_tiny_and_huge_changes_combine_to_finite_rows(rule):
    for scale in (1e-38, 1e-20, 1e20, 1e37):
        changes, updates = replicas_of(3, 5, 8, seed=6, touched=1.0)
        rows = np.zeros((5, 8), np.float32)
        combine_changes(rule, of_replicas(changes * np.float32(scale), updates), rows)
        assert np.isfinite(rows).all() and (np.abs(rows).max(axis=1) > 0).all(), scale


@pytest.mark.parametrize("rule", RULES)
def test_the_order_and_the_company_of_rows_do_not_matter(rule):
    changes, updates = replicas_of(5, 30, 12, seed=7)
    order = np.random.default_rng(7).permutation(30)
    whole, shuffled, alone = old_rows(30, 16), old_rows(30, 16)[order], old_rows(30, 16)
    combine_changes(rule, of_replicas(changes, updates), whole)
    combine_changes(rule, of_replicas(changes[:, order], updates[:, order]), shuffled)
    for i in range(30):
        part = alone[i : i + 1]
        combine_changes(rule, of_replicas(changes[:, i : i + 1], updates[:, i : i + 1]), part)
    assert shuffled.tobytes() == whole[order].tobytes()
    assert alone.tobytes() == whole.tobytes()


def lanes_of(replicas: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Base, lanes, lane_updates and changes, on a grid on which float32 differences are exact."""
    random = np.random.default_rng(seed)
    base = old_rows(30, 16)
    base[:, 12:] = 0
    _, updates = replicas_of(replicas, 30, 12, seed)
    changes = (random.integers(-500, 500, (replicas, 30, 16)) / 1024).astype(np.float32)
    changes[updates == 0] = 0
    changes[:, :, 12:] = 0
    return base, base + changes, updates, np.ascontiguousarray(changes[:, :, :12])


@pytest.mark.parametrize("replicas", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("rule", RULES)
def test_lanes_merge_to_the_bytes_that_shards_combine_to(rule, replicas):
    base, lanes, lane_updates, changes = lanes_of(replicas, seed=replicas)
    rows, updates, counted = base.copy(), np.arange(30, dtype=np.int32), lane_updates.copy()
    untouched = np.flatnonzero(lane_updates.sum(axis=0) == 0)
    kept = lanes[:, untouched].copy()
    combine_changes(rule, of_replicas(changes, lane_updates), rows)
    merge_lanes(rule, 0, 30, 12, base, lanes, lane_updates, updates)
    assert base.tobytes() == rows.tobytes()
    assert all(lane.tobytes() == base.tobytes() for lane in lanes), "lanes go on from the merged rows"
    assert (lanes[:, untouched] == kept).all()
    assert (updates == np.arange(30) + counted.sum(axis=0)).all()
    assert (lane_updates == 0).all()


@pytest.mark.parametrize("cuts", [[0, 30], [0, 1, 30], [0, 10, 10, 17, 30]], ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_merging_by_ranges_of_rows_gives_the_bytes_of_merging_at_once(rule, cuts):
    made = []
    for ranges in ([0, 30], cuts):
        base, lanes, lane_updates, _ = lanes_of(4, seed=8)
        updates = np.zeros(30, np.int32)
        for first, last in reversed(list(itertools.pairwise(ranges))):
            merge_lanes(rule, first, last, 12, base, lanes, lane_updates, updates)
        made.append([array.tobytes() for array in (base, lanes, lane_updates, updates)])
    assert made[0] == made[1]


def test_rows_outside_of_the_range_are_left_alone():
    base, lanes, lane_updates, _ = lanes_of(3, seed=9)
    before, lanes_before = base.copy(), lanes.copy()
    merge_lanes("adasum", 10, 20, 12, base, lanes, lane_updates, np.zeros(30, np.int32))
    outside = np.r_[0:10, 20:30]
    assert (base[outside] == before[outside]).all() and (lanes[:, outside] == lanes_before[:, outside]).all()
    assert (lane_updates[:, outside].sum() > 0) and (lane_updates[:, 10:20] == 0).all()
    assert (base[10:20] != before[10:20]).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_row_that_is_not_finite_is_found(bad):
    rows = old_rows(20, 9)
    assert first_row_not_finite(rows) == -1
    rows[17, 0] = bad
    assert first_row_not_finite(rows) == 17
    rows[3, 8] = bad
    assert first_row_not_finite(rows) == 3
    assert first_row_not_finite(rows[:0]) == -1


CHANGES_BAD = {
    "values of one dimension": (lambda t, u, v, r: (t, u, v[:, 0], r), "dimensions"),
    "values of float64": (lambda t, u, v, r: (t, u, v.astype(float), r), "float32"),
    "a row that was not updated": (lambda t, u, v, r: (t, u * (t != 3), v, r), "once or more"),
    "updates of int64": (lambda t, u, v, r: (t, u.astype(np.int64), v, r), "int32"),
    "too few updates": (lambda t, u, v, r: (t, u[:-1], v, r), "the same length"),
    "too few values": (lambda t, u, v, r: (t, u, v[:-1], r), "the same length"),
    "rows of float64": (lambda t, u, v, r: (t, u, v, r.astype(float)), "float32"),
    "rows that are too narrow": (lambda t, u, v, r: (t, u, v, r[:, :8]), "shapes do not fit"),
    "rows of one dimension": (lambda t, u, v, r: (t, u, v, np.zeros(30, np.float32)), "shapes do not fit"),
    "a row behind the last": (lambda t, u, v, r: (t, u, v, r[:-1]), "must rise within 0..28"),
    "a row before the first": (lambda t, u, v, r: (t - np.int32(1), u, v, r), "must rise within 0..29"),
    "a row twice": (lambda t, u, v, r: (np.maximum(t, 1), u, v, r), "must rise within 0..29"),
}


@pytest.mark.parametrize("change, message", CHANGES_BAD.values(), ids=CHANGES_BAD.keys())
def test_changes_that_do_not_fit_are_refused(change, message):
    first, second = of_replicas(*replicas_of(2, 30, 12, seed=1, touched=1.0))
    *changed, rows = change(*second, old_rows(30, 16))
    with pytest.raises(ValueError, match=message):
        combine_changes("adasum", [first, Changes(*changed)], rows)


LANES_BAD = {
    "base of float64": lambda b, ls, lu, u: (0, 30, 12, b.astype(float), ls, lu, u),
    "lanes of float64": lambda b, ls, lu, u: (0, 30, 12, b, ls.astype(float), lu, u),
    "lane updates of int64": lambda b, ls, lu, u: (0, 30, 12, b, ls, lu.astype(np.int64), u),
    "updates of int64": lambda b, ls, lu, u: (0, 30, 12, b, ls, lu, u.astype(np.int64)),
    "lanes of too few rows": lambda b, ls, lu, u: (0, 30, 12, b, ls[:, :-1], lu, u),
    "lanes of another stride": lambda b, ls, lu, u: (0, 30, 8, b, ls[:, :, :8], lu, u),
    "too few lane updates": lambda b, ls, lu, u: (0, 30, 12, b, ls, lu[:-1], u),
    "too few updates": lambda b, ls, lu, u: (0, 30, 12, b, ls, lu, u[:-1]),
    "a range behind the rows": lambda b, ls, lu, u: (0, 31, 12, b, ls, lu, u),
    "a range before the rows": lambda b, ls, lu, u: (-1, 30, 12, b, ls, lu, u),
    "a range that falls": lambda b, ls, lu, u: (20, 10, 12, b, ls, lu, u),
    "too many columns": lambda b, ls, lu, u: (0, 30, 17, b, ls, lu, u),
}


@pytest.mark.parametrize("change", LANES_BAD.values(), ids=LANES_BAD.keys())
def test_lanes_that_do_not_fit_are_refused(change):
    base, lanes, lane_updates, _ = lanes_of(3, seed=1)
    arguments = change(base, lanes, lane_updates, np.zeros(30, np.int32))
    with pytest.raises(ValueError):
        merge_lanes("adasum", *arguments)


@pytest.mark.parametrize("call", ["combine", "merge"])
def test_an_unknown_rule_is_refused(call):
    base, lanes, lane_updates, changes = lanes_of(2, seed=1)
    with pytest.raises((KeyError, ValueError), match="sum"):
        if call == "combine":
            combine_changes("sum", of_replicas(changes, lane_updates), base)
        else:
            merge_lanes("sum", 0, 30, 12, base, lanes, lane_updates, np.zeros(30, np.int32))


@pytest.mark.parametrize("columns, stride", [(1, 16), (10, 24), (16, 24)])
@pytest.mark.parametrize("rule", RULES)
def test_what_an_optimiser_keeps_with_a_row_is_added_up_over_all_replicas(rule, columns, stride):
    changes, updates = replicas_of(4, 30, columns + 1, seed=columns)
    changes[updates == 0] = 0
    touched = updates.any(axis=0)
    rows = old_rows(30, columns + 1)
    want = rows.astype(float)
    for i in range(30):
        want[i, :columns] += combined(rule, changes[:, i, :columns], updates[:, i])
    want[:, columns] += changes[:, :, columns].astype(float).sum(axis=0)
    base = np.zeros((30, stride), np.float32)
    base[:, :columns], base[:, stride - 8] = rows[:, :columns], rows[:, columns]
    lanes = np.stack([base] * 4)
    lanes[:, :, :columns] += changes[:, :, :columns]
    lanes[:, :, stride - 8] += changes[:, :, columns]
    combine_changes(rule, of_replicas(changes, updates), rows, state=1)
    np.testing.assert_allclose(rows, want, rtol=2e-7, atol=1e-7)
    merge_lanes(rule, 0, 30, columns, base, lanes, updates, np.zeros(30, np.int32), state=1)
    np.testing.assert_allclose(base[:, :columns], want[:, :columns], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(base[:, stride - 8], want[:, columns], rtol=2e-6, atol=2e-6)
    assert (lanes[:, touched] == base[touched]).all(), "every lane goes on from the merged rows"


def test_rows_without_room_for_the_state_are_refused():
    base = old_rows(3, 16)
    with pytest.raises(ValueError, match="no room for 1 floats of state after 10 columns"):
        merge_lanes("mean", 0, 3, 10, base, np.stack([base]), np.ones((1, 3), np.int32), np.zeros(3, np.int32), state=1)
