"""`w2vspark report`: a page about the current version, or about an old one, in a file elsewhere."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run_here
from outputs import publish_version

from w2vspark.base import schemas
from w2vspark.report import word_map


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions of 50 words: too few for a map, which would take long."""
    folder = tmp_path_factory.mktemp("report") / "vectors"
    for number in (1, 2, 3):
        ids, words = list(range(50)), [f"word{row}" for row in range(50)]
        vectors = [[float(row == column) + number / (row + 1) for column in range(8)] for row in range(50)]
        table = pa.table([ids, words, [100 - row for row in ids], vectors], schema=schemas.VECTORS)
        publish_version(folder, f"{number:06}", {"vectors": table}, method="skipgram-ns")
    return folder


def data_of(file: Path) -> dict[str, object]:
    text = file.read_text("utf-8").partition('id="data">')[2].partition("</script>")[0]
    found: dict[str, object] = json.loads(text)
    return found


def names(file: Path) -> tuple[str, str | None]:
    """The version that a report is about, and the one it compares with."""
    data = data_of(file)
    return data["about"]["version"], data["previous"] and data["previous"]["version"]


def test_the_current_version_is_compared_with_the_one_before_it(output, tmp_path):
    said = run_here("report", str(output), "--out", str(tmp_path / "r.html"), "--json").assert_done().out
    size = (tmp_path / "r.html").stat().st_size
    assert json.loads(said) == {
        "file": str(tmp_path / "r.html"), "bytes": size, "version": "000003", "compared_with": "000002",
    }  # fmt: skip
    assert names(tmp_path / "r.html") == ("000003", "000002")
    assert ["training.method"] not in [row[:1] for row in data_of(tmp_path / "r.html")["settings"]]
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


def test_an_old_version_and_the_one_to_compare_with_can_be_named(output, tmp_path):
    old = output / "versions" / "000002"
    before = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    said = run_here("report", str(old), "--out", str(tmp_path / "a.html")).assert_done().out
    assert said.startswith(f"{tmp_path / 'a.html'}: version 000002, compared with version 000001, 0.")
    run_here("report", str(output), "--out", str(tmp_path / "b.html"), "--compare", "1").assert_done()
    run_here("report", str(output / "versions" / "000001"), "--out", str(tmp_path / "c.html")).assert_done()
    assert [names(tmp_path / f"{name}.html") for name in "abc"] == [
        ("000002", "000001"), ("000003", "000001"), ("000001", None),
    ]  # fmt: skip
    assert before == {path: path.stat().st_mtime_ns for path in output.rglob("*")}


def test_a_copy_of_a_version_has_a_report_without_an_earlier_one(output, tmp_path):
    shutil.copytree(output / "versions" / "000002", tmp_path / "copy")
    run_here("report", str(tmp_path / "copy"), "--out", str(tmp_path / "r.html")).assert_done()
    assert names(tmp_path / "r.html") == ("copy", None)
    error = run_here("report", str(tmp_path / "copy"), "--out", str(tmp_path / "s.html"), "--compare", "1")
    error.assert_one_error(4, "is not in an output folder")


def test_a_damaged_earlier_version_is_passed_over(output, tmp_path):
    shutil.copytree(output, tmp_path / "vectors")
    next((tmp_path / "vectors" / "versions" / "000002" / "vectors").glob("*.parquet")).unlink()
    run_here("report", str(tmp_path / "vectors"), "--out", str(tmp_path / "r.html")).assert_done()
    assert names(tmp_path / "r.html") == ("000003", "000001")


def test_mistakes_are_one_line_and_write_nothing(output, tmp_path):
    file = tmp_path / "r.html"
    report = ["report", str(output), "--out", str(file)]
    run_here(*report, "--compare", "7").assert_one_error(4, "has no version 7", "000001, 000002, 000003")
    run_here(*report, "--compare", "3").assert_one_error(2, "--compare 3", "the version that the report is about")
    run_here("report", str(tmp_path), "--out", str(file)).assert_one_error(4, "has no published version")
    run_here("report", str(tmp_path / "no"), "--out", str(file)).assert_one_error(4, "is not there")
    run_here("report", str(output), "--out", str(tmp_path)).assert_one_error(4, "is a folder")
    run_here("report", str(output), "--out", "s3://bucket/r.html").assert_one_error(2, "local file")
    run_here("report", str(output), "--out", str(tmp_path / "no" / "r.html")).assert_one_error(4, "cannot be written")
    folded = pa.table([["a"], [[1.0]]], schema=schemas.DOCUMENTS)
    publish_version(tmp_path / "fold", "000001", {"documents": folded}, job="fold")
    error = run_here("report", str(tmp_path / "fold"), "--out", str(file))
    error.assert_one_error(4, "fold has published no table of word vectors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fold"]


def test_a_file_that_is_there_is_replaced_only_with_overwrite(output, tmp_path):
    file = tmp_path / "r.html"
    file.write_text("mine")
    run_here("report", str(output), "--out", str(file)).assert_one_error(4, "is there already", "--overwrite")
    assert file.read_text() == "mine"
    run_here("report", str(output), "--out", str(file), "--overwrite").assert_done()
    assert names(file) == ("000003", "000002")


def test_no_map_is_made_for_a_version_that_has_one(output, tmp_path, monkeypatch):
    monkeypatch.setattr(word_map, "places_of", lambda unit: pytest.fail("a map was made"))
    table = pa.table(
        [list(range(50)), [f"word{row}" for row in range(50)], [0.5] * 50, [1.0] * 50, [0] * 50], schema=schemas.MAP
    )
    vectors = pq.read_table(output / "versions" / "000003" / "vectors")
    publish_version(tmp_path / "o", "000001", {"vectors": vectors, "map": table})
    run_here("report", str(tmp_path / "o"), "--out", str(tmp_path / "r.html")).assert_done()
    assert data_of(tmp_path / "r.html")["map"]["clusters"][0][1] == 50
