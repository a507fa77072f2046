"""Counts that are kept for each file: a run counts only new files, and its sums are those of a full count."""

import gzip
import json
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import run_here
from outputs import flip_bit
from pyspark.sql import SparkSession

import w2vspark
from w2vspark.base.errors import InputError
from w2vspark.methods import corpus as steps
from w2vspark.methods import partial_counts
from w2vspark.stages import corpus as reading
from w2vspark.stages import input_units
from w2vspark.stages.word_counts import read_report
from w2vspark.storage.listed import read_listed

DAY = 86_400


@pytest.fixture(autouse=True)
def every_file_is_a_unit(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_units, "SMALL_BYTES", 0)


def lines(seed: int, count: int = 30) -> list[str]:
    draw = random.Random(seed)
    words = [f"w{int(draw.paretovariate(0.6)) % 300}" for _ in range(count * 12)]
    return [" ".join(words[12 * n : 12 * n + 12]) for n in range(count)]


def write(file: Path, content: list[str]) -> Path:
    file.parent.mkdir(exist_ok=True)
    file.write_text("".join(line + "\n" for line in content))
    return file


def counted(corpus: Any, output: Path, until: str = "word_counts", **settings: Any) -> w2vspark.Result:
    chosen = {name.replace("__", "."): value for name, value in settings.items()}
    return w2vspark.train(corpus, output, settings=chosen, until=until)


def words_of(result: w2vspark.Result) -> dict[str, int]:
    table = read_listed(result.tables["word_counts"], filters=[("kind", "==", "word")])
    found = dict(zip(table["word"].to_pylist(), table["count"].to_pylist(), strict=True))
    assert len(found) == table.num_rows, "a word stands twice"
    return found


def expected(corpus: Path) -> dict[str, int]:
    return dict(Counter(word for file in corpus.glob("*.txt") for word in file.read_text().split()))


def tables(output: Path, name: str = "partial_word_counts") -> list[Path]:
    """The attempts at a table that consists of several, the oldest first."""
    return sorted(path.with_suffix("") for path in (output / "staging" / name).glob("*/*.json"))


def units(attempt: Path) -> list[str]:
    record = json.loads(attempt.with_suffix(".json").read_text())["record"]
    return [Path(name).name for name, _ in record["units"]]


def put_other_bytes(file: Path) -> None:
    """Other content of the same size and time: who reads the file gets other counts."""
    before = file.stat()
    file.write_text("x" * (before.st_size - 1) + "\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_run_counts_only_new_files_and_its_sums_are_those_of_a_full_count(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(3):
        write(corpus / f"{number}.txt", lines(number))
    whole = expected(corpus)
    assert words_of(counted(corpus, output)) == whole

    day = write(corpus / "3.txt", lines(3))
    for number in range(3):
        put_other_bytes(corpus / f"{number}.txt")
    result = counted(corpus, output)
    assert words_of(result) == dict(Counter(whole) + Counter(day.read_text().split()))
    assert read_report(result.tables["word_counts"])["documents"] == 120
    assert [units(attempt) for attempt in tables(output)] == [["0.txt", "1.txt", "2.txt"], ["3.txt"]]

    changed = write(corpus / "0.txt", lines(9, count=7))  # the others have other bytes now, which nobody reads
    (corpus / "1.txt").unlink()
    put_other_bytes(day)
    result = counted(corpus, output)
    rest = Counter(word for line in [*lines(2), *lines(3)] for word in line.split())
    assert words_of(result) == dict(rest + Counter(changed.read_text().split()))
    assert read_report(result.tables["word_counts"])["documents"] == 67
    assert units(tables(output)[-1]) == ["0.txt"]


def test_files_that_come_back_are_not_counted_again(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(2):
        write(corpus / f"{number}.txt", lines(number))
    both = words_of(counted(corpus, output))
    alone = words_of(counted(corpus / "0.txt", output))
    assert alone == dict(Counter(word for line in lines(0) for word in line.split()))
    assert words_of(counted(corpus, output)) == both
    assert len(tables(output)) == 1


def test_the_first_pass_of_phrases_counts_only_new_files_too(tmp_path: Path) -> None:
    corpus, settings = tmp_path / "corpus", {"phrases__thresholds": [3.0, 2.0], "phrases__connector_words": ["w1"]}
    for number in range(3):
        write(corpus / f"{number}.txt", [line.replace("w2 ", "new york city ") for line in lines(number, count=60)])
        part = counted(corpus, tmp_path / "output", **settings)
    whole = counted(corpus, tmp_path / "whole", **settings)
    assert [units(attempt) for attempt in tables(tmp_path / "output", "partial_phrases")] == [
        ["0.txt"], ["1.txt"], ["2.txt"],
    ]  # fmt: skip
    assert words_of(part) == words_of(whole)
    for number in (1, 2):
        found, wanted = (
            read_listed(f"{result.tables['phrases']}/pass-{number}").sort_by(
                [("left", "ascending"), ("right", "ascending")]
            )
            for result in (part, whole)
        )
        assert found.num_rows > 0 and found.equals(wanted)


def test_other_settings_count_anew_and_old_partial_counts_go(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    write(corpus / "0.txt", ["Aa Bb aa", "C"])
    assert words_of(counted(corpus, output)) == {"aa": 2, "bb": 1, "c": 1}
    assert words_of(counted(corpus, output, tokens__lowercase=False)) == {"Aa": 1, "aa": 1, "Bb": 1, "C": 1}
    assert len(tables(output)) == 1
    assert len(list((output / "staging" / "partial_word_counts").iterdir())) == 1


def test_many_tables_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partial_counts, "MOST_TABLES", 2)
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(3):
        write(corpus / f"{number}.txt", lines(number))
        if number == 2:
            (corpus / "0.txt").unlink()
        result = counted(corpus, output)
        assert words_of(result) == expected(corpus)
    assert [units(attempt) for attempt in tables(output)] == [["1.txt", "2.txt"]]
    write(corpus / "3.txt", lines(3))
    assert words_of(counted(corpus, output)) == expected(corpus)
    assert [len(units(attempt)) for attempt in tables(output)] == [2, 1]


def test_a_run_that_dies_after_it_counted_does_not_count_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    counted(write(tmp_path / "other" / "1.txt", lines(1)), output)  # a run that makes the output leaves nothing behind
    file = write(corpus / "0.txt", lines(0))
    whole = expected(corpus)
    with monkeypatch.context() as patch:
        patch.setattr(steps, "read_report", lambda _uri: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            counted(corpus, output)
    put_other_bytes(file)
    assert words_of(counted(corpus, output)) == whole


def test_a_run_that_dies_while_it_counts_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    write(corpus / "0.txt", lines(0))
    really = partial_counts.write_table

    def dies(*arguments: Any) -> int:
        really(*arguments)
        raise InputError("the end")

    counted(corpus, output)  # so that the output stays
    write(corpus / "1.txt", lines(1))
    with monkeypatch.context() as patch:
        patch.setattr(partial_counts, "write_table", dies)
        with pytest.raises(InputError, match="the end"):
            counted(corpus, output)
    assert len(list((output / "staging" / "partial_word_counts").glob("*/*"))) == 2, "one attempt and its record"
    assert words_of(counted(corpus, output)) == expected(corpus)


def test_a_damaged_partial_table_is_made_again(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(2):
        write(corpus / f"{number}.txt", lines(number))
        counted(corpus, output)
    (file,) = tables(output)[0].glob("*.parquet")
    flip_bit(file, 3)
    write(corpus / "2.txt", lines(2))
    assert words_of(counted(corpus, output)) == expected(corpus)
    for file in tables(output)[0].glob("*.parquet"):
        file.unlink()
    write(corpus / "3.txt", lines(3))
    assert words_of(counted(corpus, output)) == expected(corpus)


def test_json_parquet_and_compressed_files_are_counted_one_by_one(tmp_path: Path) -> None:
    rows = [[{"id": f"{number}-{n}", "text": line} for n, line in enumerate(lines(number))] for number in range(2)]
    rows[1][0]["id"] = "0-0"
    whole = Counter(word for number in range(2) for line in lines(number) for word in line.split())
    for format in ("json", "parquet", "json.gz"):
        corpus, output = tmp_path / format, tmp_path / f"{format}-output"
        corpus.mkdir()
        for number, of_file in enumerate(rows):
            file = corpus / f"{number}.{format}"
            text = "".join(json.dumps(row) + "\n" for row in of_file) + ("{cut\n" * number)
            if format == "parquet":
                pq.write_table(pa.Table.from_pylist(of_file), file)
            elif format == "json":
                file.write_text(text)
            else:
                file.write_bytes(gzip.compress(text.encode()))
            settings = {
                "input__format": format.partition(".")[0],
                "input__id_column": "id",
                "input__max_malformed": 0.5,
            }
            result = counted(corpus, output, **settings)
        assert words_of(result) == whole, format
        assert [units(attempt) for attempt in tables(output)] == [[f"0.{format}"], [f"1.{format}"]]
        report = read_report(result.tables["word_counts"])
        assert (report["documents"], report["malformed_rows"]) == ((60, 0) if format == "parquet" else (61, 1))
        record = next((output / "staging" / "word_counts").glob("*/*.json"))
        assert json.loads(record.read_text())["record"]["duplicate_ids"] == 1


def test_too_many_malformed_rows_in_all_files_together_stop_the_run(tmp_path: Path) -> None:
    corpus, settings = tmp_path / "corpus", {"input__format": "json", "input__max_malformed": 0.3}
    write(corpus / "0.json", ['{"text": "one two"}'] * 6)
    counted(corpus, tmp_path / "output", **settings)
    write(corpus / "1.json", ['{"text": "one'] * 3)
    with pytest.raises(InputError, match="3 of 9 rows are malformed"):
        counted(corpus, tmp_path / "output", **settings)
    (corpus / "1.json").unlink()
    assert words_of(counted(corpus, tmp_path / "output", **settings)) == {"one": 6, "two": 6}


def test_names_with_odd_characters_are_files_like_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus, output = tmp_path / "a b%20+é", tmp_path / "output"
    for name in ("[1] {a,b}.txt", "a\\*?.txt", "100% #1.txt"):
        write(corpus / name, lines(len(name)))
        assert words_of(counted(str(tmp_path / "a b*"), output)) == expected(corpus)
    assert len(tables(output)) == 3
    monkeypatch.setattr(reading, "_crc32", lambda _name: 1)  # as if two names had one checksum
    assert words_of(counted(str(tmp_path / "a b*"), tmp_path / "other")) == expected(corpus)


def test_small_files_of_a_folder_and_a_day_are_one_unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_units, "SMALL_BYTES", 1000)
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(4):
        file = write(corpus / f"{number}.txt", lines(number, count=9 if number < 3 else 90))
        os.utime(file, (0, (DAY if number else 2 * DAY) + number))
    counted(corpus, output)
    assert units(tables(output)[0]) == ["* of 1970-01-02", "* of 1970-01-03", "3.txt"]
    file = write(corpus / "4.txt", lines(4, count=9))
    os.utime(file, (0, 3 * DAY))
    assert words_of(counted(corpus, output)) == expected(corpus)
    assert units(tables(output)[-1]) == ["* of 1970-01-04"]


def test_a_file_that_two_paths_name_is_counted_as_spark_reads_it_and_not_apart(tmp_path: Path) -> None:
    file = write(tmp_path / "corpus" / "0.txt", lines(0))
    result = counted([tmp_path / "corpus", file], tmp_path / "output")
    assert words_of(result) == expected(tmp_path / "corpus")
    assert not tables(tmp_path / "output")


def test_a_file_that_comes_while_the_corpus_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(2):
        write(tmp_path / "corpus" / f"{number}.txt", lines(number))
    really = steps.countable_files
    monkeypatch.setattr(steps, "countable_files", lambda config: (really(config) or [])[:1])
    with pytest.raises(InputError, match=r"changed while it was read: .*1\.txt was not there before"):
        counted(tmp_path / "corpus", tmp_path / "output")


def test_clean_deletes_counts_of_files_that_are_gone_or_have_changed_and_keeps_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    for number in range(3):
        write(corpus / f"{number}.txt", lines(number))
    monkeypatch.chdir(tmp_path)
    whole = words_of(counted("corpus", output))
    monkeypatch.chdir(output)
    assert run_here("clean", str(output)).assert_done().out == "nothing to delete\n"
    write(corpus / "1.txt", lines(8))
    (corpus / "2.txt").unlink()
    (old,) = tables(output)
    note = f"  {old} (gone or changed: {corpus}/1.txt, {corpus}/2.txt)\n"
    assert run_here("clean", str(output), "--dry-run").assert_done().out.endswith(note)
    assert old.exists()
    assert run_here("clean", str(output)).assert_done().out == "deleted:\n" + note
    (new,) = tables(output)
    assert not old.exists() and units(new) == ["0.txt"]
    kept = pq.read_table(new)
    assert Counter({row["key"]: row["count"] for row in kept.to_pylist() if row["kind"] == "word"}) == Counter(
        word for line in lines(0) for word in line.split()
    )
    put_other_bytes(corpus / "0.txt")
    write(corpus / "2.txt", lines(2))
    write(corpus / "1.txt", lines(1))
    assert words_of(counted(corpus, output)) == whole
    for file in corpus.iterdir():
        file.unlink()
    assert "and 1 more" not in run_here("clean", str(output)).assert_done().out
    assert not tables(output)
