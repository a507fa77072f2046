"""GloVe's rounds on Spark against one process that takes the strata one after another, in float64."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from held import staging_of
from inline_session import InlineSession
from listed_tables import list_folder

from w2vspark.base.errors import DamagedTable
from w2vspark.base.schemas import CONTEXT, ENCODED, VOCABULARY, WORDS
from w2vspark.kernels.glove import records as kernel
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages.cooccurrence_rows import scan_counts
from w2vspark.stages.cooccurrences import CooccurrencesConfig, cooccurrences, count_job
from w2vspark.stages.parameters import scan_rows
from w2vspark.stages.sparse_rows import scan_sparse_rows
from w2vspark.training.glove.plan import GloveConfig, GloveJob, GloveRound, plan_glove, resolve_glove
from w2vspark.training.glove.rounds import run_glove
from w2vspark.training.glove.strata import (
    StrataJob,
    context_rows,
    grid_column_name,
    grid_column_size,
    grid_of,
    row_ranges,
    strata,
)
from w2vspark.training.settings import RoundsTraining

VOCABULARY_SIZE, DIMENSIONS = 61, 5


@pytest.fixture(scope="module")
def counts(spark, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, np.ndarray]:
    """The table of counts of a small text, and the counts as a dense matrix; the last word stands alone."""
    folder = tmp_path_factory.mktemp("glove")
    random = np.random.default_rng(2)
    pieces = [(random.zipf(1.3, 40) % (VOCABULARY_SIZE - 1)).astype(np.int32).tolist() for _ in range(60)]
    pieces.append([VOCABULARY_SIZE - 1])
    table = {"bucket": np.arange(61, dtype=np.int32) % 4, "doc_id": [f"d{n:02}" for n in range(61)]}
    table |= {"piece": np.zeros(61, np.int32), "ids": pieces}
    words = {"id": range(VOCABULARY_SIZE), "word": [f"w{n}" for n in range(VOCABULARY_SIZE)]}
    words |= {"count": np.maximum(1, np.bincount(np.concatenate(pieces), minlength=VOCABULARY_SIZE))}
    for name, columns, schema in (("encoded", table, ENCODED), ("vocabulary", words, VOCABULARY)):
        (folder / name).mkdir()
        pq.write_table(pa.table(columns, schema=schema), folder / name / "part-0.parquet")
        list_folder(folder / name)
    uris = {f"{name}_uri": str(folder / name) for name in ("encoded", "vocabulary", "table", "partial")}
    job = count_job(CooccurrencesConfig(window=3), 1, "avx2", np.full(4, 600), uris)
    write_listed(cooccurrences(spark, replace(job, reducers=5)), job.table_uri)
    dense = np.zeros((VOCABULARY_SIZE, VOCABULARY_SIZE))
    for block in scan_counts(job.table_uri, 0, VOCABULARY_SIZE):
        rows = np.repeat(np.arange(block.ends.size), np.diff(block.ends, prepend=0)) + block.first
        dense[rows, block.columns] = block.values
    return job.table_uri, dense


def settings(**changes: object) -> RoundsTraining:
    chosen = {"method": "glove", "dimensions": DIMENSIONS, "epochs": 3, "shards": 3, "lanes": 2}
    return RoundsTraining(**(chosen | changes))


def make_strata(spark, counts, folder: Path, training: RoundsTraining) -> tuple[StrataJob, list[list[int]]]:
    uri, dense = counts
    count = int(training.shards) * int(training.lanes)
    ranges = row_ranges(uri, VOCABULARY_SIZE, int((dense > 0).sum()), count)
    job = StrataJob(uri, str(folder / "strata"), ranges, "avx2")
    return job, grid_of(write_listed(strata(spark, job), job.table_uri), ranges)


def job_of(counts, made: StrataJob, training: RoundsTraining) -> GloveJob:
    training, glove = resolve_glove(training, GloveConfig(), 17_000_000, int((counts[1] > 0).sum()))
    return GloveJob(
        training=training, glove=glove, round=GloveRound(1, 0, 0), words=VOCABULARY_SIZE, ranges=made.ranges,
        strata_uri=made.table_uri, parameters_uri=None, table_uri="", threads=1,
    )  # fmt: skip


def train(spark, counts, folder: Path, training: RoundsTraining) -> tuple[str, list[dict[str, object]], GloveJob]:
    made, grid = make_strata(spark, counts, folder, training)
    job = job_of(counts, made, training)
    uri, metrics = run_glove(spark, staging_of(folder), "f", job, grid, lambda *_: None)
    return uri, metrics, job


def parameters(uri: str, job: GloveJob) -> list[np.ndarray]:
    """Words and contexts by id, float32 (V, width)."""
    width, grid_columns = kernel.row_width(DIMENSIONS), len(job.ranges)
    words = np.concatenate([rows for _, rows in scan_rows(uri, WORDS, 0, VOCABULARY_SIZE, width)])
    ((_, contexts),) = context_rows(0, VOCABULARY_SIZE, uri, VOCABULARY_SIZE, grid_columns, width)
    return [words, contexts]


@pytest.mark.parametrize("count", [1, 2, 6, 40])
def test_strata_hold_every_count_once(spark, counts, tmp_path, count):
    made, grid = make_strata(spark, counts, tmp_path, settings(shards=count, lanes=1))
    assert made.ranges[0][0] == 0 and made.ranges[-1][1] == VOCABULARY_SIZE and len(made.ranges) == count
    assert all(before[1] == after[0] for before, after in zip(made.ranges[:-1], made.ranges[1:], strict=True))
    found = np.zeros_like(counts[1])
    for at, (first, last) in enumerate(made.ranges):
        for number in range(count):
            size = 0
            for block in scan_sparse_rows(made.table_uri, grid_column_name(number), first, last):
                rows = np.repeat(np.arange(block.ends.size), np.diff(block.ends, prepend=0)) + block.first
                assert not block.columns.size or block.columns.max() < grid_column_size(number, count, VOCABULARY_SIZE)
                assert (found[rows, block.columns * count + number] == 0).all()
                found[rows, block.columns * count + number] = block.values
                size += rows.size
            assert size == grid[at][number]
    assert np.array_equal(found, counts[1])
    if count == 6:
        sizes = [sum(row) for row in grid]
        assert max(sizes) - min(sizes) <= 2 * (counts[1] > 0).sum(axis=1).max()


@pytest.mark.parametrize(("shards", "lanes"), [(1, 1), (1, 4), (3, 2), (7, 1)])
def test_rounds_are_those_of_one_machine_that_takes_strata_one_after_another(spark, counts, tmp_path, shards, lanes):
    uri, metrics, job = train(spark, counts, tmp_path, settings(shards=shards, lanes=lanes, epochs=2))
    grid_columns, training, dense = shards * lanes, job.training, counts[1]
    by_hand = [np.empty((VOCABULARY_SIZE, kernel.row_width(DIMENSIONS)), np.float32) for _ in range(2)]
    kernel.fill_initial(training.seed, 0, 0, DIMENSIONS, by_hand[0])
    reducer = [at for number in range(grid_columns) for at in range(number, VOCABULARY_SIZE, grid_columns)]
    dealt = np.empty_like(by_hand[1])
    kernel.fill_initial(training.seed, 1, 0, DIMENSIONS, dealt)
    by_hand[1][reducer] = dealt
    by_hand = [table.astype(np.float64) for table in by_hand]
    losses = []
    for todo in plan_glove(training):
        of_round, loss = replace(job, round=todo), 0.0
        for shard in range(shards):
            for at, number in _in_turn(of_round, shard):
                entries = _in_order(dense, job.ranges[at], number, grid_columns, training.seed, todo.epoch, at)
                loss += _train(by_hand, entries, float(job.glove.x_max), float(training.learning_rate))
        losses.append(loss)
    for found, expected in zip(parameters(uri, job), by_hand, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    of_rounds = [sum(m["loss"] * m["tokens"] for m in metrics if m["round"] == n + 1) for n in range(len(losses))]
    assert of_rounds == pytest.approx(losses, rel=1e-3)
    assert sum(int(m["tokens"]) for m in metrics) == 2 * int((dense > 0).sum())


def _in_turn(job: GloveJob, shard: int) -> Iterator[tuple[int, int]]:
    from w2vspark.training.plan import shuffled

    rows, grid_columns = job.grid_rows(shard), job.grid_columns(shard)
    for step in shuffled(job.lanes, job.training.seed, job.round.number):
        for lane in range(job.lanes):
            yield rows[lane], grid_columns[(lane + step) % job.lanes]


def _in_order(dense, of_range, number, grid_columns, seed, epoch, at) -> list[tuple[int, int, float]]:
    """A stratum's records in the order in which they are trained."""
    runs = []
    for row in range(*of_range):
        columns = [column for column in np.flatnonzero(dense[row]).tolist() if column % grid_columns == number]
        runs += [[(row, c, dense[row, c]) for c in columns[i : i + 32]] for i in range(0, len(columns), 32)]
    order = np.empty(len(runs), np.int32)
    kernel._shuffle(order, np.uint64(kernel.stream_of(seed, epoch, at, number)))
    return [record for run in order for record in runs[run]]


def _train(tables, entries, x_max: float, rate: float) -> float:
    n, loss = DIMENSIONS, 0.0
    for row, column, count in entries:
        w, c = tables[0][row], tables[1][column]
        weight = min(1.0, (count / x_max) ** 0.75)
        error = w[:n] @ c[:n] + w[n] + c[n] - math.log(count)
        loss += weight * error**2
        gradients = [rate * weight * error * np.append(other[:n], 1.0) for other in (c, w)]
        for own, gradient in zip((w, c), gradients, strict=True):
            own[: n + 1] -= gradient / np.sqrt(own[n + 1 :])
            own[n + 1 :] += gradient * gradient
    return loss


def test_a_run_that_goes_on_ends_with_the_bytes_of_one_that_was_not_broken_off(spark, counts, tmp_path):
    uri, metrics, job = train(spark, counts, tmp_path, settings())
    whole = parameters(uri, job)
    assert len({m["round"] for m in metrics}) == 9
    broken_off, before, _ = train(spark, counts, tmp_path / "other", settings(epochs=2))  # the state after six rounds
    assert not np.array_equal(parameters(broken_off, job)[0], whole[0])
    made, grid = make_strata(spark, counts, tmp_path, settings())
    resumed, seen, staging = job_of(counts, made, settings()), [], staging_of(tmp_path / "other")
    again, later = run_glove(spark, staging, "f", resumed, grid, lambda number, *_: seen.append(number))
    assert seen == [7, 8, 9] and later[: len(before)] == before
    assert [m | {"seconds": 0} for m in later] == [m | {"seconds": 0} for m in metrics]
    for found, expected in zip(parameters(again, job), whole, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize("matrix", [WORDS, CONTEXT])
def test_a_flipped_bit_of_the_parameters_is_an_error_and_is_not_trained_on(spark, counts, tmp_path, matrix):
    made, grid = make_strata(spark, counts, tmp_path, settings())
    staging, folder = staging_of(tmp_path), tmp_path / "staging/rounds/f"
    seen: list[int] = []

    def damage(number: int, *_: object) -> None:
        seen.append(number)
        if number == 2:
            file = min(folder.glob(f"000002/*/{matrix}-*.parquet"))
            content = bytearray(file.read_bytes())
            content[len(content) // 4] ^= 1
            file.write_bytes(content)

    with pytest.raises(DamagedTable, match="/000002/") as error:
        run_glove(InlineSession(), staging, "f", job_of(counts, made, settings()), grid, damage)
    assert seen == [1, 2] and staging.record("rounds/f", "000003") is None
    (damaged,) = folder.glob("000002/*-*/")
    assert staging.damaged(error.value) == str(damaged)


def test_a_missing_block_is_an_error_that_names_it(spark, counts, tmp_path):
    uri, _, job = train(spark, counts, tmp_path, settings(epochs=1))
    from w2vspark.training.glove.shard import _load

    broken = replace(job, parameters_uri=uri)
    assert _load(broken, 0, WORDS, *job.ranges[0]).shape[0] == job.ranges[0][1] - job.ranges[0][0]
    with pytest.raises(DamagedTable, match=r"block of 'context' at row 50 is missing or does not fit$"):
        _load(broken, 1, CONTEXT, 50, 70)


def test_auto_values_follow_the_counts():
    def resolved(tokens: int, records: int) -> tuple[RoundsTraining, GloveConfig]:
        return resolve_glove(RoundsTraining(method="glove"), GloveConfig(), tokens, records)

    training, glove = resolved(17_000_000, 46_000_000)
    assert (training.shards, training.lanes, glove.x_max) == (1, 8, 5.0)
    training, glove = resolved(6_000_000_000, 3_000_000_000)
    assert (training.shards, training.lanes) == (12, 1) and 90 < float(glove.x_max) <= 100
    chosen = RoundsTraining(method="glove", shards=2, lanes=3, epochs=4, learning_rate=0.3)
    assert resolve_glove(chosen, GloveConfig(x_max=7.0), 10, 10) == (chosen, GloveConfig(x_max=7.0))


def test_every_stratum_is_trained_once_an_epoch_and_none_beside_another_of_its_range_or_class(counts):
    training = resolve_glove(settings(shards=4, lanes=2), GloveConfig(), 10, 10)[0]
    job = GloveJob(
        training=training, glove=GloveConfig(x_max=1.0), round=GloveRound(1, 0, 0), words=9, ranges=((0, 1),) * 8,
        strata_uri="", parameters_uri=None, table_uri="", threads=1,
    )  # fmt: skip
    rounds = plan_glove(training)
    assert [todo.number for todo in rounds] == list(range(1, 13))
    for epoch in range(3):
        trained = []
        for todo in rounds[epoch * 4 : epoch * 4 + 4]:
            of_round = replace(job, round=todo)
            grid_columns = [number for shard in range(4) for number in of_round.grid_columns(shard)]
            assert todo.epoch == epoch and sorted(grid_columns) == list(range(8)), "no two shards share a class"
            trained += [stratum for shard in range(4) for stratum in of_round.strata(shard)]
        assert sorted(trained) == [(row, number) for row in range(8) for number in range(8)]
