"""The marker: what makes a folder ours, and what is said about all other folders."""

import json
import os
import threading
from pathlib import Path

import pytest

from w2vspark import storage
from w2vspark.base.errors import OutputError
from w2vspark.output import marker as marker_module
from w2vspark.output.marker import Kind, check_output, create_marker, read_marker


def put(output: str, *names: str) -> None:
    for name in names:
        storage.write_text(storage.join(output, name), "{}")


def refused(output: str, kind: Kind = "method") -> str:
    with pytest.raises(OutputError) as caught:
        check_output(output, kind)
    return str(caught.value)


def test_a_missing_or_empty_folder_is_fine(output: str, tmp_path: Path) -> None:
    check_output(output, "method")
    (tmp_path / "empty").mkdir()
    check_output(str(tmp_path / "empty"), "job")


@pytest.mark.parametrize("hidden", [".snapshot/hourly/x", ".DS_Store", "._x"])
def test_names_that_begin_with_a_dot_are_no_content(output: str, hidden: str) -> None:
    put(output, hidden)
    check_output(output, "method")


@pytest.mark.parametrize("kind", ["method", "job"])
def test_a_marker_makes_the_folder_ours_and_stays_as_it_is(output: str, kind: Kind) -> None:
    create_marker(output, kind)
    first = read_marker(output)
    assert first is not None and (first["format"], first["kind"]) == (1, kind)
    assert set(first) == {"format", "kind", "w2vspark", "created"}
    put(output, "anything", "versions/000001/manifest.json")
    check_output(output, kind)
    before = storage.read_bytes(storage.join(output, "w2vspark.json"))
    create_marker(output, kind)
    assert storage.read_bytes(storage.join(output, "w2vspark.json")) == before
    assert [name for name in storage.list_names(output) if name.startswith(".")] == []


def test_a_folder_of_somebody_elses_is_refused_and_says_what_is_there(output: str) -> None:
    put(output, *(f"file-{number}" for number in range(9)))
    words = refused(output)
    assert "file-0, file-1, file-2, file-3, file-4)" in words and "name a new or an empty folder" in words


def test_what_a_failed_first_run_may_leave_behind_is_no_stranger(tmp_path: Path) -> None:
    attempt = tmp_path / "staging" / "word_counts" / "0123456789abcdef" / "000001-01234567"
    attempt.mkdir(parents=True)
    (attempt / "part-0.parquet").write_text("late")
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / ".nfs0001").write_text("open elsewhere")
    check_output(str(tmp_path), "method")
    attempt.with_name(f"{attempt.name}.json").write_text("a record")
    with pytest.raises(OutputError, match=r"has no w2vspark\.json"):
        check_output(str(tmp_path), "method")


@pytest.mark.parametrize("name", ["versions/20240131/x", "staging/vectors/x/y", "current.json/x", "claims/000001.json"])
def test_a_name_that_we_use_does_not_make_a_folder_ours(output: str, name: str) -> None:
    put(output, name, "report.csv")
    assert "report.csv" in refused(output)


@pytest.mark.parametrize(
    "names",
    [
        ["current.json", "versions/000001/manifest.json"],
        ["current.json", "versions/000001/x", "staging/x", "note.txt"],
        ["lock.json", "staging/x"],
    ],
)
def test_an_output_of_before_markers_is_refused_with_what_to_do(output: str, names: list[str]) -> None:
    put(output, *names)
    words = refused(output)
    assert "was made by w2vspark before" in words
    assert "name a new folder, and delete this one when nothing reads it any more" in words


def test_folders_with_our_names_alone_are_not_said_to_be_old_outputs(output: str) -> None:
    put(output, "versions/20240131/x", "staging/x")
    assert "delete" not in refused(output) and "holds something else" in refused(output)


def test_an_output_that_lost_its_marker_is_told_how_to_get_it_back(output: str) -> None:
    put(output, "claims/000001.json", "versions/000001/manifest.json", "current.json")
    words = refused(output)
    assert 'write {"format": 1, "kind": "method"} into it' in words and "delete" not in words


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    assert "a file" in refused(str(tmp_path / "out"))


def test_the_other_kind_is_refused_with_what_the_folder_holds(output: str) -> None:
    create_marker(output, "method")
    assert "holds the tables of a run; name another folder for those of a job" in refused(output, "job")
    with pytest.raises(OutputError, match="holds the tables of a run"):
        create_marker(output, "job")


def test_the_tables_of_a_job_are_no_place_for_a_run(output: str) -> None:
    create_marker(output, "job")
    assert "holds the tables of a job; name another folder for a run" in refused(output, "method")


def test_a_marker_of_a_newer_format_names_both_formats(output: str) -> None:
    storage.write_text(storage.join(output, "w2vspark.json"), json.dumps({"format": 7, "kind": "lake", "new": True}))
    words = refused(output)
    assert "has format 7" in words and "knows up to 1" in words and "newer w2vspark" in words


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "{}", '{"format": "1"}', '{"format": true}', '{"format": 0}', '{"format": 1}',
             '{"format": 1, "kind": []}', '{"format": 1, "kind": "lake"}', "\udcff"],
)  # fmt: skip
def test_a_damaged_marker_is_an_error_that_says_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "w2vspark.json").write_bytes(text.encode(errors="surrogateescape"))
    words = refused(str(tmp_path))
    assert "w2vspark.json: is not a marker of w2vspark" in words and '{"format": 1, "kind": "method"}' in words


def test_of_many_at_once_one_makes_the_marker(output: str) -> None:
    gate, seen, failed = threading.Barrier(8), [], []

    def run(kind: Kind) -> None:
        gate.wait()
        try:
            create_marker(output, kind)
            seen.append(kind)
        except OutputError:
            failed.append(kind)

    threads = [threading.Thread(target=run, args=(("method", "job")[number % 2],)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1 and len(set(failed)) == 1 and set(seen) != set(failed)
    assert (len(seen), len(failed)) == (4, 4)


def test_a_marker_that_appears_while_we_look_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really_list = storage.list_names

    def list_names(uri: str) -> list[str]:
        monkeypatch.undo()
        create_marker(str(tmp_path), "method")
        (tmp_path / "claims").mkdir()
        return really_list(uri)

    monkeypatch.setattr(marker_module.storage, "list_names", list_names)
    check_output(str(tmp_path), "method")


def test_a_single_writer_makes_a_marker_without_conditions(output: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marker_module, "Store", None)
    monkeypatch.setattr(os, "link", None)
    create_marker(output, "job", single_writer=True)
    check_output(output, "job")
