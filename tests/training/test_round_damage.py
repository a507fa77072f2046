"""Damaged files of a training: none is ever trained on, and what other attempts left is not read."""

import random
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from held import Held, staging_of
from inline_session import InlineSession

from w2vspark.base.errors import DamagedTable, OutputError
from w2vspark.base.schemas import METRICS_MATRIX
from w2vspark.output.staging import Staging
from w2vspark.storage.listed import LIST, read_listed, write_list
from w2vspark.training import sent_rows
from w2vspark.training import shards as worker
from w2vspark.training.blocks import write_blocks
from w2vspark.training.trainer import RoundJob

from .round_cases import (
    DIMENSIONS,
    Corpus,
    Trained,
    attempt,
    flip,
    job_of,
    train,
    training,
    without_seconds,
    write_corpus,
)

CONFIG = training(2, epochs=2, rows="slice", negative_pool=3000)  # changes, rows and parameters travel


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("rounds"))


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Trained]:
    """An output folder with four rounds, of which the last two are kept."""
    output = tmp_path_factory.mktemp("whole")
    return output, train(InlineSession(), corpus, output, CONFIG)


@pytest.fixture
def output(whole: tuple[Path, Trained], tmp_path: Path) -> Path:
    """A copy of it: the whole output folder may be mounted elsewhere."""
    return Path(shutil.copytree(whole[0], tmp_path / "output"))


@pytest.mark.parametrize("kind", ["changes", "rows", "parameters"])
def test_a_flipped_bit_is_an_error_and_nothing_is_trained_on_it(kind, corpus, whole, tmp_path, monkeypatch):
    flipped: list[Path] = []
    trained: list[int] = []  # the round of each shard that was trained

    def flip_one(folder: Path, pattern: str) -> None:
        flipped.append(min(folder.glob(pattern)))
        flip(flipped[0], flipped[0].stat().st_size // 2)

    def damage_before(module: ModuleType, name: str, pattern: str) -> None:
        real = getattr(module, name)

        def damaged(*arguments: object) -> object:
            job = arguments[-1]
            if job.round.number == 2 and not flipped:
                flip_one(Path(job.changes_uri), pattern)
            return real(*arguments)

        monkeypatch.setattr(module, name, damaged)

    def after(number: int) -> None:
        if kind == "parameters" and number == 1:
            flip_one(attempt(tmp_path, 1), "words-*.parquet")

    if kind == "changes":
        damage_before(worker, "combine_files", "0*.arrow")
    elif kind == "rows":
        damage_before(sent_rows, "train_rows", "rows-*.arrow")
    real = sent_rows.train_slices
    monkeypatch.setattr(
        sent_rows, "train_slices", lambda shard, job, *rest: trained.append(job.round.number) or real(shard, job, *rest)
    )
    staging = staging_of(tmp_path)
    with pytest.raises(DamagedTable) as damage:
        train(InlineSession(), corpus, tmp_path, CONFIG, after, staging)
    (path,) = flipped
    assert str(damage.value).startswith(f"{path.parent if kind == 'parameters' else path}: ")
    assert staging.record("rounds/f", "000002") is None and max(trained) <= 2
    # Another shard, whose rows are not damaged, may have been first.
    assert trained.count(2) in {"changes": [2], "rows": [0, 1], "parameters": [0]}[kind]
    found = staging.damaged(damage.value)
    assert found is not None
    staging.discard_attempt(found)
    monkeypatch.undo()
    again = train(InlineSession(), corpus, tmp_path, CONFIG)
    assert again.seen == ([1, 2, 3, 4] if kind == "parameters" else [2, 3, 4])
    assert again.bytes == whole[1].bytes and without_seconds(again.metrics) == without_seconds(whole[1].metrics)


@pytest.mark.parametrize("kind", ["changes", "rows"])
def test_no_flipped_bit_of_a_file_changes_what_arrives(kind, corpus, tmp_path):
    seed = random.SystemRandom().randrange(1 << 32)
    print("seed", seed)  # noqa: T201
    draw, found = random.Random(seed), 0
    job = job_of(corpus, CONFIG, changes_uri=str(tmp_path / "changes"), table_uri=str(tmp_path / "t"), reducers=(5, 3))
    arriving = {"changes": combined_blocks, "rows": arrived_rows}[kind]
    sent = sent_files(job)
    files = sent if kind == "rows" else changed_files(job, sent)
    expected = arriving(job, files)
    for _ in range(150):
        path = Path(draw.choice(files)["file"])
        at, bit = draw.randrange(path.stat().st_size), draw.randrange(8)
        flip(path, at, bit)
        try:
            assert arriving(job, files) == expected, (path, at, bit)  # what nobody reads
        except DamagedTable as damage:
            assert str(damage).startswith(f"{path}: ")
            found += 1
        flip(path, at, bit)
    assert found > 120 and arriving(job, files) == expected


def sent_files(job: RoundJob) -> list[dict[str, object]]:
    """The rows that both shards want, in files: rows of ROW_FILES."""
    wanted = [row for shard in (0, 1) for batch in sent_rows.wanted_rows(shard, job) for row in batch.to_pylist()]
    of_places = [[row for row in wanted if row["key"] == key] for key in job.reducers]
    return [row for part in of_places for batch in sent_rows.send_rows(part, job, (7, 9)) for row in batch.to_pylist()]


def changed_files(job: RoundJob, sent: list[dict[str, object]]) -> list[dict[str, object]]:
    """What both shards changed: rows of CHANGE_FILES."""
    found = []
    for shard in (0, 1):
        files = [row for row in sent if row["shard"] == shard]
        found += [row for batch in sent_rows.train_rows(shard, files, job) for row in batch.to_pylist()]
    return found


def arrived_rows(job: RoundJob, files: list[dict[str, object]]) -> list[tuple[int, bytes]]:
    found = []
    for shard in (0, 1):
        share, own = job.trainer.share(shard, job.round.slice_sets), [row for row in files if row["shard"] == shard]
        parts = [part for shape in job.trainer.shapes for part in sent_rows.sent_rows(own, share, shape)]
        found += [(first, rows.tobytes()) for first, rows in parts]
    return found


def combined_blocks(job: RoundJob, files: list[dict[str, object]]) -> list[dict[str, object]]:
    written = []
    for key in job.reducers:
        rows = [row for row in files if row["key"] == key]
        written += [row for batch in worker.combine_files(rows, job) for row in batch.to_pylist()]
    write_list(job.table_uri, [row for row in written if row["matrix"] != METRICS_MATRIX])
    return [row for shape in job.trainer.shapes for row in read_listed(job.table_uri, matrix=shape.name).to_pylist()]


def unlink_a_file(uri: Path) -> None:
    min(uri.glob("words-*.parquet")).unlink()


def cut_a_file(uri: Path) -> None:
    file = min(uri.glob("words-*.parquet"))
    file.write_bytes(file.read_bytes()[:-1])


def flip_a_bit_of_the_record(uri: Path) -> None:
    record = uri.with_suffix(".json")
    record.write_text(record.read_text().replace('"tokens"', '"tokenz"', 1))


@pytest.mark.parametrize(
    "damage",
    [
        lambda uri: (uri / LIST).unlink(), lambda uri: (uri / LIST).write_text("[{"), unlink_a_file, cut_a_file,
        lambda uri: uri.with_suffix(".json").unlink(), lambda uri: uri.with_suffix(".json").write_text("[{"),
        flip_a_bit_of_the_record,
    ],
    ids=["no list", "half a list", "no file", "half a file", "no record", "half a record", "another record"],
)  # fmt: skip
def test_a_round_that_is_not_whole_is_trained_again(damage, corpus, whole, output):
    damage(attempt(output, 4))
    again = train(InlineSession(), corpus, output, CONFIG)
    assert again.seen == [4] and again.bytes == whole[1].bytes
    assert again.metrics[:6] == whole[1].metrics[:6]
    assert without_seconds(again.metrics) == without_seconds(whole[1].metrics)


def overwrite_a_file(uri: Path) -> None:
    file = min(uri.glob("words-*.parquet"))
    file.write_bytes(b"PAR1" * (file.stat().st_size // 4) + b"\0" * (file.stat().st_size % 4))


def put_back_an_earlier_file(uri: Path) -> None:
    """The file of another attempt, of the same size, under the name of this one's."""
    file = min(uri.glob("words-*.parquet"))
    rows = np.zeros((4096, DIMENSIONS), np.float32)
    (other,) = write_blocks(str(uri), "words", iter([(0, rows)])).to_pylist()
    content = (uri / other["file"]).read_bytes()
    file.write_bytes(content[:-8].ljust(file.stat().st_size - 8, b"\0") + content[-8:])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda uri: write_list(str(uri), []), "lacks the block of '(words|context)' at row 0"),
        (overwrite_a_file, r"words-\w+\.parquet"),
        (put_back_an_earlier_file, r"words-\w+\.parquet"),
    ],
    ids=["files not listed", "no Parquet file", "another file"],
)
def test_a_table_of_parameters_that_is_not_what_was_written_is_damage(damage, message, corpus, whole, output):
    attempt(output, 4).with_suffix(".json").unlink()
    third = attempt(output, 3)
    damage(third)
    staging = staging_of(output)
    with pytest.raises(DamagedTable, match=f"000003/{third.name}: .*{message}") as error:
        train(InlineSession(), corpus, output, CONFIG, staging=staging)
    assert staging.damaged(error.value) == str(third)
    staging.discard_attempt(str(third))
    again = train(InlineSession(), corpus, output, CONFIG)
    assert again.seen == [1, 2, 3, 4] and again.bytes == whole[1].bytes


def test_what_other_attempts_left_is_not_read(corpus, whole, output):
    sevens = [(0, np.full((4096, DIMENSIONS), 7, np.float32))]
    third, fourth = attempt(output, 3), attempt(output, 4)
    write_blocks(str(third), "words", iter(sevens))  # a task's other attempt, in the folder of one that is whole
    (third / "context-half.parquet").write_bytes(b"PAR1")
    overtaken = third.with_name("000009-00000000")  # of a newer run, which never declared it whole
    write_list(str(overtaken), write_blocks(str(overtaken), "words", iter(sevens)).to_pylist())
    fourth.with_suffix(".json").unlink()
    (fourth / "words-half.parquet").write_bytes(b"PAR1")
    again = train(InlineSession(), corpus, output, CONFIG)
    assert again.seen == [4] and again.uri != str(fourth) and again.bytes == whole[1].bytes


def test_a_run_that_was_overtaken_begins_and_declares_no_round(corpus, tmp_path):
    claim = Held()
    staging = Staging(str(tmp_path), claim)

    def overtaken(number: int) -> None:
        claim.lost = number == 2

    with pytest.raises(OutputError, match="another run has taken over"):
        train(InlineSession(), corpus, tmp_path, CONFIG, overtaken, staging)
    assert staging.record("rounds/f", "000002") is not None
    assert not (tmp_path / "staging" / "rounds" / "f" / "000003").exists()
