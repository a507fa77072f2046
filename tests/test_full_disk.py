"""A disk that is full, wherever it is met, ends a run with 5 and one line that says which disk and what to do."""

import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commands import options, run_command, run_here

FULL = "No space left on device"
SETTINGS: dict[str, object] = {
    "spark__master": "local[2]",
    "training__dimensions": 300,
    "training__epochs": 1,
    "vocabulary__min_count": 1,
}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk of its own; size as mount takes it: 2m."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mounted(size: str) -> Path:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"this system lets the tests mount no disk: {done.stderr.strip()}")
        return folder

    yield mounted
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """500,000 words of text, of 1,000 different ones."""
    draw = random.Random(3)
    words = [f"word{number}" for number in range(1000)]
    file = tmp_path_factory.mktemp("full") / "corpus.txt"
    file.write_text("".join(" ".join(draw.choices(words, k=200)) + "\n" for _ in range(2500)))
    return file


def test_a_full_disk_of_sparks_own_files_is_one_clear_error(disk, corpus, tmp_path):
    scratch = disk("512k")
    words = options(input__path=corpus, output__path=tmp_path / "output", **SETTINGS)
    done = run_command("run", *words, "--set", f"spark.options.spark.local.dir={scratch}")
    done.assert_one_error(5, FULL, "spark.local.dir", str(scratch), "free space there")
    odd = [line for line in done.err.splitlines() if " INFO " not in line and "incubator modules" not in line]
    assert len(odd) == 1, done.err


def test_a_disk_on_which_spark_cannot_start_is_one_clear_error(disk, corpus, tmp_path):
    scratch = disk("64k,nr_inodes=1")  # it has room for no folder
    words = options(input__path=corpus, output__path=tmp_path / "output", **SETTINGS)
    done = run_command("run", *words, "--set", f"spark.options.spark.local.dir={scratch}")
    done.assert_one_error(5, "Spark did not start", "see the messages above")
    assert f"Failed to create local dir in {scratch}" in done.err
    odd = [line for line in done.err.splitlines() if " INFO " not in line and "incubator modules" not in line]
    assert len(odd) <= 3, done.err


@pytest.mark.parametrize(("size", "last"), [("512k", "encoded"), ("3m", "rounds")])
def test_a_full_disk_of_the_output_is_one_clear_error(size, last, disk, corpus, spark):
    folder = disk(size)
    done = run_here("run", *options(input__path=corpus, output__path=folder / "output", **SETTINGS))
    done.assert_one_error(5, FULL, "free space there")
    assert f"stage={last} event=start" in done.err and f"stage={last} event=end made" not in done.err
