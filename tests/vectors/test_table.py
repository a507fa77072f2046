from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outputs import declare

from w2vspark.base.errors import OutputError
from w2vspark.vectors import WordVectors, load_vectors


def test_a_published_table_is_read_by_id_whatever_the_order_of_files_and_rows(vectors, publish):
    order = np.random.default_rng(3).permutation(len(vectors.words)).tolist()
    read = load_vectors(str(publish(vectors, order=order)))
    assert read.words == vectors.words
    assert read.counts.dtype == np.int64 and np.array_equal(read.counts, vectors.counts)
    assert read.matrix.dtype == np.float32 and read.matrix.flags.c_contiguous
    assert read.matrix.tobytes() == vectors.matrix.tobytes()
    assert read.dimensions == 24
    assert all(read.index[word] == row for row, word in enumerate(vectors.words))


def test_a_version_folder_and_a_table_folder_work_too(vectors, publish):
    version = publish(vectors) / "versions" / "000001"
    assert load_vectors(str(version)).words == vectors.words
    assert load_vectors(str(version / "vectors")).words == vectors.words
    assert load_vectors(f"file://{version}").words == vectors.words


def test_the_context_table_is_read_by_its_name(vectors, publish):
    output = publish(vectors, tables=("vectors",))
    with pytest.raises(OutputError, match="context"):
        load_vectors(str(output), "context")
    context = output / "versions" / "000001" / "context"
    context.mkdir()
    rows = {"id": pa.array([1, 0], pa.int32()), "word": ["b", "a"], "count": [1, 2]}
    pq.write_table(
        pa.table(rows | {"vector": pa.array([[3, 4], [1, 2]], pa.list_(pa.float32()))}), context / "p.parquet"
    )
    declare(output, "000001", {"vectors": 500, "context": 2})
    read = load_vectors(str(output), "context")
    assert read.words == ["a", "b"] and read.counts.tolist() == [2, 1] and read.matrix.tolist() == [[1, 2], [3, 4]]


def test_a_folder_without_a_published_model_is_one_clear_error(tmp_path: Path):
    for place in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OutputError) as error:
            load_vectors(str(place))
        assert str(place) in str(error.value)


FLOATS = pa.list_(pa.float32())
GOOD = {
    "id": pa.array([0, 1], pa.int32()),
    "word": pa.array(["a", "b"]),
    "count": pa.array([2, 1], pa.int64()),
    "vector": pa.array([[1, 2], [3, 4]], FLOATS),
}


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("id", pa.array([0, 0], pa.int32()), "ids"),
        ("id", pa.array([0, 2], pa.int32()), "ids"),
        ("id", pa.array([-1, 0], pa.int32()), "ids"),
        ("id", pa.array([0, None], pa.int32()), "null"),
        ("word", pa.array(["a", None]), "null"),
        ("count", pa.array([2, None], pa.int64()), "null"),
        ("vector", pa.array([[1, 2], [3]], FLOATS), "length"),
        ("vector", pa.array([[1, 2], None], FLOATS), "null"),
        ("vector", pa.array([[1, 2], [3, None]], FLOATS), "null"),
        ("vector", pa.array([[], []], FLOATS), "empty"),
        ("vector", pa.array([[1, 2], [3, 4]], pa.list_(pa.float64())), r"expected .* list<float>, got list<.*double>"),
        ("count", None, "count"),
    ],
)
def test_a_damaged_table_is_refused_with_what_is_wrong(tmp_path: Path, column, values, message):
    columns = {name: good for name, good in GOOD.items() if name != column}
    if values is not None:
        columns[column] = values
    pq.write_table(pa.table(columns), tmp_path / "part-0.parquet")
    with pytest.raises(OutputError, match=message):
        load_vectors(str(tmp_path))


def test_files_with_vectors_of_different_lengths_are_refused(tmp_path: Path):
    one = pa.table({name: good.slice(0, 1) for name, good in GOOD.items()})
    other = one.set_column(0, "id", pa.array([1], pa.int32())).set_column(3, "vector", pa.array([[1, 2, 3]], FLOATS))
    pq.write_table(one, tmp_path / "part-0.parquet")
    pq.write_table(other, tmp_path / "part-1.parquet")
    with pytest.raises(OutputError, match="3 values where others have 2"):
        load_vectors(str(tmp_path))


def test_an_empty_table_is_refused(tmp_path: Path):
    pq.write_table(pa.table(GOOD).slice(0, 0), tmp_path / "part-0.parquet")
    with pytest.raises(OutputError, match="0 rows"):
        load_vectors(str(tmp_path))


def test_unit_rows_have_length_one_and_a_zero_row_stays_zero():
    vectors = WordVectors(["a", "b"], np.array([2, 1]), np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert vectors.unit.dtype == np.float32
    assert np.allclose(vectors.unit, [[0.6, 0.8], [0, 0]])
    assert vectors.unit is vectors.unit
    assert vectors.matrix.tolist() == [[3, 4], [0, 0]]
