"""vocabulary.keep = "current": words keep their ids, and a run prepares only what is new; and the same from nothing."""

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import planted
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import manifest, version_folder
from pyspark.sql import SparkSession
from test_partial_counts import put_other_bytes, tables, write

import w2vspark
from w2vspark.base.errors import ConfigError
from w2vspark.methods import encoded_units as keeping
from w2vspark.stages import encoded_units, input_units
from w2vspark.stages.encoded import read_buckets
from w2vspark.storage.listed import read_listed
from w2vspark.vectors import load_vectors

SETTINGS: dict[str, Any] = {
    "vocabulary.keep": "current",
    "vocabulary.min_count": 3,
    "encoded.piece_tokens": 30,
    "training.dimensions": 8,
    "training.epochs": 1,
}


@pytest.fixture(autouse=True)
def every_file_is_a_unit(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_units, "SMALL_BYTES", 0)
    monkeypatch.setattr(encoded_units, "GROUP_TOKENS", 1)  # and a group


def run(corpus: Path, output: Path, until: str | None = None, **settings: Any) -> w2vspark.Result:
    chosen = SETTINGS | {name.replace("__", "."): value for name, value in settings.items()}
    return w2vspark.train(corpus, output, settings=chosen, until=until)


def documents(day: int) -> list[str]:
    """A day's documents, some with a word of the day that stands twice in them and in those of the next day."""
    found = planted.documents(12, seed=day)
    return [f"{line} day{day} day{day - 1}" if number < 2 else line for number, line in enumerate(found)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for day in (1, 2):
        write(tmp_path / "corpus" / f"{day}.txt", documents(day))
    return tmp_path / "corpus"


def words_of(uri: str | Path) -> list[str]:
    """The words in the order of their ids."""
    table = pq.read_table(uri)
    assert sorted(table["id"].to_pylist()) == list(range(len(table)))
    found: list[str] = table.sort_by("id")["word"].to_pylist()
    return found


def encoded_of(result: w2vspark.Result) -> list[tuple[Any, ...]]:
    """All rows of the table encoded, as the trainer reads them."""
    keys, starts, ids = read_buckets(result.tables["encoded"], 0, 1 << 30)
    rows = zip(*(keys[name].to_pylist() for name in keys.column_names), strict=True)
    return [(*row, *ids[a:b].tolist()) for row, a, b in zip(rows, starts, starts[1:], strict=False)]


def counts_of(result: w2vspark.Result) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    for row in read_listed(result.tables["bucket_counts"]).to_pylist():
        pieces, tokens = found.get(row["bucket"], (0, 0))
        found[row["bucket"]] = pieces + row["pieces"], tokens + row["tokens"]
    return found


def from_nothing(corpus: Path, output: Path, until: str, **settings: Any) -> w2vspark.Result:
    """The same run where staging is gone."""
    copy = output.with_name("copy")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(output, copy, ignore=shutil.ignore_patterns("staging"))
    return run(corpus, copy, until, **settings)


def test_words_keep_their_ids_and_only_new_text_is_encoded(corpus: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    run(corpus, output)
    old = words_of(version_folder(output) / "vocabulary")
    assert "day1" in old and "day2" not in old, "it occurs twice"
    write(corpus / "3.txt", documents(3))
    text = {file.name: file.read_text().split("\n")[:-1] for file in corpus.iterdir()}
    here = Counter(word for lines in text.values() for line in lines for word in line.split())
    expected = from_nothing(corpus, output, "bucket_counts")
    for day in (1, 2):
        put_other_bytes(corpus / f"{day}.txt")
    result = run(corpus, output, "bucket_counts")

    rows = read_listed(result.tables["vocabulary"]).to_pylist()
    new = sorted((word for word in here if here[word] >= 3 and word not in old), key=lambda word: (-here[word], word))
    assert [row["word"] for row in rows] == [*old, *new] and "day2" in new
    assert [row["count"] for row in rows] == [here[word] for word in [*old, *new]]
    ids = {word: number for number, word in enumerate([*old, *new])}
    most = {"1.txt": len(old), "2.txt": len(old), "3.txt": len(ids)}
    wanted = sorted(
        [ids[word] for word in line.split() if ids.get(word, len(ids)) < most[file]]
        for file, lines in text.items()
        for line in lines
    )
    pieces: dict[str, list[Any]] = {}
    for _, doc_id, number, *of_piece in sorted(encoded_of(result), key=lambda row: row[1:3]):
        assert len(of_piece) <= 30 and number * 30 == len(pieces.get(doc_id, []))
        pieces.setdefault(doc_id, []).extend(of_piece)
    assert sorted(pieces.values()) == wanted
    assert encoded_of(result) == encoded_of(expected)
    assert counts_of(result) == counts_of(expected)
    groups = [json.loads(attempt.with_suffix(".json").read_text()) for attempt in tables(output, "partial_encoded")]
    assert [[Path(key[0]).name for key in one["record"]["units"]] for one in groups] == [["1.txt", "2.txt"], ["3.txt"]]


def test_gone_and_changed_files_later_nights_and_many_groups(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "output"
    run(corpus, output)
    for night in range(3, 6):
        write(corpus / f"{night}.txt", documents(night))
        if night == 4:
            (corpus / "1.txt").unlink()
            write(corpus / "2.txt", documents(9))
            monkeypatch.setattr(keeping, "MOST_SMALL_GROUPS", 0)
            monkeypatch.setattr(keeping, "GROUP_TOKENS", 10_000)
        expected = from_nothing(corpus, output, "bucket_counts")
        result = run(corpus, output)
        found = run(corpus, output.with_name("copy"), "bucket_counts")
        assert encoded_of(found) == encoded_of(expected)
        units = pq.read_table(version_folder(output) / "units").to_pylist()
        assert {Path(row["name"]).name for row in units} == {file.name for file in corpus.iterdir()}
        words = {Path(row["name"]).name: row["words"] for row in units}
        assert words[f"{night}.txt"] == manifest(output)["vocabulary"]["words"] >= words["2.txt"]
        assert sum(row["tokens"] for row in units) == manifest(output)["vocabulary"]["tokens"]
        assert result.manifest["parent"]["version"] < result.version
    vocabulary = pq.read_table(version_folder(output) / "vocabulary").sort_by("id")
    assert vocabulary["count"].to_pylist()[words_of(version_folder(output) / "vocabulary").index("day1")] == 1
    vectors = load_vectors(str(output))
    assert (np.diff(vectors.counts) <= 0).all() and (np.diff(vocabulary["count"].to_numpy()) > 0).any()
    by_word = {row["word"]: row["vector"] for row in pq.read_table(version_folder(output) / "vectors").to_pylist()}
    assert all(np.allclose(vectors.vector(word), by_word[word]) for word in vectors.words)


@pytest.mark.parametrize("method", ["skipgram-hs", "glove"])
def test_methods_train_on_kept_words_and_the_bytes_do_not_depend_on_what_was_kept(
    method: str, corpus: Path, tmp_path: Path
) -> None:
    output, settings = tmp_path / "output", {"training__method": method}
    if method != "glove":
        settings["warm_start__path"] = "current"
    run(corpus, output, **settings)
    write(corpus / "3.txt", documents(3))
    expected = from_nothing(corpus, output, None, **settings)  # type: ignore[arg-type]
    result = run(corpus, output, **settings)
    for table in sorted(result.tables):
        if table not in ("metrics", "scores"):
            assert sorted_rows(result.read(table)).equals(sorted_rows(expected.read(table))), table
    assert run(corpus, output, **settings).made == ()


def sorted_rows(table: pa.Table) -> pa.Table:
    names = [field.name for field in table.schema if not pa.types.is_list(field.type)]
    return table.sort_by([(name, "ascending") for name in names]).combine_chunks()


def test_phrases_of_the_current_version_stay(corpus: Path, tmp_path: Path) -> None:
    output, settings = tmp_path / "output", {"phrases__thresholds": [2.0], "phrases__discount": 1.0}
    first = run(corpus, output, **settings).read("phrases")
    assert len(first) > 3
    write(corpus / "3.txt", ["fresh pair " * 20] * 5)
    expected = from_nothing(corpus, output, "bucket_counts", **settings)
    put_other_bytes(corpus / "1.txt")
    result = run(corpus, output, "bucket_counts", **settings)
    assert encoded_of(result) == encoded_of(expected)
    run(corpus, output, **settings)
    assert sorted_rows(pq.read_table(version_folder(output) / "phrases")).equals(sorted_rows(first))
    with pytest.raises(ConfigError, match=r"has 2 passes, and .* has 1"):
        run(corpus, output, phrases__thresholds=[2.0, 1.0])


def test_json_with_ids_that_repeat_is_encoded_as_a_whole(tmp_path: Path) -> None:
    corpus, output = tmp_path / "corpus", tmp_path / "output"
    settings = {"input__format": "json", "input__id_column": "id"}
    for day in (1, 2, 3):
        rows = [{"id": f"{day}-{n}", "text": line} for n, line in enumerate(documents(day))]
        rows[0]["id"] = "same" if day > 1 else "1"
        write(corpus / f"{day}.json", [json.dumps(row) for row in rows])
        expected = from_nothing(corpus, output, "bucket_counts", **settings) if day > 1 else None
        result = run(corpus, output, "bucket_counts" if expected else None, **settings)
        if expected:
            assert encoded_of(result) == encoded_of(expected)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"encoded__buckets": 7}, "encoded.buckets = 7: .* has 64"),
        ({"phrases__thresholds": [9.0]}, "has 1 passes, and .* has 0"),
        ({"warm_start__path": "elsewhere"}, 'warm_start.path = "elsewhere": must be "current"'),
        ({"warm_start__keep_words": False}, "warm_start.keep_words = false: has no meaning"),
    ],
)
def test_settings_that_do_not_go_with_kept_words_are_refused(settings: dict[str, Any], text: str, kept: Path) -> None:
    with pytest.raises(ConfigError, match=text):
        run(kept / "corpus", kept / "output", **(settings | {"training__seed": 5}))


@pytest.fixture(scope="module")
def kept(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    write(folder / "corpus" / "1.txt", documents(1))
    run(folder / "corpus", folder / "output")
    return folder


def test_max_size_stop_words_and_a_frame(kept: Path, tmp_path: Path) -> None:
    old = words_of(version_folder(kept / "output") / "vocabulary")
    shutil.copytree(kept / "output", tmp_path / "output")
    text = pa.table({"text": [f"{old[0]} zero zero one one one two two two two"] * 3})
    settings = {"vocabulary__max_size": len(old) + 1, "vocabulary__stop_words": ["two", old[3]]}
    result = run(text, tmp_path / "output", **settings)  # type: ignore[arg-type]
    rows = result.read("vocabulary").sort_by("id").to_pylist()
    assert [row["word"] for row in rows] == [*old, "one"]
    assert [row["count"] for row in rows] == [3, *[1] * (len(old) - 1), 9]
    assert result.manifest["vocabulary"]["tokens"] == 12 and len(result.read("units")) == 0
