"""Rounds on Spark: what they leave, how shards are combined, and how a training goes on that was broken off."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from commands import manifest, options, run_command
from inline_session import InlineSession
from replicas import of_replicas

from w2vspark.base import schemas
from w2vspark.base.errors import TrainingError
from w2vspark.kernels.combine import combine_changes
from w2vspark.storage import listed
from w2vspark.storage.sealed import read_sealed_json
from w2vspark.training import sent_rows
from w2vspark.training import shards as worker
from w2vspark.training.blocks import write_blocks
from w2vspark.training.trainer import RoundJob
from w2vspark.training.word2vec import slices as word2vec
from w2vspark.training.word2vec.settings import Word2VecTraining

from .round_cases import (
    DIMENSIONS,
    WORDS,
    Corpus,
    attempt,
    job_of,
    matrices,
    train,
    training,
    without_seconds,
    write_corpus,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("rounds"))


@pytest.mark.parametrize("shards", [1, 3])
def test_a_round_leaves_every_row_of_both_matrices_once_and_metrics_of_each_shard(shards, spark, corpus, tmp_path):
    made = train(spark, corpus, tmp_path, training(shards))
    assert made.seen == [1, 2] and made.uri == str(attempt(tmp_path, 2))
    assert all(np.isfinite(matrix).all() for matrix in matrices(made.uri, made.job.trainer.shapes).values())
    expected = [(r + 1, s) for r in range(2) for s in range(shards)]
    assert [(row["round"], row["shard"]) for row in made.metrics] == expected
    for todo in made.rounds:
        own = [row["tokens"] for row in made.metrics if row["round"] == todo.number]
        assert own == [corpus.tokens[slice(*part)].sum() for part in todo.slice_sets[0].ranges]
    assert pq.read_schema(next(Path(made.uri).glob("*.parquet"))).names == schemas.PARAMETERS.names
    # Changes are gone, and so is whatever Spark would leave.
    found = {file.name for file in Path(made.uri).iterdir()}
    assert found == {listed.LIST, *listed.file_names(made.uri)}


@pytest.mark.parametrize("lanes", [1, 2])
def test_with_one_shard_the_epochs_of_a_round_give_the_bits_of_as_many_rounds(lanes, spark, corpus, tmp_path):
    found = []
    for share in (1, 1 / 2, 1 / 4):
        config = training(1, lanes=lanes, rounds_per_epoch=share, epochs=4, lane_merge_tokens=500)
        made = train(spark, corpus, tmp_path / str(share), config)
        assert len(made.metrics) == 4 * share
        found.append(made.bytes)
    assert found[1] == found[0] == found[2]


@pytest.mark.parametrize("rule", ["adasum", "mean"])
@pytest.mark.parametrize("shards", [1, 2, 3, 4, 5])
def test_a_round_combines_its_shards_as_the_pure_function_does(shards, rule, spark, corpus, tmp_path):
    check_combination(training(shards, rounds_per_epoch=1, combine=rule), spark, corpus, tmp_path)


@pytest.mark.parametrize("method", ["skipgram-hs", "cbow-ns", "cbow-hs"])
def test_every_methods_matrices_and_adagrads_state_go_through_a_round(method, spark, corpus, tmp_path):
    config = training(3, rounds_per_epoch=1, method=method, optimizer="adagrad")
    for name, matrix in check_combination(config, spark, corpus, tmp_path).items():
        assert matrix.shape == (WORDS - (name == "nodes"), DIMENSIONS + 1)
        assert (matrix[:, DIMENSIONS] >= 0).all() and (matrix[:, DIMENSIONS] > 0).mean() > 0.1


def test_a_row_group_is_one_block_and_statistics_tell_which(tmp_path):
    # Workers have one in memory while they read blocks.
    blocks = ((first, np.full((4096, 64), first, np.float32)) for first in range(0, 24 * 4096, 4096))
    (row,) = write_blocks(str(tmp_path), "words", blocks).to_pylist()
    assert (row["matrix"], row["first_id"], row["rows"]) == ("words", 0, 24 * 4096)
    found = pq.read_metadata(tmp_path / row["file"])
    groups = [found.row_group(i).column(1).statistics for i in range(found.num_row_groups)]
    assert [(group.min, group.max) for group in groups] == [(first, first) for first in range(0, 24 * 4096, 4096)]


def test_blocks_that_do_not_follow_each_other_do_not_go_into_one_file(tmp_path):
    rows = np.zeros((10, 4), np.float32)
    with pytest.raises(ValueError, match="'words' at row 30 does not follow row 19"):
        write_blocks(str(tmp_path), "words", iter([(10, rows), (30, rows)]))


def check_combination(config: Word2VecTraining, spark, corpus, tmp_path) -> dict[str, np.ndarray]:
    """The round's matrices, which are the shards' changes as combine_changes combines them."""
    made = train(spark, corpus, tmp_path, config)
    found = matrices(made.uri, made.job.trainer.shapes)
    new, updates = shards_by_hand(made.job)
    for shape in made.job.trainer.shapes:
        old = np.zeros((shape.rows, shape.width), np.float32)
        word2vec.fill_initial(shape.name, 0, config, old)
        expected = new[shape.name][0]
        if config.shards > 1:
            expected = old.copy()
            changes = of_replicas(new[shape.name] - old, updates[shape.name])
            combine_changes(config.combine, changes, expected, shape.state)
        assert found[shape.name].tobytes() == expected.tobytes()
        assert (expected != old).any()
    return found


def shards_by_hand(job: RoundJob) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Each shard trained here: new rows float32 (shards, rows, width) and updates int32 (shards, rows)."""
    count = int(job.trainer.training.shards)
    new = {shape.name: np.empty((count, shape.rows, shape.width), np.float32) for shape in job.trainer.shapes}
    updates = {shape.name: np.empty((count, shape.rows), np.int32) for shape in job.trainer.shapes}
    vocabulary = listed.read_listed(job.trainer.vocabulary_uri).sort_by("id")
    tables = word2vec.make_tables(vocabulary["count"].to_numpy(), job.trainer.training)
    for shard in range(count):
        held = [worker.make_matrix(shape, int(job.trainer.training.lanes)) for shape in job.trainer.shapes]
        for matrix in held:
            word2vec.fill_initial(matrix.shape.name, 0, job.trainer.training, matrix.base)
        for part in job.round.slice_sets:
            text = word2vec.read_slice(job.trainer.encoded_uri, *part.ranges[shard])
            whole = part.epoch, part.start, part.tokens, job.trainer.total_tokens
            word2vec.train_slice(held, tables, text, job.trainer.training, *whole, 1)
        for matrix in held:
            rows = matrix.shape.rows
            new[matrix.shape.name][shard] = matrix.read(slice(0, rows))
            updates[matrix.shape.name][shard] = matrix.updates[:rows]
    return new, updates


def test_rounds_that_are_there_are_not_trained_again(spark, corpus, tmp_path):
    config = training(2, epochs=2)
    whole = train(spark, corpus, tmp_path, config)
    table = tmp_path / "staging" / "rounds" / "f"
    assert sorted(folder.name for folder in table.iterdir()) == ["000001", "000002", "000003", "000004"]
    # The files of the last two are kept, and the records of all.
    assert [attempt(tmp_path, number).exists() for number in (1, 2, 3, 4)] == [False, False, True, True]
    attempt(tmp_path, 4).with_suffix(".json").unlink()  # a run died before it declared the round whole
    third = attempt(tmp_path, 3)
    written = {file: file.stat().st_mtime_ns for file in third.iterdir()}
    again = train(spark, corpus, tmp_path, config)
    assert again.seen == [4] and again.uri == str(attempt(tmp_path, 4)) != whole.uri
    assert {file: file.stat().st_mtime_ns for file in third.iterdir()} == written
    assert again.bytes == whole.bytes
    assert again.metrics[:6] == whole.metrics[:6]
    assert without_seconds(again.metrics) == without_seconds(whole.metrics)
    nothing = train(spark, corpus, tmp_path, config)
    assert (nothing.seen, nothing.uri, nothing.metrics) == ([], again.uri, again.metrics)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_metrics_of_a_resumed_run_are_those_of_one_that_was_not_broken_off(stop, corpus, tmp_path):
    def killed(number: int) -> None:
        if number == stop:
            raise KeyboardInterrupt

    config = training(2, epochs=2)
    whole = train(InlineSession(), corpus, tmp_path / "whole", config)
    with pytest.raises(KeyboardInterrupt):
        train(InlineSession(), corpus, tmp_path / "killed", config, killed)
    before = [row for n in range(1, stop + 1) for row in metrics_of_record(tmp_path / "killed", n)]
    resumed = train(InlineSession(), corpus, tmp_path / "killed", config)
    assert resumed.seen == list(range(stop + 1, 5))
    assert resumed.metrics[: 2 * stop] == before
    assert without_seconds(resumed.metrics) == without_seconds(whole.metrics)
    assert resumed.bytes == whole.bytes
    for number in (1, 2, 3, 4):  # each record holds only its own
        assert metrics_of_record(tmp_path / "killed", number) == resumed.metrics[2 * number - 2 : 2 * number]


def metrics_of_record(output: Path, number: int) -> list[dict[str, object]]:
    return read_sealed_json(f"{attempt(output, number)}.json")["record"]["metrics"]


@pytest.mark.parametrize("damaged", [False, True])
def test_a_training_whose_earlier_records_are_gone_begins_again(damaged, corpus, tmp_path, caplog):
    config = training(1, epochs=2)
    whole = train(InlineSession(), corpus, tmp_path, config)
    record = attempt(tmp_path, 2).with_suffix(".json")
    if damaged:
        record.write_text(record.read_text().replace('"loss"', '"lost"'))
    else:
        record.unlink()
    again = train(InlineSession(), corpus, tmp_path, config)
    assert again.seen == [1, 2, 3, 4] and again.uri != whole.uri
    assert again.bytes == whole.bytes and without_seconds(again.metrics) == without_seconds(whole.metrics)
    assert "records of earlier rounds are gone" in caplog.text


def test_footers_of_encoded_are_read_once_a_worker(corpus, tmp_path, monkeypatch):
    read: list[str] = []
    real = listed.footer_of
    monkeypatch.setattr(listed, "footer_of", lambda uri: read.append(uri) or real(uri))
    listed._kept_dataset.cache_clear()
    config = training(3, epochs=2)  # twelve slices
    train(InlineSession(), corpus, tmp_path, config)
    of_encoded = [uri for uri in read if uri.startswith(corpus.encoded)]
    assert sorted(of_encoded) == sorted(f"{corpus.encoded}/{name}" for name in listed.file_names(corpus.encoded))


@pytest.mark.parametrize("shards", [1, 3])
def test_values_that_are_not_finite_end_in_one_error_and_no_round(shards, spark, corpus, tmp_path):
    message = r"vector of word id \d+ is not finite.*training.learning_rate.*warm_start.learning_rate"
    with pytest.raises(TrainingError, match=message):
        train(spark, corpus, tmp_path, training(shards, learning_rate=1e30, combine="mean"))
    assert list((tmp_path / "staging").rglob("*.json")) == []  # neither a list nor a record


@pytest.mark.slow
def test_a_model_larger_than_what_the_driver_may_collect_is_trained_and_published(tmp_path):
    draw = np.random.default_rng(12)
    (tmp_path / "corpus.txt").write_text(
        "".join(" ".join(f"w{n}" for n in draw.permutation(8000)) + "\n" for _ in range(2))
    )
    words = options(
        input__path=tmp_path / "corpus.txt", output__path=tmp_path / "output", vocabulary__min_count=1,
        training__dimensions=200, training__epochs=1, training__shards=2, training__rounds_per_epoch=1,
        training__subsample=0, spark__master="local[2]",
    )  # fmt: skip
    words += ["--set", "spark.options.spark.driver.maxResultSize=2m"]
    run_command("run", *words).assert_done()
    rows = manifest(tmp_path / "output")["tables"]["vectors"]
    assert rows == 8000 and 2 * rows * 200 * 4 > 6 * (2 << 20)
    assert json.loads((tmp_path / "output" / "current.json").read_text())["version"] == "000001"


@pytest.mark.parametrize(
    "settings",
    [
        {}, {"method": "cbow-ns"}, {"optimizer": "adagrad"}, {"epochs": 2, "rounds_per_epoch": 0.5},
        {"subsample": 0.01}, {"negative_pool": 1},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("shards", [1, 3])
def test_rows_that_are_sent_for_a_slice_give_the_bytes_of_all_rows(shards, settings, spark, corpus, tmp_path):
    found = []
    for rows in ("all", "slice"):
        config = training(shards, rows=rows, **({"negative_pool": 3000} | settings))
        made = train(spark, corpus, tmp_path / rows, config)
        found.append((made.bytes, without_seconds(made.metrics)))
    assert found[0] == found[1]
    if "negative_pool" in settings:  # so few that whole blocks have no word that a shard needs
        needed = [made.job.trainer.share(shard, made.job.round.slice_sets).rows for shard in range(shards)]
        assert all(words.max() < 8192 for words in needed)


@pytest.mark.parametrize("waiting_bytes", [1, sent_rows.WAITING_BYTES])
def test_a_shard_is_sent_its_rows_in_order_in_however_many_batches(waiting_bytes, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(sent_rows, "WAITING_BYTES", waiting_bytes)
    config = training(2, rows="slice", negative_pool=3000)
    job = job_of(corpus, config, changes_uri=str(tmp_path), reducers=(5, 3))
    wanted = [row for shard in (0, 1) for batch in sent_rows.wanted_rows(shard, job) for row in batch.to_pylist()]
    files = []
    for key in job.reducers:
        of_place = [row for row in wanted if row["key"] == key]
        files += [row for batch in sent_rows.send_rows(of_place, job, (7, 9)) for row in batch.to_pylist()]
    found = [(row["key"], row["shard"], row["number"]) for row in files]
    assert found == [(7, 0, 0), (9, 1, 0), (7, 0, 1), (9, 1, 1)]
    batches = sum(len(np.frombuffer(row["batches"], np.int32)) for row in files)
    assert batches == (12 if waiting_bytes == 1 else 4)  # two matrices of three blocks each
    for shard in (0, 1):
        share = job.trainer.share(shard, job.round.slice_sets)
        for shape in job.trainer.shapes:
            initial = np.zeros((WORDS, shape.width), np.float32)
            word2vec.fill_initial(shape.name, 0, config, initial)
            parts = list(sent_rows.sent_rows([row for row in files if row["shard"] == shard], share, shape))
            assert [at for at, _ in parts] == np.searchsorted(share.rows, (0, 4096, 8192)).tolist()
            assert np.concatenate([rows for _, rows in parts]).tobytes() == initial[share.rows].tobytes()
