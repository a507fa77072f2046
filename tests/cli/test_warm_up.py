"""Errors of `w2vspark warm-up`, and what it keeps. tests/test_wheel.py runs it where nothing is compiled yet."""

import json
from pathlib import Path

import pytest
from commands import run_command

from w2vspark.base.errors import EnvironmentFailure
from w2vspark.cli import measuring, warm_up
from w2vspark.flow.rates import rates_path, write_rates
from w2vspark.spark.class_archive import archive_path

JAVA = 'openjdk version "17.0.1"\nOpenJDK 64-Bit Server VM (build 17)'


def test_an_archive_and_rates_that_are_there_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(_folder: Path, java_options: str, measures: bool) -> str:
        asked.append((java_options, measures))
        if measures:
            write_rates({"a rate": 1.0})
        if java_options:
            Path(java_options.partition("ArchiveClassesAtExit=")[2].partition('"')[0]).write_text("classes")
        return ""

    asked: list[tuple[str, bool]] = []
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(warm_up, "require_java", lambda: JAVA)
    monkeypatch.setattr(warm_up, "_train", train)
    archive = archive_path(JAVA)
    for _ in range(2):
        where, text = warm_up.warm_up()
        assert where == str(archive) and f"Spark's classes are in {archive}" in text
        assert f"the rates of this machine, for --dry-run --cluster, are in {rates_path()}" in text
        assert archive.read_text() == "classes" and set(archive.parent.iterdir()) == {archive, rates_path()}
    assert asked[0][0] and asked[0][1] and asked[1] == ("", False)


def test_a_warm_up_whose_cache_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = {"XDG_CACHE_HOME": str(tmp_path / "file")}
    run_command("warm-up", environment=cache).assert_one_error(5, str(tmp_path / "file"), "set XDG_CACHE_HOME")


def test_a_warm_up_without_java_says_what_to_install(tmp_path: Path) -> None:
    broken = {"XDG_CACHE_HOME": str(tmp_path), "JAVA_HOME": "/nowhere"}
    run_command("warm-up", environment=broken).assert_one_error(5, "JAVA_HOME=/nowhere", "install OpenJDK")


def test_a_warm_up_on_a_busy_machine_has_compiled_the_kernels_and_says_what_is_missing(tmp_path, monkeypatch) -> None:
    def disturbed(_folder: Path) -> dict[str, float]:
        raise EnvironmentFailure("the rate of phrases cannot be measured")

    monkeypatch.setattr(measuring, "_rates", disturbed)
    measuring.measure(str(tmp_path))
    assert json.loads((tmp_path / measuring.MEASURED).read_text()) == {
        measuring.PROBLEM: "the rate of phrases cannot be measured"
    }
    monkeypatch.setattr(warm_up, "require_java", lambda: JAVA)
    monkeypatch.setattr(warm_up, "is_hotspot", lambda _: False)
    monkeypatch.setattr(warm_up, "_train", lambda *_, **__: "the rate of phrases cannot be measured")
    assert warm_up.warm_up()[1] == (
        "the kernels are compiled\nthis machine was not measured, so --dry-run --cluster cannot plan: the rate of "
        "phrases cannot be measured\n"
    )
