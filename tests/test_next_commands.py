"""The commands that a run suggests at its end."""

import shlex
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import options, run_here

from w2vspark import storage
from w2vspark.methods.next_commands import telling_words


def suggested(words: list[str], folder: Path) -> list[str]:
    (folder / "vocabulary").mkdir()
    rows = pa.table({"id": pa.array(range(len(words)), pa.int32()), "word": words})
    pq.write_table(rows, folder / "vocabulary" / "part-0.parquet")
    version = SimpleNamespace(reading=lambda _: nullcontext(), table=lambda name: storage.join(str(folder), name))
    return telling_words(version)


@pytest.mark.parametrize(
    "words, expected",
    [
        (
            ["the", "of", *("a" * 3 for _ in range(18)), "internationalisation", "thread", "socket"],
            ["thread", "socket"],
        ),
        (["--help", "-x", "'quoted'"], ["'quoted'"]),
        (["的", "是", "人"], ["的", "是"]),
        ([], []),
    ],
    ids=["frequent and plain", "no options", "chinese", "none"],
)
def test_the_words_are_frequent_plain_and_no_options(words, expected, tmp_path):
    assert suggested(words, tmp_path) == expected


@pytest.mark.parametrize("method, first", [("skipgram-ns", "similar"), ("lsa", "search")])
def test_the_commands_that_are_printed_work(spark, method, first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    planted.write_lines(tmp_path / "text", planted.documents(60, seed=8))
    words = options(
        input__path="text", output__path="my vectors", vocabulary__min_count=2, training__method=method,
        training__dimensions=4,
    )  # fmt: skip
    printed = run_here("run", *words).assert_done().out.partition("try next:\n")[2]
    commands = [shlex.split(line)[1:] for line in printed.splitlines()]
    assert commands[0][0] == first and len(commands) >= 3
    for command in commands:
        run_here(*command).assert_done()
    held = run_here("run", *words, "--set", "training.seed=2", "--hold").assert_done()
    commands = [shlex.split(line)[1:] for line in held.out.partition("try next:\n")[2].splitlines()]
    assert commands[0][:2] == ["promote", "my vectors"] and "versions" not in [command[0] for command in commands]
    assert (tmp_path / "my vectors.txt").exists()
    for command in commands:
        run_here(*command).assert_done()
