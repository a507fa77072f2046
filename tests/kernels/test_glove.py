"""GloVe's kernel against plain Python in float64, and its gradients by finite differences."""

import math

import numpy as np
import pytest
from numba import njit

from w2vspark.kernels.glove import records as glove
from w2vspark.kernels.glove.records import CONTEXTS, RUN, WORDS, Objective, make_records, make_rows, put_rows, take_rows
from w2vspark.kernels.glove.simd import weigh_counts
from w2vspark.kernels.instructions import SIMD_WIDTH

DIMENSIONS = [1, 6, 7, 8, 13, 100]
Blocks = list[tuple[np.ndarray, np.ndarray, np.ndarray]]


@njit
def weigh(counts, logs, weights, log_max, alpha):
    weigh_counts(counts, 0, logs, weights, 0, log_max, alpha)


def tables(random: np.random.Generator, words: int, contexts: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows as a table has them: vectors and biases, then sums of squares from 1 on."""
    found = []
    for rows in (words, contexts):
        table = random.standard_normal((rows, 2 * (dimensions + 1))).astype(np.float32)
        table[:, dimensions + 1 :] = 1 + np.abs(table[:, dimensions + 1 :])
        found.append(table)
    return found[0], found[1]


def in_memory(words: np.ndarray, contexts: np.ndarray, dimensions: int) -> list[np.ndarray]:
    found = []
    for side, table in ((WORDS, words), (CONTEXTS, contexts)):
        rows = make_rows(len(table), dimensions)
        put_rows(table, side, dimensions, rows)
        found.append(rows)
    return found


def sparse(random: np.random.Generator, rows: int, columns: int, share: float) -> tuple[Blocks, list]:
    """Counts in two blocks, and as (row, column, count)."""
    held = random.random((rows, columns)) < share
    held[1] = False  # a word that never co-occurs
    entries = [
        (int(row), int(column), float(np.float32(random.uniform(0.05, 30)))) for row, column in np.argwhere(held)
    ]
    blocks = []
    for first, last in ((0, rows // 2), (rows // 2, rows)):
        of_block = [entry for entry in entries if first <= entry[0] < last]
        sizes = [sum(entry[0] == row for entry in of_block) for row in range(first, last)]
        columns_of = np.array([entry[1] for entry in of_block], np.int32)
        blocks.append((np.cumsum(sizes), columns_of, np.array([entry[2] for entry in of_block], np.float32)))
    return blocks, entries


def trained_by_hand(words, contexts, entries, objective: Objective) -> float:
    """The authors' AdaGrad in float64, in place, record by record; the sum of the losses."""
    n, loss = objective.dimensions, 0.0
    for row, column, count in entries:
        w, c = words[row], contexts[column]
        weight = min(1.0, (count / objective.x_max) ** objective.alpha)
        error = float(w[:n] @ c[:n] + w[n] + c[n] - math.log(count))
        loss += weight * error**2
        step = objective.rate * weight * error
        gradients = [np.append(step * other[:n], step) for other in (c, w)]
        for own, gradient in zip((w, c), gradients, strict=True):
            own[: n + 1] -= gradient / np.sqrt(own[n + 1 :])
            own[n + 1 :] += gradient * gradient
    return loss


def test_logs_and_weights_are_those_of_the_paper():
    counts = np.array([1e-30, 0.05, 0.7071067, 1.0, 1.4142137, 9.999, 10.0, 3e30], np.float32)
    logs, weights = np.empty(8, np.float32), np.empty(8, np.float32)
    weigh(np.full(8, 10, np.float32), logs, weights, np.float32(0), np.float32(0))
    weigh(counts, logs, weights, logs[0].copy(), np.float32(0.75))
    exact = counts.astype(np.float64)
    np.testing.assert_allclose(logs, np.log(exact), rtol=2e-7, atol=1e-9)
    np.testing.assert_allclose(weights, np.minimum(1, (exact / 10) ** 0.75), rtol=5e-6)
    assert logs[3] == 0 and (weights[6:] == 1).all()


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_a_step_follows_the_finite_differences_of_the_loss(dimensions):
    random = np.random.default_rng(dimensions)
    words, contexts = tables(random, 1, 1, dimensions)
    count, objective = 3.5, Objective(10.0, 0.75, 1e-2, dimensions)
    values = dimensions + 1

    def loss(w: np.ndarray, c: np.ndarray) -> float:
        error = w[:dimensions] @ c[:dimensions] + w[dimensions] + c[dimensions] - math.log(count)
        return float((count / objective.x_max) ** objective.alpha * error**2)

    w, c = words[0].astype(np.float64), contexts[0].astype(np.float64)
    expected = []
    for moved in (w, c):
        gradient = np.empty(values)
        for i in range(values):
            kept = moved[i]
            moved[i] = kept + 1e-6
            above = loss(w, c)
            moved[i] = kept - 1e-6
            gradient[i] = (above - loss(w, c)) / 2e-6
            moved[i] = kept
        expected.append(-objective.rate * gradient / 2 / np.sqrt(moved[values:]))  # the authors' step is half of it
    rows = in_memory(words, contexts, dimensions)
    found = glove.train_records(
        *rows, make_records([(np.array([1]), np.array([0], np.int32), np.array([count], np.float32))]), objective, 5
    )
    assert found == pytest.approx(loss(w, c), rel=1e-4)
    for side, (table, change) in enumerate(zip((words, contexts), expected, strict=True)):
        new = take_rows(rows[side], side, dimensions)
        np.testing.assert_allclose(new[0, :values] - table[0, :values], change, rtol=2e-3, atol=3e-7)


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_training_is_that_of_plain_python_in_the_order_of_the_runs(dimensions):
    random = np.random.default_rng(7)
    words, contexts = tables(random, 12, 90, dimensions)
    words, contexts = words / np.float32(dimensions), contexts / np.float32(dimensions)
    for table in (words, contexts):
        table[:, dimensions + 1 :] = 1
    blocks, entries = sparse(random, 12, 90, 0.6)
    objective = Objective(10.0, 0.75, 0.05, dimensions)
    records = make_records(blocks)
    rows = in_memory(words, contexts, dimensions)
    loss = glove.train_records(*rows, records, objective, 99)
    order = np.empty(records.rows.size, np.int32)
    glove._shuffle(order, np.uint64(99))
    assert sorted(order.tolist()) == list(range(order.size)) != order.tolist()
    in_order = [entries[at] for run in order for at in range(records.starts[run], records.ends[run])]
    by_hand = [words.astype(np.float64), contexts.astype(np.float64)]
    assert loss == pytest.approx(trained_by_hand(*by_hand, in_order, objective), rel=1e-4)
    for side, table in enumerate(by_hand):
        np.testing.assert_allclose(take_rows(rows[side], side, dimensions), table, rtol=2e-4, atol=2e-5)


def test_the_loss_falls_and_another_stream_is_another_order():
    random = np.random.default_rng(3)
    words, contexts = (np.empty((n, glove.row_width(10)), np.float32) for n in (12, 90))
    for side, table in enumerate((words, contexts)):
        glove.fill_initial(1, side, 0, 10, table)
    records = make_records(sparse(random, 12, 90, 0.6)[0])
    objective = Objective(10.0, 0.75, 0.05, 10)
    rows, other = in_memory(words, contexts, 10), in_memory(words, contexts, 10)
    losses = [glove.train_records(*rows, records, objective, epoch) for epoch in range(20)]
    assert losses == sorted(losses, reverse=True) and losses[-1] < losses[0] / 3
    glove.train_records(*other, records, objective, 1)
    again = in_memory(words, contexts, 10)
    glove.train_records(*again, records, objective, 0)
    assert not np.array_equal(other[0], again[0])


def test_records_are_cut_into_runs_of_one_row():
    random = np.random.default_rng(5)
    blocks, entries = sparse(random, 9, 200, 0.5)
    records = make_records(blocks)
    found = []
    for row, start, end in zip(records.rows.tolist(), records.starts.tolist(), records.ends.tolist(), strict=True):
        assert 0 < end - start <= RUN
        found += [(row, int(records.columns[at]), float(records.counts[at])) for at in range(start, end)]
    assert found == entries and records.counts.size == len(entries) + SIMD_WIDTH
    assert make_records([]).rows.size == 0


@pytest.mark.parametrize("dimensions", DIMENSIONS)
def test_rows_come_out_of_memory_as_they_went_in(dimensions):
    table, _ = tables(np.random.default_rng(1), 5, 1, dimensions)
    for side in (WORDS, CONTEXTS):
        rows = make_rows(5, dimensions)
        put_rows(table, side, dimensions, rows)
        assert np.array_equal(take_rows(rows, side, dimensions), table)
    assert table.shape[1] == glove.row_width(dimensions)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"words": np.zeros((2, 16), np.float64)}, "float32 rows of 16 floats"),
        ({"contexts": np.zeros((2, 24), np.float32)}, "float32 rows of 16 floats"),
        ({"columns": np.array([0, 2], np.int32)}, "not one of 2 words and 2 contexts"),
        ({"columns": np.array([0, -1], np.int32)}, "not one of 2 words and 2 contexts"),
        ({"rows": np.array([2], np.int32)}, "not one of 2 words and 2 contexts"),
        ({"rows": np.array([0], np.int64)}, "expected records of int32"),
        ({"counts": np.zeros(2 + SIMD_WIDTH, np.float32)}, "counts above 0"),
        ({"counts": np.ones(2, np.float32)}, "counts above 0"),
        ({"ends": np.array([3])}, "not within the 2 records"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    records = make_records([(np.array([2, 2]), np.array([0, 1], np.int32), np.ones(2, np.float32))])
    rows = {"words": make_rows(2, 3), "contexts": make_rows(2, 3)}
    objective = Objective(10.0, 0.75, 0.05, 3)
    glove.train_records(*rows.values(), records, objective, 1)
    rows |= {name: value for name, value in change.items() if name in rows}
    records = records._replace(**{name: value for name, value in change.items() if name not in rows})
    with pytest.raises(ValueError, match=message):
        glove.train_records(*rows.values(), records, objective, 1)
