"""A run that is killed at any moment harms nothing, and the same command goes on from the last whole round.

The round engine by one method; what every method must keep between rounds is in test_methods.py.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import planted
import pyarrow.parquet as pq
import pytest
from commands import COMMAND, current, digests, options, run_here, version_folder

ROUNDS = 6
SETTINGS: dict[str, object] = {
    "training__shards": 2,
    "training__lanes": 2,
    "training__rounds_per_epoch": 2,
    "training__epochs": 3,
    "training__dimensions": 20,
    "training__subsample": 0.01,
    "training__lane_merge_tokens": 1000,
    "spark__master": "local[2]",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("resume") / "corpus", planted.documents(300, seed=6))


@pytest.fixture(scope="module")
def uninterrupted(spark: object, corpus: Path) -> dict[str, str]:
    """The bytes of a run that nobody killed."""
    run_here(*command(corpus, corpus.parent / "whole")).assert_done()
    return digests(corpus.parent / "whole")


@pytest.fixture
def draw() -> random.Random:
    """Decides when the run is killed; pytest shows the seed of a test that fails."""
    seed = random.SystemRandom().randrange(1 << 32)
    sys.stdout.write(f"seed {seed}\n")
    return random.Random(seed)


def command(corpus: Path, output: Path, **settings: object) -> list[str]:
    """`w2vspark run` of this module."""
    chosen: dict[str, object] = {"input__path": corpus, "output__path": output}
    return ["run", *options(**(chosen | SETTINGS | settings))]


@contextmanager
def killed_after(words: list[str], moment: str, delay: float, folder: Path) -> Iterator[str]:
    """Start the command and SIGKILL its process group `delay` after its log shows `moment`; gives the log.

    The delay is in seconds, or in the unit that the expression's group finds: how long the last round took, but a
    second at most, since the first, in which the workers start, takes as long as several.
    """
    log = folder / "killed.log"
    with log.open("w") as stream:
        process = subprocess.Popen([COMMAND, *words], stdout=stream, stderr=stream, start_new_session=True)
    try:
        deadline = time.monotonic() + 200
        while not (shown := re.search(moment + r"\b.*\n", log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.01)
        time.sleep(delay * min(1.0, float(shown[1] if shown.groups() else 1)))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL, log.read_text()[-4000:]
    yield log.read_text()


def trained_rounds(log: str) -> list[int]:
    """The rounds that a run trained, as its log says."""
    return [int(number) for number in re.findall(r"stage=round event=end round=(\d+)", log)]


def made_stages(log: str) -> dict[str, bool]:
    """Stages that a run came past, and whether it made their tables."""
    return {name: made == "True" for name, made in re.findall(r"stage=(\w+) event=end made=(True|False)", log)}


def last_record(output: Path) -> tuple[int, list[dict[str, float]]]:
    """The last whole round that is in the staging folder, and the metrics up to it."""
    (table,) = [name for name in ("rounds", "svd") if (output / "staging" / name).exists()]
    records = sorted((output / "staging" / table).glob("*/0*/0*.json"))
    metrics = [row for record in records for row in json.loads(record.read_text())["record"].get("metrics", [])]
    return int(records[-1].parent.name), metrics


def test_a_run_killed_in_a_round_resumes_from_the_round_before_and_ends_with_the_same_bytes(
    corpus, uninterrupted, draw, tmp_path
):
    before = draw.randrange(1, ROUNDS - 1)  # whole rounds before the one that is killed
    output = tmp_path / "output"
    words = command(corpus, output)
    moment = rf"stage=round event=end round={before} .*seconds=([\d.]+)"
    with killed_after(words, moment, draw.random(), tmp_path) as log:
        done, metrics = last_record(output)
        assert before <= done < ROUNDS
        assert trained_rounds(log)[:before] == list(range(1, before + 1))
    assert not (output / "current.json").exists()

    resumed = run_here(*words).assert_done()
    assert trained_rounds(resumed.err) == list(range(done + 1, ROUNDS + 1))
    tables_before = dict.fromkeys(["word_counts", "vocabulary", "encoded", "bucket_counts"], False)
    assert made_stages(resumed.err) == tables_before | {"rounds": True, "version": True}
    assert digests(output) == uninterrupted
    # The published times of the rounds before are those that the killed process measured.
    published = pq.read_table(version_folder(output) / "metrics").to_pylist()
    assert published[: len(metrics)] == metrics
    assert len(published) == 2 * ROUNDS
    assert run_here(*words).assert_done().out.startswith("nothing to do")


@pytest.mark.slow
def test_a_run_killed_while_it_encodes_leaves_no_half_table_behind(corpus, uninterrupted, draw, tmp_path):
    output = tmp_path / "output"
    words = command(corpus, output)
    with killed_after(words, "stage=encoded event=start", 0.5 * draw.random(), tmp_path) as log:
        finished = made_stages(log)
    resumed = run_here(*words).assert_done()
    made = made_stages(resumed.err)
    assert not made["word_counts"] and not made["vocabulary"]
    assert made["encoded"] or "encoded" in finished
    assert digests(output) == uninterrupted


def test_a_run_killed_while_it_publishes_leaves_the_old_version_readable(corpus, uninterrupted, draw, tmp_path):
    output = tmp_path / "output"
    run_here(*command(corpus, output, training__seed=2)).assert_done()
    old = digests(output)
    assert old != uninterrupted
    words = command(corpus, output)
    with killed_after(words, "stage=version event=start", 0.3 * draw.random(), tmp_path) as log:
        assert "stage=version event=end" not in log
    assert current(output)["version"] == "000001"
    assert digests(output) == old
    assert run_here("similar", str(output), planted.country(0)).code == 0

    resumed = run_here(*words).assert_done()
    assert trained_rounds(resumed.err) == []
    assert digests(output) == uninterrupted
    assert current(output)["path"] == "versions/" + str(current(output)["version"])
    assert json.loads((version_folder(output) / "manifest.json").read_text())["config"]["training"]["seed"] == 1
