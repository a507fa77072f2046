"""The randomised SVD against NumPy's and scipy's, on matrices in staged tables, for any cut and order of the work."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from held import staging_of
from inline_session import InlineSession
from scipy import sparse
from scipy.linalg import subspace_angles
from scipy.sparse.linalg import svds

from w2vspark.base.errors import DamagedTable, TrainingError
from w2vspark.base.schemas import LEFT, RIGHT
from w2vspark.kernels.algebra.sparse_products import fill_products, folding_rows
from w2vspark.kernels.rows import aligned_rows, stride_of
from w2vspark.methods import lsa, ppmi_svd
from w2vspark.stages.parameters import scan_rows
from w2vspark.stages.sparse_rows import SparseBlock, block_entries, write_sparse_rows
from w2vspark.storage.listed import write_list
from w2vspark.training.svd import decomposition as svd
from w2vspark.training.svd import plan as svd_plan
from w2vspark.training.svd.decomposition import decompose
from w2vspark.training.svd.plan import SvdConfig, SvdJob, column_slices, resolved_svd, row_slices

WORKED = [[1, 1, 3, 6, 1], [5, 1, 8, 4, 2], [7, 9, 2, 1, 2]]
EXACT = SvdConfig(exponent=1.0, oversampling=10, power_iterations=4)


def stored(folder: Path, matrix: sparse.spmatrix, block_rows: int = 50) -> Path:
    """A table of sparse rows in two files."""
    matrix = sparse.csr_matrix(matrix, dtype=np.float32, copy=True)
    matrix.sort_indices()

    def blocks(first: int, last: int):
        for begin in range(first, last, block_rows):
            rows = matrix[begin : min(last, begin + block_rows)]
            yield SparseBlock(begin, rows.indptr[1:].astype(np.int64), rows.indices.astype(np.int32), rows.data)

    rows = matrix.shape[0]
    cuts = [(0, rows // 2), (rows // 2, rows)]
    files = [write_sparse_rows(str(folder), "m", first, blocks(first, last)).to_pylist()[0] for first, last in cuts]
    write_list(str(folder), files)
    return folder


def job_of(table: Path, shape: tuple[int, int], dimensions: int, settings: SvdConfig = EXACT) -> SvdJob:
    return SvdJob(
        matrix_uri=str(table), matrix="m", rows=shape[0], columns=shape[1], dimensions=dimensions,
        settings=settings, seed=1, cpu_target="avx2",
    )  # fmt: skip


class Found:
    """A decomposition that was made in a folder."""

    def __init__(self, folder: Path, job: SvdJob, session: object = None, name: str = "made") -> None:
        self.passes: list[int] = []
        staging = staging_of(folder / name)
        uri, values = decompose(
            session or InlineSession(), staging, "f", job, lambda done, of, record: self.passes.append(done)
        )
        self.values = np.array(values)
        self.left, self.right = (
            np.concatenate([block for _, block in scan_rows(uri, matrix, 0, rows, job.dimensions)])
            for matrix, rows in ((LEFT, job.rows), (RIGHT, job.columns))
        )
        self.bytes = self.left.tobytes() + self.right.tobytes() + self.values.tobytes()


def random_matrix(rows: int = 300, columns: int = 170, seed: int = 4) -> sparse.csr_matrix:
    """Empty rows and columns among others, of a spectrum that falls as that of words."""
    draw = np.random.default_rng(seed)
    topics = sparse.random(rows, 40, 0.15, "csr", random_state=draw) @ sparse.diags(np.geomspace(20, 1, 40))
    matrix = sparse.lil_matrix(topics @ sparse.random(40, columns, 0.2, "csr", random_state=draw))
    matrix[[0, 7, rows - 1]] = 0
    matrix[:, [3, columns - 1]] = 0
    return sparse.csr_matrix(matrix, dtype=np.float32)


def test_the_worked_matrix_has_numpys_singular_values_and_errors_by_eckart_and_young(tmp_path):
    matrix = np.array(WORKED, float)
    expected = np.linalg.svd(matrix, compute_uv=False)
    table = stored(tmp_path / "m", sparse.csr_matrix(matrix), 1)
    for rank in (1, 2, 3):
        found = Found(tmp_path, job_of(table, (3, 5), rank), name=f"rank-{rank}")
        np.testing.assert_allclose(found.values, expected[:rank], rtol=1e-5)
        rebuilt = found.left @ (found.right / found.values).T  # p = 1: U S, and V S
        error = np.linalg.norm(matrix - rebuilt)
        assert error == pytest.approx(np.sqrt((expected[rank:] ** 2).sum()), abs=1e-4)
    np.testing.assert_allclose(rebuilt, matrix, atol=1e-5)


def test_values_and_subspaces_are_scipys_on_a_sparse_matrix(tmp_path):
    matrix = random_matrix()
    found = Found(tmp_path, job_of(stored(tmp_path / "m", matrix), matrix.shape, 12))
    left, values, right = svds(matrix.astype(float), 12)
    np.testing.assert_allclose(found.values, values[::-1], rtol=1e-3)
    assert np.degrees(subspace_angles(found.left, left).max()) < 2
    assert np.degrees(subspace_angles(found.right, right.T).max()) < 2
    np.testing.assert_allclose(found.left.T @ found.left, np.diag(values[::-1] ** 2), atol=2e-3 * values[-1] ** 2)
    assert found.passes == [1, 2, 3, 4, 5, 6]  # the last one writes the vectors


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 0.3])
def test_vectors_are_scaled_by_the_exponent_and_their_largest_values_positive(tmp_path, exponent):
    matrix = random_matrix()
    table = stored(tmp_path / "m", matrix)
    found = Found(tmp_path, job_of(table, matrix.shape, 6, replace(EXACT, exponent=exponent)))
    np.testing.assert_allclose(np.linalg.norm(found.left, axis=0), found.values**exponent, rtol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(found.right, axis=0), found.values**exponent, rtol=1e-3)
    peaks = found.right[np.abs(found.right).argmax(axis=0), np.arange(6)]
    assert (peaks > 0).all()
    rebuilt = (found.left * found.values ** (1 - 2 * exponent)) @ found.right.T
    left, values, right = svds(matrix.astype(float), 6)
    np.testing.assert_allclose(rebuilt, left * values @ right, atol=1e-2 * np.abs(rebuilt).max())


def test_a_row_that_is_folded_in_gives_back_its_own_row_to_the_bit(tmp_path):
    matrix = random_matrix()
    found = Found(tmp_path, job_of(stored(tmp_path / "m", matrix), matrix.shape, 9, replace(EXACT, exponent=0.5)))
    folding = aligned_rows(matrix.shape[1], stride_of(9))
    folding[:, :9] = folding_rows(found.right, found.values)
    for number in (0, 5, 150, 299):
        row, out = matrix[number], np.empty((1, 9), np.float32)
        row.sort_indices()
        fill_products(np.array([row.nnz]), row.indices.astype(np.int32), row.data, folding, out)
        assert out[0].tobytes() == found.left[number].tobytes()


def test_empty_rows_and_columns_have_vectors_of_zeros(tmp_path):
    matrix = random_matrix()
    found = Found(tmp_path, job_of(stored(tmp_path / "m", matrix), matrix.shape, 9))
    assert not found.left[[0, 7, 299]].any() and not found.right[[3, 169]].any()
    assert found.left[1:7].any(axis=1).all()


@pytest.mark.parametrize(("rows", "columns"), [(1, 6), (6, 1), (1, 1)])
def test_a_matrix_of_one_row_or_column_has_one_singular_value(tmp_path, rows, columns):
    matrix = sparse.csr_matrix(np.arange(1, rows * columns + 1).reshape(rows, columns))
    table = stored(tmp_path / "m", matrix)
    found = Found(tmp_path, job_of(table, (rows, columns), 1))
    np.testing.assert_allclose(found.values, np.linalg.norm(matrix.toarray()), rtol=1e-6)
    np.testing.assert_allclose(found.left @ found.right.T / found.values, matrix.toarray(), rtol=1e-5)
    with pytest.raises(TrainingError, match=rf"{rows} rows and {columns} columns.*lower training.dimensions to 1$"):
        Found(tmp_path, job_of(table, (rows, columns), 2))


@pytest.mark.parametrize("iterations", [0, 3])
def test_more_dimensions_than_the_matrix_has_are_refused_with_its_rank(tmp_path, iterations):
    draw = np.random.default_rng(8)
    matrix = sparse.random(90, 5, 0.5, random_state=draw) @ sparse.random(5, 70, 0.5, random_state=draw)
    table = stored(tmp_path / "m", matrix)
    settings = replace(EXACT, power_iterations=iterations)
    with pytest.raises(TrainingError, match=r"has only 5 singular values.*lower training.dimensions to 5"):
        Found(tmp_path, job_of(table, (90, 70), 6, settings))
    found = Found(tmp_path, job_of(table, (90, 70), 5, settings), name="five")
    np.testing.assert_allclose(found.values, np.linalg.svd(matrix.toarray(), compute_uv=False)[:5], rtol=1e-3)


def test_a_matrix_of_zeros_is_refused(tmp_path):
    table = stored(tmp_path / "m", sparse.csr_matrix((20, 10)))
    for iterations in (0, 2):
        with pytest.raises(TrainingError, match=r"only 0 singular values.*give more text"):
            Found(tmp_path, job_of(table, (20, 10), 2, replace(EXACT, power_iterations=iterations)))


def test_order_slices_and_processes_change_no_bit(spark, tmp_path, monkeypatch):
    matrix = random_matrix(columns=9000)  # three blocks of dense rows
    settings = replace(EXACT, power_iterations=1)
    job = job_of(stored(tmp_path / "m", matrix, 20), matrix.shape, 9, settings)
    monkeypatch.setattr(svd_plan, "SLICE_ENTRIES", matrix.nnz // 6)
    monkeypatch.setattr(svd_plan, "REDUCER_BYTES", 1)
    expected = Found(tmp_path, job)
    assert len(row_slices(*block_entries(job.matrix_uri, "m"), 300)) > 4
    assert Found(tmp_path, job, spark, "spark").bytes == expected.bytes
    monkeypatch.setattr(svd_plan, "COLUMN_SLICE_BYTES", 2 * 4 * 9000 * 8)  # 8 columns at a time, where 19 are needed
    monkeypatch.setattr(svd, "LEFT_BYTES", 1000)  # and few rows of LEFT
    assert Found(tmp_path, job, name="column-slices").bytes == expected.bytes
    assert Found(tmp_path, job, name="again").bytes == expected.bytes


def test_a_decomposition_that_was_killed_goes_on_from_its_last_pass_to_the_same_bytes(tmp_path):
    matrix = random_matrix()
    job = job_of(stored(tmp_path / "m", matrix), matrix.shape, 9)
    whole = Found(tmp_path, job)

    def killed(done: int, of: int, record: object) -> None:
        if done == stop:
            raise KeyboardInterrupt

    for stop in (1, 3, 5):
        output = tmp_path / f"killed-{stop}"
        with pytest.raises(KeyboardInterrupt):
            decompose(InlineSession(), staging_of(output), "f", job, killed)
        resumed = Found(tmp_path, job, name=output.name)
        assert resumed.passes == list(range(stop + 1, 7))
        assert resumed.bytes == whole.bytes


def test_the_result_is_whole_by_its_own_record_so_that_clean_leaves_it(tmp_path):
    matrix = random_matrix()
    job = job_of(stored(tmp_path / "m", matrix), matrix.shape, 9)
    whole = Found(tmp_path, job)
    staging = staging_of(tmp_path / "made")
    assert staging.unfinished() == []
    again = Found(tmp_path, job)
    assert (again.passes, again.bytes) == ([], whole.bytes)


@pytest.mark.parametrize("kind", ["partial", "sums", "basis", "transform"])
def test_a_flipped_bit_is_an_error_and_a_run_goes_on_to_the_same_bytes(kind, tmp_path, monkeypatch):
    matrix = random_matrix()
    job = job_of(stored(tmp_path / "m", matrix), matrix.shape, 9)
    whole = Found(tmp_path, job)
    patterns = {"partial": "partial/0*.arrow", "sums": "partial/sums-*", "basis": "basis-*.parquet"}
    flipped: list[Path] = []

    def flip_one() -> None:
        flipped.append(min((tmp_path / "damaged/staging/svd/f/000002").glob(f"*/{patterns.get(kind, '_transform')}")))
        content = bytearray(flipped[0].read_bytes())
        content[len(content) // 2] ^= 4
        flipped[0].write_bytes(content)

    def damage_before(name: str) -> None:
        real = getattr(svd, name)

        def damaged(rows: object, job: svd_plan.PassJob) -> object:
            if job.number == 2 and not flipped:
                flip_one()
            return real(rows, job)

        monkeypatch.setattr(svd, name, damaged)

    def after(done: int, of: int, record: object) -> None:
        if done == 2 and kind in ("basis", "transform"):
            flip_one()

    if kind in ("partial", "sums"):
        damage_before({"partial": "sum_slices", "sums": "_finish"}[kind])
    staging = staging_of(tmp_path / "damaged")
    with pytest.raises(DamagedTable) as damage:
        decompose(InlineSession(), staging, "f", job, after)
    assert str(damage.value).startswith(f"{flipped[0].parent if kind == 'basis' else flipped[0]}: ")
    assert staging.record("svd/f", "000003") is None
    found = staging.damaged(damage.value)
    assert found is not None
    staging.discard_attempt(found)
    monkeypatch.undo()
    resumed = Found(tmp_path, job, name="damaged")
    assert resumed.passes == ([2, 3, 4, 5, 6] if kind in ("partial", "sums") else [1, 2, 3, 4, 5, 6])
    assert resumed.bytes == whole.bytes


def test_another_seed_gives_other_bits_and_the_same_values(tmp_path):
    matrix = random_matrix()
    table = stored(tmp_path / "m", matrix)
    one = Found(tmp_path, job_of(table, matrix.shape, 5))
    other = Found(tmp_path, replace(job_of(table, matrix.shape, 5), seed=2), name="other")
    assert one.bytes != other.bytes
    np.testing.assert_allclose(one.values, other.values, rtol=1e-4)


def test_slices_follow_the_matrix():
    firsts, entries = np.arange(0, 100, 10), np.full(10, 4_000_000)
    assert row_slices(firsts, entries, 100) == ((0, 20), (20, 40), (40, 60), (60, 80), (80, 100))
    assert row_slices(firsts, entries, 100, least=50) == tuple((row, row + 10) for row in range(0, 100, 10))
    assert row_slices(np.array([0]), np.array([0]), 7) == ((0, 7),)
    assert column_slices(68_000, 120, 2) == ((0, 120),)
    assert column_slices(3_000_000, 120, 2) == ((0, 40), (40, 80), (80, 120))
    assert column_slices(10**9, 12, 2) == ((0, 8), (8, 12))


def test_auto_follows_the_method_and_given_settings_stay():
    for exponent in (ppmi_svd.EXPONENT, lsa.EXPONENT):
        found = resolved_svd(100, SvdConfig(exponent=0.25), exponent)
        assert found.exponent == 0.25 and found.oversampling > 0 and found.power_iterations > 0
    assert resolved_svd(100, SvdConfig(), ppmi_svd.EXPONENT).exponent == 0.5


def test_values_beyond_float32_are_told(tmp_path):
    matrix = random_matrix()
    matrix.data[0] = 1e30  # its square is too large
    message = r"not finite: the matrix 'm' of \S+/m has values whose products are too large for float32"
    with pytest.raises(TrainingError, match=message):
        Found(tmp_path, job_of(stored(tmp_path / "m", matrix), matrix.shape, 3))
