"""The rotation against SciPy's orthogonal Procrustes, and figures that depend on no batch or partition."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.linalg import orthogonal_procrustes

from w2vspark.stages import movement as module
from w2vspark.stages.movement import add_batches, movement, rotation, sum_batches

WORDS, DIMENSIONS = 500, 6


@pytest.fixture
def rows() -> pa.Table:
    random = np.random.default_rng(3)
    old = random.standard_normal((WORDS, DIMENSIONS)).astype(np.float32)
    turn, _ = np.linalg.qr(random.standard_normal((DIMENSIONS, DIMENSIONS)))
    new = (old @ turn + 0.1 * random.standard_normal(old.shape)).astype(np.float32)
    names = [f"w{i}" for i in range(WORDS)]
    columns = [np.arange(WORDS, dtype=np.int32), names, np.arange(WORDS, 0, -1), old.tolist(), new.tolist()]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, module._PAIRS, strict=True)]
    return pa.Table.from_arrays(arrays, schema=module._PAIRS)


def matrices(rows: pa.Table) -> tuple[np.ndarray, np.ndarray]:
    old, new = (np.array(rows[name].to_pylist()) for name in ("old", "new"))
    return old, new


def test_the_rotation_and_the_figures_are_scipys(spark, rows, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    columns = "id int, word string, count bigint, old array<float>, new array<float>"
    frame = spark.createDataFrame(rows.to_pylist(), columns).repartitionByRange(3, "id").sortWithinPartitions("id")
    old, new = matrices(rows)
    turn = rotation(frame)
    np.testing.assert_allclose(turn, orthogonal_procrustes(old, new)[0], atol=1e-9)
    found = {row["id"]: row for row in movement(frame, turn).to_frame().collect()}
    turned = old @ turn
    for i in (0, 7, 499):
        cosine = turned[i] @ new[i] / np.linalg.norm(turned[i]) / np.linalg.norm(new[i])
        assert found[i]["cosine"] == pytest.approx(cosine, abs=2e-6)
        assert found[i]["distance"] == pytest.approx(np.linalg.norm(turned[i] - new[i]), abs=2e-6)


@pytest.mark.parametrize("size", [1, 7, 64, 100, 500])
def test_a_blocks_sum_depends_on_no_batch(size, rows, monkeypatch):
    monkeypatch.setattr(module, "BLOCK_ROWS", 64)
    whole = list(sum_batches(iter(rows.combine_chunks().to_batches())))
    cut = list(sum_batches(iter(rows.combine_chunks().to_batches(size))))
    assert [batch.to_pylist() for batch in cut] == [batch.to_pylist() for batch in whole]
    assert [batch["block"][0].as_py() for batch in whole] == list(range(8))
    (total,) = add_batches(iter(whole))
    old, new = matrices(rows)
    found = np.frombuffer(total["sums"][0].as_buffer(), np.float64).reshape(DIMENSIONS, DIMENSIONS)
    np.testing.assert_allclose(found, old.T @ new, rtol=1e-9)
    assert list(add_batches(iter([]))) == []
