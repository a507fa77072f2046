"""Kernels that are compiled ahead, in a process of their own, once on a machine."""

import logging
import os
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import planted
import pytest
from commands import options, run_command

from w2vspark.flow import compiling
from w2vspark.flow.compiling import Compiling, make_tiny_tables
from w2vspark.methods import METHODS, load_config


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and a process that does what a test says in place of compiling."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "w2vspark"


def begun(method: str = "skipgram-ns", **settings: object) -> Compiling:
    chosen = {"input__path": "/in", "output__path": "/out", "training__method": method}
    work, config = load_config(None, options(**(chosen | settings))[1::2])
    return Compiling(work, config, tuple(step for step in work.steps if step.kernels))


def stamps(cache: Path) -> list[str]:
    return sorted(os.listdir(cache)) if cache.exists() else []


def test_what_was_compiled_once_is_not_compiled_again(cache, caplog, monkeypatch):
    monkeypatch.setattr(compiling, "PROGRAM", "")
    first = begun()
    with caplog.at_level(logging.INFO, logger="w2vspark"):
        first.wait()
    assert re.fullmatch(r"stage=kernels event=end made=True seconds=[\d.]+", caplog.messages[0])
    assert len(stamps(cache)) == 1 and not first.is_going_on()
    again = begun(training__epochs=7, vocabulary__min_count=2)
    assert not again.is_going_on()
    again.wait()
    assert len(caplog.messages) == 1
    begun("glove").wait()
    begun(training__cpu_target="host").wait()
    assert len(stamps(cache)) == 3, "other steps or another target are other kernels"


def test_a_failure_is_told_and_stops_no_run(cache, caplog, monkeypatch):
    monkeypatch.setattr(compiling, "PROGRAM", "import w2vspark.nowhere")
    with caplog.at_level(logging.WARNING, logger="w2vspark"):
        begun().wait()
    assert 'event=kernels_not_compiled_ahead why="ModuleNotFoundError: ' in caplog.messages[0] and stamps(cache) == []


def test_what_prevents_compiling_is_told_and_stops_no_run(cache, caplog, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    with caplog.at_level(logging.INFO, logger="w2vspark"):
        monkeypatch.setattr("sys.executable", str(tmp_path / "nowhere"))
        begun().wait()
        monkeypatch.setattr("sys.executable", "")
        begun().wait()
        monkeypatch.undo()
        monkeypatch.setattr(compiling, "PROGRAM", "")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
        begun().wait()
        monkeypatch.setattr(compiling, "PROGRAM", "import os; os._exit(1)")
        begun(input__path=["x" * 1000] * 1000).wait()
    told = [re.search(r"event=(kernels_not_compiled_ahead|compiled_not_noted)", text) for text in caplog.messages]
    assert [found[1] for found in told if found] == [
        "kernels_not_compiled_ahead",
        "compiled_not_noted",
        "kernels_not_compiled_ahead",
    ]


def test_a_work_that_cannot_be_sent_and_a_folder_that_cannot_be_made_stop_no_run(cache, caplog, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    work, config = load_config(None, options(input__path="/in", output__path="/out")[1::2])
    steps = tuple(step for step in work.steps if step.kernels)
    with caplog.at_level(logging.WARNING, logger="w2vspark"):
        Compiling(replace(work, tiny=lambda run: None), config, steps).wait()
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
        begun().wait()
    assert [text.partition(" ")[0] for text in caplog.messages] == ["event=kernels_not_compiled_ahead"] * 2
    assert "pickle" in caplog.messages[0] and "nowhere" in caplog.messages[1] and stamps(cache) == []
    assert list(tmp_path.glob("w2vspark-tiny-*")) == []


def test_the_process_ends_with_the_run(cache, monkeypatch, tmp_path):
    monkeypatch.setattr(compiling, "PROGRAM", "import time; time.sleep(100)")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    began = time.monotonic()
    going_on = begun()
    assert going_on.is_going_on() and len(list(tmp_path.glob("w2vspark-tiny-*"))) == 1
    going_on.end()
    assert list(tmp_path.glob("w2vspark-tiny-*")) == [], "its folder is gone"
    assert not going_on.is_going_on() and time.monotonic() - began < 50 and stamps(cache) == []


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"phrases__thresholds": [10, 5], "training__dimensions": 300, "training__cpu_target": "avx2"}],
    ids=["defaults", "settings"],
)
def test_the_tables_of_a_tiny_corpus_can_be_made_by_every_method(method, settings, tmp_path):
    words = ["input.path=/in", "output.path=/out", *options(training__method=method, **settings)[1::2]]
    work, config = load_config(None, words)
    make_tiny_tables(work, config, [step.table for step in work.steps if step.kernels], str(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        {"training__shards": 8, "training__lanes": 1},
        {"subwords__enabled": True},
        {"warm_start__path": "/nowhere", "training__rows": "slice"},
        {"training__subsample": 0.5, "training__epochs": 50, "training__rounds_per_epoch": 0.1},
    ],
    ids=str,
)
def test_the_settings_of_word2vec_can_be_compiled_ahead(settings, tmp_path):
    words = ["input.path=/in", "output.path=/out", *options(**settings)[1::2]]
    work, config = load_config(None, words)
    make_tiny_tables(work, config, [step.table for step in work.steps if step.kernels], str(tmp_path))


def test_steps_that_are_not_asked_for_are_not_compiled(tmp_path):
    work, config = load_config(None, ["input.path=/in", "output.path=/out", "training.method=glove"])
    made = []
    steps = tuple(
        replace(step, make=lambda run, step=step: made.append(step.table) or step.make(run)) for step in work.steps
    )
    make_tiny_tables(replace(work, steps=steps), config, ["cooccurrences"], str(tmp_path))
    assert made == ["cooccurrences"]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["skipgram-ns", "glove"])
def test_a_run_on_a_new_machine_compiles_ahead_all_that_it_needs(method, tmp_path):
    """No file comes into numba's cache after the kernels are said to be compiled."""
    planted.write_lines(tmp_path / "corpus", planted.documents(60, seed=8))
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "numba"), "XDG_CACHE_HOME": str(tmp_path / "xdg")}
    words = options(
        input__path=tmp_path / "corpus", output__path=tmp_path / "out", vocabulary__min_count=2,
        training__method=method, training__dimensions=10, spark__master="local[2]",
    )  # fmt: skip
    done = run_command("run", *words, environment=environment).assert_done()
    assert "stage=kernels event=end made=True" in done.err
    (stamp,) = (tmp_path / "xdg" / "w2vspark").glob("compiled-*")
    late = [path.name for path in (tmp_path / "numba").rglob("*.nb*") if path.stat().st_mtime > stamp.stat().st_mtime]
    assert late == []
