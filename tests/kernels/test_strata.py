import numpy as np
import pytest

from w2vspark.kernels.glove.strata import deal_columns


@pytest.mark.parametrize("classes", [1, 2, 3, 8, 50])
def test_columns_are_dealt_like_cards_and_stay_in_order(classes):
    random = np.random.default_rng(classes)
    rows = [sorted(random.choice(40, random.integers(0, 20), replace=False).tolist()) for _ in range(15)]
    ends = np.cumsum([len(row) for row in rows])
    columns = np.array([column for row in rows for column in row], np.int32)
    values = random.random(columns.size).astype(np.float32)
    dealt = deal_columns(ends, columns, values, classes)
    assert len(dealt) == classes
    for number, (of_class, found, its_values) in enumerate(dealt):
        mine = columns % classes == number
        assert found.tolist() == (columns[mine] // classes).tolist()
        assert its_values.tolist() == values[mine].tolist()
        sizes = [sum(column % classes == number for column in row) for row in rows]
        assert np.diff(of_class, prepend=0).tolist() == sizes
        assert (of_class.dtype, found.dtype, its_values.dtype) == (np.int64, np.int32, np.float32)


@pytest.mark.parametrize(
    ("ends", "columns", "message"),
    [
        ([3], [0, 1], "rise to 2"),
        ([2, 1], [0], "rise to 1"),
        ([2], [0, -1], "column -1 is negative"),
    ],
)
def test_what_does_not_fit_is_refused(ends, columns, message):
    columns = np.array(columns, np.int32)
    with pytest.raises(ValueError, match=message):
        deal_columns(np.array(ends), columns, np.ones(columns.size, np.float32), 2)
    with pytest.raises(ValueError, match="expected int64 ends"):
        deal_columns(np.array([1]), np.array([0], np.int64), np.ones(1, np.float32), 2)
