import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import manifest, options, run_command
from replicas import of_replicas

from w2vspark.base import schemas
from w2vspark.base.config import TrainingConfig
from w2vspark.base.errors import OutputError, TrainingError
from w2vspark.kernels.combine import combine_changes
from w2vspark.training import shards as worker
from w2vspark.training import slice_rows, word2vec
from w2vspark.training.parameters import write_blocks
from w2vspark.training.plan import MatrixShape, Round, RoundJob, matrix_shapes, plan_rounds, resolve
from w2vspark.training.rounds import run_rounds

WORDS, DIMENSIONS, BUCKETS = 9000, 12, 64  # three blocks of rows, the last one shorter; rows padded from 12 to 16


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Tables as the stages before leave them: a vocabulary, and 400 pieces of Zipf's words in 64 buckets."""
    folder = tmp_path_factory.mktemp("rounds")
    draw = np.random.default_rng(11)
    pieces = [np.minimum(draw.zipf(1.2, draw.integers(20, 120)), WORDS).astype(np.int32) - 1 for _ in range(400)]
    counts = np.bincount(np.concatenate(pieces), minlength=WORDS) + 1
    order = np.argsort(-counts, kind="stable")  # ids run from the most frequent word
    pieces, counts = [np.argsort(order).astype(np.int32)[piece] for piece in pieces], counts[order]
    buckets = np.sort(draw.integers(0, BUCKETS, len(pieces))).astype(np.int32)
    table = {"bucket": buckets, "doc_id": [f"d{n:04}" for n in range(400)], "piece": np.zeros(400, np.int32)}
    for name in ("vocabulary", "encoded"):
        (folder / name).mkdir()
    pq.write_table(
        pa.table({"id": np.arange(WORDS, dtype=np.int32), "word": [f"w{n}" for n in range(WORDS)], "count": counts},
                 schema=schemas.VOCABULARY), folder / "vocabulary" / "part-0.parquet",
    )  # fmt: skip
    pq.write_table(
        pa.table(table | {"ids": [piece.tolist() for piece in pieces]}, schema=schemas.ENCODED),
        folder / "encoded" / "part-0.parquet",
    )
    tokens = np.bincount(buckets, weights=[piece.size for piece in pieces], minlength=BUCKETS).astype(np.int64)
    return {"folder": folder, "tokens": tokens}


def training(shards: int, **more: object) -> TrainingConfig:
    chosen: dict[str, object] = {
        "dimensions": DIMENSIONS, "epochs": 1, "shards": shards, "lanes": 2, "rounds_per_epoch": 2, "subsample": 0.0,
        "learning_rate": 0.05, "lane_merge_tokens": 2000,
    }  # fmt: skip
    return resolve(TrainingConfig(**(chosen | more)), 20_000, WORDS)


def train(
    spark, corpus, output: Path, config: TrainingConfig
) -> tuple[str, list[dict[str, object]], list[object], RoundJob]:
    """All rounds of a training: the last round's table, the metrics, the rounds and the job."""
    rounds = plan_rounds(corpus["tokens"], config)
    job = RoundJob(
        training=config, round=rounds[0], total_tokens=int(corpus["tokens"].sum()) * config.epochs,
        shapes=matrix_shapes(config, WORDS),
        vocabulary_uri=str(corpus["folder"] / "vocabulary"), encoded_uri=str(corpus["folder"] / "encoded"),
        parameters_uri=None, subwords=None, threads=1, **FILLED,
    )  # fmt: skip
    seen: list[int] = []
    uri, metrics = run_rounds(
        spark, str(output), "f", rounds, job, lambda number, of, rows, seconds: seen.append(number)
    )
    assert seen == [todo.number for todo in rounds]
    return uri, metrics, rounds, job


# Fields of a job that the engine fills itself.
FILLED: dict[str, object] = {"table_uri": "", "changes_uri": "", "places": ()}


def matrices(uri: str, shapes: tuple[MatrixShape, ...]) -> dict[str, np.ndarray]:
    """All matrices of a round's table, float32 (rows, width); every row is there once."""
    found = {shape.name: np.full((shape.rows, shape.width), np.nan, np.float32) for shape in shapes}
    seen = {shape.name: np.zeros(shape.rows, np.int64) for shape in shapes}
    for row in pq.read_table(uri).to_pylist():
        own = slice(row["first_id"], row["first_id"] + row["rows"])
        found[row["matrix"]][own] = np.frombuffer(row["values"], np.float32).reshape(row["rows"], -1)
        seen[row["matrix"]][own] += 1
    assert all((count == 1).all() for count in seen.values())
    return found


@pytest.mark.parametrize("shards", [1, 3])
def test_a_round_leaves_every_row_of_both_matrices_once_and_metrics_of_each_shard(shards, spark, corpus, tmp_path):
    uri, metrics, rounds, job = train(spark, corpus, tmp_path, training(shards))
    assert all(np.isfinite(matrix).all() for matrix in matrices(uri, job.shapes).values())
    assert [(row["round"], row["shard"]) for row in metrics] == [(r + 1, s) for r in range(2) for s in range(shards)]
    for todo in rounds:
        own = [row["tokens"] for row in metrics if row["round"] == todo.number]
        assert own == [corpus["tokens"][slice(*part)].sum() for part in todo.parts[0].ranges]
    assert pq.read_schema(next(Path(uri).glob("*.parquet"))).names == schemas.PARAMETERS.names


@pytest.mark.parametrize("lanes", [1, 2])
def test_with_one_shard_the_epochs_of_a_round_give_the_bits_of_as_many_rounds(lanes, spark, corpus, tmp_path):
    found = []
    for share in (1, 1 / 2, 1 / 4):
        config = training(1, lanes=lanes, rounds_per_epoch=share, epochs=4, lane_merge_tokens=500)
        uri, metrics, _, job = train(spark, corpus, tmp_path / str(share), config)
        assert len(metrics) == 4 * share
        found.append(matrices(uri, job.shapes))
    for other in found[1:]:
        assert all(matrix.tobytes() == other[name].tobytes() for name, matrix in found[0].items())


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


def test_what_other_attempts_of_tasks_left_in_a_rounds_folder_is_not_read(spark, corpus, tmp_path):
    config = training(2, epochs=2)
    uri, _, rounds, job = train(spark, corpus, tmp_path, config)
    expected = {name: matrix.tobytes() for name, matrix in matrices(uri, job.shapes).items()}
    table = tmp_path / "staging" / "rounds" / "f"
    write_blocks(str(table / "000003"), "words", iter([(0, np.full((4096, DIMENSIONS), 7, np.float32))]))
    (table / "000003" / "context-half.parquet").write_bytes(b"PAR1")
    (table / "000004" / "_record.json").unlink()
    (table / "000004" / "words-half.parquet").write_bytes(b"PAR1")
    again, _ = run_rounds(spark, str(tmp_path), "f", rounds, job, lambda number, of, rows, seconds: None)
    assert {name: matrix.tobytes() for name, matrix in matrices(again, job.shapes).items()} == expected


def test_blocks_that_do_not_follow_each_other_do_not_go_into_one_file(tmp_path):
    rows = np.zeros((10, 4), np.float32)
    with pytest.raises(ValueError, match="'words' at row 30 does not follow row 19"):
        write_blocks(str(tmp_path), "words", iter([(10, rows), (30, rows)]))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table, file: (table / "_files.json").unlink(), "000003: lacks _files.json"),
        (lambda table, file: (table / "_files.json").write_text("[{"), "000003: _files.json is not JSON"),
        (lambda table, file: file.unlink(), "000003: a file of it is damaged or missing"),
        (lambda table, file: file.write_bytes(b"PAR1"), "000003: a file of it is damaged or missing"),
        (lambda table, file: (table / "_files.json").write_text("[]"), "000003: lacks the block of 'words' at row 0"),
    ],
    ids=["no list", "half a list", "no file", "half a file", "files not listed"],
)
def test_a_damaged_table_of_parameters_is_an_error_that_says_what_to_do(damage, message, spark, trained, tmp_path):
    output, rounds, job = trained
    shutil.copytree(output, tmp_path / "copy")
    table = tmp_path / "copy" / "staging" / "rounds" / "f"
    (table / "000004" / "_record.json").unlink()
    damage(table / "000003", next((table / "000003").glob("words-*.parquet")))
    with pytest.raises((OutputError, TrainingError), match=f"(?s){message}.*run again with --from rounds"):
        run_rounds(spark, str(tmp_path / "copy"), "f", rounds, job, lambda number, of, rows, seconds: None)


@pytest.fixture(scope="module")
def trained(spark, corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Round], RoundJob]:
    """An output folder with four rounds, of which the last two are kept."""
    output = tmp_path_factory.mktemp("trained")
    _, _, rounds, job = train(spark, corpus, output, training(2, epochs=2))
    return output, rounds, job


def check_combination(config: TrainingConfig, spark, corpus, tmp_path) -> dict[str, np.ndarray]:
    """The round's matrices, which are the shards' changes as combine_changes combines them."""
    uri, _, rounds, job = train(spark, corpus, tmp_path, config)
    found = matrices(uri, job.shapes)
    new, updates = shards_by_hand(replace(job, round=rounds[0]))
    for shape in job.shapes:
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
    count = int(job.training.shards)
    new = {shape.name: np.empty((count, shape.rows, shape.width), np.float32) for shape in job.shapes}
    updates = {shape.name: np.empty((count, shape.rows), np.int32) for shape in job.shapes}
    vocabulary = pq.read_table(job.vocabulary_uri).sort_by("id")
    tables = word2vec.make_tables(vocabulary["count"].to_numpy(), job.training)
    for shard in range(count):
        held = [worker.make_matrix(shape, int(job.training.lanes)) for shape in job.shapes]
        for matrix in held:
            word2vec.fill_initial(matrix.shape.name, 0, job.training, matrix.base)
        for part in job.round.parts:
            text = worker.read_slice(job.encoded_uri, *part.ranges[shard])
            word2vec.train_slice(
                held, tables, text, job.training, part.epoch, part.start, part.tokens, job.total_tokens, 1
            )
        for matrix in held:
            rows = matrix.shape.rows
            new[matrix.shape.name][shard] = matrix.read(slice(0, rows))
            updates[matrix.shape.name][shard] = matrix.updates[:rows]
    return new, updates


def test_rounds_that_are_there_are_not_trained_again(spark, corpus, tmp_path):
    uri, metrics, _, trained = train(spark, corpus, tmp_path / "whole", training(2, epochs=2))
    expected = {name: matrix.tobytes() for name, matrix in matrices(uri, trained.shapes).items()}
    rounds = plan_rounds(corpus["tokens"], training(2, epochs=2))
    table = tmp_path / "whole" / "staging" / "rounds" / "f"
    assert sorted(folder.name for folder in table.iterdir()) == ["000003", "000004"]  # the last two are kept
    (table / "000004" / "_record.json").unlink()  # as a run leaves it that dies before the round is declared whole
    written = {file: file.stat().st_mtime_ns for file in (table / "000003").iterdir()}
    seen: list[int] = []
    job = RoundJob(
        training=training(2, epochs=2), round=rounds[0], total_tokens=int(corpus["tokens"].sum()) * 2,
        shapes=matrix_shapes(training(2, epochs=2), WORDS),
        vocabulary_uri=str(corpus["folder"] / "vocabulary"), encoded_uri=str(corpus["folder"] / "encoded"),
        parameters_uri=None, subwords=None, threads=1, **FILLED,
    )  # fmt: skip
    again, metrics_again = run_rounds(
        spark, str(tmp_path / "whole"), "f", rounds, job, lambda number, of, rows, seconds: seen.append(number)
    )
    assert seen == [4] and again == uri
    assert {file: file.stat().st_mtime_ns for file in (table / "000003").iterdir()} == written
    assert {name: matrix.tobytes() for name, matrix in matrices(again, job.shapes).items()} == expected
    assert metrics_again[:6] == metrics[:6]


@pytest.mark.parametrize("shards", [1, 3])
def test_values_that_are_not_finite_end_in_one_error_and_no_round(shards, spark, corpus, tmp_path):
    with pytest.raises(TrainingError, match=r"vector of word id \d+ is not finite.*training.learning_rate"):
        train(spark, corpus, tmp_path, training(shards, learning_rate=1e30, combine="mean"))
    assert list(tmp_path.rglob("_record.json")) == []


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
        uri, metrics, rounds, job = train(spark, corpus, tmp_path / rows, config)
        kept = [{name: value for name, value in row.items() if name != "seconds"} for row in metrics]
        found.append(({name: matrix.tobytes() for name, matrix in matrices(uri, job.shapes).items()}, kept))
    assert found[0] == found[1]
    if "negative_pool" in settings:  # so few that whole blocks have no word that a shard needs
        needed = [slice_rows.share_of(shard, replace(job, round=rounds[0])).words for shard in range(shards)]
        assert all(words.max() < 8192 for words in needed)


@pytest.mark.parametrize("waiting_bytes", [1, slice_rows.WAITING_BYTES])
def test_a_shard_is_sent_its_rows_in_order_in_however_many_batches(waiting_bytes, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(slice_rows, "WAITING_BYTES", waiting_bytes)
    config = training(2, rows="slice", negative_pool=3000)
    job = RoundJob(
        training=config, round=plan_rounds(corpus["tokens"], config)[0], total_tokens=1, parameters_uri=None,
        shapes=matrix_shapes(config, WORDS), vocabulary_uri=str(corpus["folder"] / "vocabulary"), subwords=None,
        encoded_uri=str(corpus["folder"] / "encoded"), threads=1,
        **(FILLED | {"changes_uri": str(tmp_path), "places": (5, 3)}),
    )  # fmt: skip
    wanted = [row for shard in (0, 1) for batch in slice_rows.wanted_rows(shard, job) for row in batch.to_pylist()]
    files = []
    for place in job.places:
        of_place = [row for row in wanted if row["place"] == place]
        files += [row for batch in slice_rows.send_rows(of_place, job, (7, 9)) for row in batch.to_pylist()]
    found = [(row["target"], row["shard"], row["number"]) for row in files]
    assert found == [(7, 0, 0), (9, 1, 0), (7, 0, 1), (9, 1, 1)]
    batches = sum(len(np.frombuffer(row["batches"], np.int32)) for row in files)
    assert batches == (12 if waiting_bytes == 1 else 4)  # two matrices of three blocks each
    for shard in (0, 1):
        share = slice_rows.share_of(shard, job)
        for shape in job.shapes:
            initial = np.zeros((WORDS, shape.width), np.float32)
            word2vec.fill_initial(shape.name, 0, config, initial)
            parts = list(slice_rows.sent_rows([row for row in files if row["shard"] == shard], share, shape))
            assert [at for at, _ in parts] == np.searchsorted(share.words, (0, 4096, 8192)).tolist()
            assert np.concatenate([rows for _, rows in parts]).tobytes() == initial[share.words].tobytes()
