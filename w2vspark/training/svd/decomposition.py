"""The driver's side of the randomised SVD (Halko, Martinsson & Tropp 2011): a pass over the matrix is one Spark query.

A is the sparse matrix, and W is a dense matrix with some hundred columns. A pass computes Y = A W and Z = A^T Y. Before
the next pass, W becomes Z T. T comes from Z^T Z alone, and makes the columns of Z T orthonormal.

The last pass also computes W^T Z = Y^T Y. T from this matrix makes the columns of Q = Y T orthonormal, and
Q^T A = (Z T)^T. P and S**2 are the eigenvectors and eigenvalues of (Z T)^T (Z T), and A's right singular vectors are
V = Z T P S**-1. So the driver handles only square matrices, with a row for each column of W.

RIGHT is V S**p, and LEFT is A (V S**(p - 1)) = U S**p. So folding in a row of A gives its own row of LEFT. The files
of a pass are its checkpoint.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from pyspark.sql import DataFrame, SparkSession

from w2vspark import storage
from w2vspark.base import cpu_target
from w2vspark.base.errors import DamagedTable, TrainingError
from w2vspark.base.schemas import LEFT, PARAMETER_FILES, PARTIAL_FILES, PASS_FILES, RIGHT
from w2vspark.output.staging import Staged, Staging
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import write_listed
from w2vspark.spark.worker_errors import worker_errors
from w2vspark.stages.sparse_rows import block_entries
from w2vspark.storage import sealed
from w2vspark.training.rounds import Record, RoundDone, go_on
from w2vspark.training.svd.plan import LEFT_BYTES, PassJob, SvdJob, column_slices, reducer_count, row_slices
from w2vspark.training.svd.tasks import find_peaks, multiply_slices, sum_slices, write_vectors

# Squared lengths below these shares of the largest one are lost in float32. LOST is for what a direction of Z adds to
# the earlier ones, where keeping some rounding errors does no harm. LOST_AT_LAST is for Y, and keeps singular values
# down to a thousandth of the largest.
LOST, LOST_AT_LAST = 1e-12, 1e-6
_TRANSFORM = "_transform"


@dataclass(frozen=True, slots=True)
class Pass:
    """A pass over the matrix. One step more, after the last pass, writes the vectors."""

    number: int


def decompose(
    session: SparkSession, staging: Staging, fingerprint: str, job: SvdJob, done: RoundDone
) -> tuple[str, list[float]]:
    """Run the passes that have no checkpoint yet; returns the table with LEFT and RIGHT, and the singular values.

    The largest singular value comes first. In each column of RIGHT, the value farthest from 0 is positive. done: as for
    rounds.go_on. Raises TrainingError if float32 can tell fewer than `dimensions` singular values from 0.
    """
    _check_shape(job)
    first = _first_pass(job)

    def run(todo: Pass, last: Staged | None, uri: str) -> Record:
        of_pass = _next_pass(first, uri, todo.number, last)
        if last is not None and todo.number > job.passes:
            _write_vectors(session, of_pass, last.record)
            return {"singular_values": last.record["singular_values"]}
        record = _finish(write_listed(pass_frame(session, of_pass), uri), of_pass)
        staging.delete_files(of_pass.partial_uri)
        return record

    passes = [Pass(number) for number in range(1, job.passes + 2)]
    last, _ = go_on(staging, f"svd/{fingerprint}", passes, run, done, kept=1)
    return last.uri, last.record["singular_values"]


def pass_frame(session: SparkSession, job: PassJob) -> DataFrame:
    """One pass as a lazy frame of PASS_FILES. A task multiplies one slice of rows; reducers add up the products."""
    numbers = session.range(0, len(job.row_slices), 1, len(job.row_slices))
    files = numbers.mapInArrow(partial(multiply_slices, job=job), spark_schema(PARTIAL_FILES))
    placed = files.repartition(job.reducers, "key")
    return placed.mapInArrow(partial(sum_slices, job=job), spark_schema(PASS_FILES))


def _check_shape(job: SvdJob) -> None:
    least = min(job.rows, job.columns)
    if job.dimensions > least:
        raise TrainingError(
            f"training.dimensions = {job.dimensions}: the matrix {job.matrix!r} has {job.rows} rows and {job.columns} "
            f"columns, and no more than {least} singular values; lower training.dimensions to {least}"
        )


def _first_pass(job: SvdJob) -> PassJob:
    """The first pass. It has the cut of the matrix, which is the same in all passes."""
    slices = row_slices(*block_entries(job.matrix_uri, job.matrix), job.rows)
    first = PassJob(
        of=job, number=1, basis_uri="", transform_uri="", width=job.width, row_slices=slices,
        column_slices=column_slices(job.columns, job.width, 2), reducers=1, table_uri="", partial_uri="",
    )  # fmt: skip
    return replace(first, reducers=reducer_count(first.shape))


def _next_pass(first: PassJob, uri: str, number: int, done: Staged | None) -> PassJob:
    """The pass after the one that is done. uri: of its own table."""
    job = replace(first, number=number, table_uri=uri, partial_uri=storage.join(uri, "partial"))
    if done is None:
        return job
    width = done.record["width"]
    slices, transform = column_slices(job.of.columns, width, 2), storage.join(done.uri, _TRANSFORM)
    return replace(job, basis_uri=done.uri, transform_uri=transform, width=width, column_slices=slices)


def _finish(written: list[dict[str, Any]], job: PassJob) -> dict[str, Any]:
    """Write the transform that makes the next dense matrix from a pass's result; returns the pass's record.

    written: rows of PASS_FILES. The last pass's transform makes V from Z, and its record has the singular values.
    """
    cpu_target.pin(job.of.cpu_target)
    from w2vspark.kernels.algebra.small_matrices import orthonormalizer

    written = sorted(written, key=lambda row: int(row["first_id"]))
    rows = sum(row["rows"] for row in written)
    if rows != job.of.columns:
        raise DamagedTable(f"{job.table_uri}: expected {job.of.columns} rows, got {rows}")
    sums = np.zeros((2 if job.number == job.of.passes else 1, job.width, job.width))
    for row in written:
        sums += sealed.read_sealed(row["sums"], np.float64).reshape(sums.shape)
    if len(sums) == 1:
        transform = orthonormalizer(sums[0], LOST)
        if transform.shape[1] < job.of.dimensions:
            raise _too_few(job.of, transform.shape[1])
        found = {"width": transform.shape[1]}
    else:
        transform, values = right_vectors(sums[0], sums[1], job.of)
        found = {"width": job.of.dimensions, "singular_values": values.tolist()}
    sealed.write_sealed(storage.join(job.table_uri, _TRANSFORM), transform)
    return found


def right_vectors(gram: np.ndarray, cross: np.ndarray, job: SvdJob) -> tuple[np.ndarray, np.ndarray]:
    """The transform from Z to A's right singular vectors, float64 (width, dimensions), and the singular values.

    gram: Z^T Z, cross: W^T Z = Y^T Y; float64 (width, width). Raises TrainingError as decompose does.
    """
    from w2vspark.kernels.algebra.small_matrices import eigenvalues, multiply, orthonormalizer

    transform = orthonormalizer((cross + cross.T) / 2.0, LOST_AT_LAST)
    if not transform.shape[1]:
        raise _too_few(job, 0)
    of_gram, projected = np.zeros_like(transform), np.zeros((transform.shape[1],) * 2)
    multiply(gram, transform, of_gram)
    multiply(np.ascontiguousarray(transform.T), of_gram, projected)
    squares, vectors = eigenvalues((projected + projected.T) / 2.0)
    rank = int((squares > LOST_AT_LAST * squares[0]).sum()) if squares[0] > 0.0 else 0
    if rank < job.dimensions:
        raise _too_few(job, rank)
    values = np.sqrt(squares[: job.dimensions])
    found = np.zeros((len(gram), job.dimensions))
    multiply(transform, np.ascontiguousarray(vectors[:, : job.dimensions]), found)
    return found / values, values


def _too_few(job: SvdJob, rank: int) -> TrainingError:
    fix = f"lower training.dimensions to {rank}, or give more text" if rank else "give more text"
    return TrainingError(
        f"training.dimensions = {job.dimensions}: the matrix {job.matrix!r} has only {rank} singular values that can "
        f"be told from 0 (a thousandth of the largest, or more); {fix}"
    )


def _write_vectors(session: SparkSession, job: PassJob, done: dict[str, Any]) -> None:
    """Write RIGHT and LEFT. job: its dense matrix is V. The signs are fixed before anything is written."""
    from w2vspark.kernels.noise import fill_powers

    cpu_target.pin(job.of.cpu_target)
    values = np.array(done["singular_values"])
    numbers = session.range(0, job.reducers, 1, job.reducers)
    with worker_errors():
        found = numbers.mapInArrow(partial(find_peaks, job=job), spark_schema(PASS_FILES)).collect()
    peaks = np.zeros(job.width)
    for row in sorted(found, key=lambda row: int(row["first_id"])):
        of_reducer = np.frombuffer(row["peaks"], np.float64)
        peaks = np.where(np.abs(of_reducer) > np.abs(peaks), of_reducer, peaks)
    powers = np.empty(values.size)
    fill_powers(values, float(job.of.settings.exponent), powers)
    transform = sealed.read_sealed(job.transform_uri, np.float64).reshape(-1, job.width)
    signed = transform * (np.where(peaks < 0, -1.0, 1.0) * powers)
    scaled = storage.join(job.table_uri, f"{_TRANSFORM}_scaled")
    sealed.write_sealed(scaled, signed)
    least = -(-job.of.rows * job.width * 4 // LEFT_BYTES)
    slices = row_slices(*block_entries(job.of.matrix_uri, job.of.matrix), job.of.rows, least)
    job = replace(
        job, transform_uri=scaled, row_slices=slices, column_slices=column_slices(job.of.columns, job.width, 1),
        singular_values=tuple(done["singular_values"]),
    )  # fmt: skip
    tasks = job.reducers + len(slices)
    numbers = session.range(0, tasks, 1, tasks)
    with worker_errors():
        frame = numbers.mapInArrow(partial(write_vectors, job=job), spark_schema(PARAMETER_FILES))
        written = write_listed(frame, job.table_uri)
    for matrix, rows in ((LEFT, job.of.rows), (RIGHT, job.of.columns)):
        got = sum(row["rows"] for row in written if row["matrix"] == matrix)
        if got != rows:
            raise DamagedTable(f"{job.table_uri}: {got} rows of {matrix!r}, not {rows}")
