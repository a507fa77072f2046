"""Bad input: one clear error with its exit code, and what was published before is as it was."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import planted
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from commands import PYTHON, current, digests, manifest, options, run_command, run_here, run_several

from w2vspark.output.claims import Claim

QUICK: dict[str, object] = {"training__dimensions": 8, "training__epochs": 1, "vocabulary__min_count": 2}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return planted.documents(20, seed=7)


@pytest.fixture(scope="module")
def good(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("good") / "corpus", lines)


@pytest.fixture(scope="module")
def output(spark: object, good: Path) -> Path:
    """An output with a published model, onto which everything here fails."""
    folder = good.parent / "output"
    run_here("run", *options(input__path=good, output__path=folder, **QUICK)).assert_done()
    return folder


@pytest.fixture
def unharmed(output: Path):
    """The published model, compared before and after."""
    before = current(output), digests(output), manifest(output)
    yield output
    assert (current(output), digests(output), manifest(output)) == before
    assert not (output / "lock.json").exists()


def fails(output: Path, code: int, *parts: str, **settings: object) -> None:
    """A run onto the output ends with one error that holds the parts."""
    run_here("run", *options(output__path=output, **(QUICK | settings))).assert_one_error(code, *parts)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_missing_path_is_one_clear_error(unharmed, tmp_path):
    fails(unharmed, 3, "nowhere.txt", "not there", input__path=tmp_path / "nowhere.txt")


def test_a_glob_without_matches_is_one_clear_error(unharmed, tmp_path):
    fails(unharmed, 3, "*.nothing", "nothing matches", input__path=tmp_path / "*.nothing")


def test_one_missing_path_among_several_is_named(unharmed, good, tmp_path):
    fails(unharmed, 3, "nowhere", input__path=[str(good), str(tmp_path / "nowhere")])


@pytest.mark.parametrize(
    "content", [b"", b"\n\n\n", b" \t \n ... --- !!!\n"], ids=["no byte", "empty lines", "no word"]
)
def test_an_empty_corpus_is_one_clear_error(content, unharmed, tmp_path):
    write(tmp_path / "empty.txt", content)
    fails(unharmed, 3, "the corpus has no words", input__path=tmp_path / "empty.txt")


def test_an_empty_folder_is_one_clear_error(unharmed, tmp_path):
    fails(unharmed, 3, str(tmp_path), "no file", input__path=tmp_path)


@pytest.mark.parametrize("kind", ["json", "parquet", "orc"])
def test_a_missing_text_column_is_named_beside_those_that_are_there(kind, unharmed, tmp_path):
    table = pa.table({"title": ["one", "two"], "body": ["some words", "more words"]})
    path = write_table(table, kind, tmp_path)
    fails(unharmed, 3, "'text'", "title", "body", input__path=path, input__format=kind)


@pytest.mark.parametrize("kind", ["json", "parquet", "orc"])
def test_a_text_column_of_numbers_is_one_clear_error(kind, unharmed, tmp_path):
    path = write_table(pa.table({"text": [1, 2, 3]}), kind, tmp_path)
    fails(unharmed, 3, "'text'", "int", "not a string", input__path=path, input__format=kind)


def test_a_missing_id_column_is_named(unharmed, tmp_path):
    path = write_table(pa.table({"text": ["some words"]}), "parquet", tmp_path)
    fails(unharmed, 3, "'key'", "input.id_column", input__path=path, input__format="parquet", input__id_column="key")


def test_a_format_that_spark_does_not_know_is_one_clear_error(unharmed, good):
    fails(unharmed, 3, "nosuch", input__path=good, input__format="nosuch")


def test_a_catalog_table_that_is_not_there_is_one_clear_error(unharmed):
    fails(unharmed, 3, "no_such_table", input__table="no_such_table")


def test_a_file_that_is_no_parquet_is_one_clear_error(unharmed, tmp_path):
    path = write(tmp_path / "broken.parquet", "this is no Parquet file")
    fails(unharmed, 3, "broken.parquet", input__path=path, input__format="parquet")


def test_a_gz_file_that_is_cut_short_is_one_clear_error(unharmed, lines, tmp_path):
    whole = gzip.compress("\n".join(lines).encode())
    path = write(tmp_path / "cut.txt.gz", whole[: len(whole) // 2])
    fails(unharmed, 3, "cut.txt.gz", input__path=path)


def test_no_word_above_min_count_names_the_key(unharmed, good):
    fails(unharmed, 3, "vocabulary.min_count", "100000", input__path=good, vocabulary__min_count=100000)


def test_bytes_that_are_not_utf8_are_counted_and_reported(lines, tmp_path, spark):
    bad = b"caf\xe9 caf\xe9 caf\xe9 \xff\xfe caf\xe9\n"
    write(tmp_path / "bad.txt", "".join(line + "\n" for line in lines).encode() + bad)
    done = run_here("run", *options(input__path=tmp_path / "bad.txt", output__path=tmp_path / "output", **QUICK))
    assert "1 invalid UTF-8 document" in done.assert_done().out
    assert manifest(tmp_path / "output")["corpus"]["invalid_utf8"] == 1
    assert manifest(tmp_path / "output")["corpus"]["documents"] == len(lines) + 1


def test_rows_without_text_are_counted_reported_and_change_nothing_else(lines, output, tmp_path, spark):
    rows = [json.dumps({"text": line}) for line in lines]
    rows[3:3] = [
        '{"text": "cut sho',
        "no JSON at all",
        '{"text": null}',
        '{"other": 1}',
        '{"text": ""}',
        '{"text": " . "}',
    ]
    write(tmp_path / "rows.json", "\n".join(rows) + "\n")
    settings = options(
        input__path=tmp_path / "rows.json",
        input__format="json",
        input__max_malformed=1,
        output__path=tmp_path / "out",
        **QUICK,
    )
    done = run_here("run", *settings).assert_done()
    for figure in ("2 malformed rows", "2 null documents", "2 empty documents"):
        assert figure in done.out
    assert digests(tmp_path / "out") == digests(output)


def test_more_malformed_rows_than_allowed_stop_the_run_which_shows_the_first_and_leaves_no_folder(
    lines, tmp_path, spark
):
    rows = [json.dumps({"text": line}) for line in lines]
    write(tmp_path / "rows.json", "\n".join([*rows[:5], '{"text": "cut sho', *rows[5:]]) + "\n")
    settings = {"input__path": tmp_path / "rows.json", "input__format": "json", "output__path": tmp_path / "out"}
    done = run_here("run", *options(**(QUICK | settings)))
    share = f"1 of {len(rows) + 1} rows are malformed ({1 / (len(rows) + 1):.1%})"
    done.assert_one_error(3, share, "input.max_malformed = 0.01", 'rows.json: \'{"text": "cut sho\'')
    assert not (tmp_path / "out").exists()
    run_here("run", *options(**(QUICK | settings), input__max_malformed=1), "--until", "word_counts").assert_done()
    run_here("run", *options(**(QUICK | settings))).assert_one_error(3, share)  # of rows that were counted before
    made = run_here("run", *options(**(QUICK | settings), input__max_malformed=0.5)).assert_done()
    assert "(1 malformed row" in made.out and "1 malformed rows" not in made.out
    again = run_here("run", *options(**(QUICK | settings), input__max_malformed=0.6)).assert_done()
    assert again.out.startswith("nothing to do"), "the share is no part of the result"


def test_duplicate_ids_are_reported_and_kept_apart_in_any_order(lines, tmp_path, spark):
    found = []
    for name, step in (("forth", 1), ("back", -1)):
        ids = [f"id{number % 15}" for number in range(len(lines))]
        table = pa.table({"key": ids[::step], "text": lines[::step]})
        write_table(table, "parquet", tmp_path, name)
        settings = {"input__path": tmp_path / name, "input__format": "parquet", "input__id_column": "key"}
        done = run_here("run", *options(output__path=tmp_path / f"{name}-out", **(QUICK | settings)))
        assert "5 duplicate ids" in done.assert_done().out
        found.append(digests(tmp_path / f"{name}-out"))
        assert manifest(tmp_path / f"{name}-out")["corpus"]["tokens"] == sum(len(line.split()) for line in lines)
    assert found[0] == found[1]


def test_an_unknown_key_is_named_with_the_one_that_was_meant(unharmed, good):
    fails(unharmed, 2, "training.dimension", "training.dimensions", input__path=good, training__dimension=8)


def test_impossible_values_are_all_told_at_once(unharmed, good):
    wrong = options(
        input__path=good, output__path=unharmed, training__epochs=0, training__window=-1, tokens__pattern="["
    )
    done = run_here("run", *wrong)
    errors = [line for line in done.err.splitlines() if line.startswith("w2vspark: error: ")]
    assert done.code == 2 and len(errors) == 3, done.err
    for key in ("training.epochs = 0", "training.window = -1", "tokens.pattern"):
        assert any(key in line for line in errors)


def test_a_configuration_file_that_is_not_there_or_no_toml_is_one_clear_error(tmp_path):
    run_here("run", str(tmp_path / "no.toml")).assert_one_error(2, "no.toml")
    write(tmp_path / "bad.toml", "[training\nepochs = 1")
    run_here("run", str(tmp_path / "bad.toml")).assert_one_error(2, "bad.toml", "TOML")


def test_an_output_folder_that_holds_something_else_is_left_alone(good, tmp_path):
    kept = write(tmp_path / "thesis.doc", "years of work")
    fails(tmp_path, 4, str(tmp_path), "thesis.doc", input__path=good)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.doc"] and kept.read_text() == "years of work"


def test_an_output_that_is_a_file_is_one_clear_error(good, tmp_path):
    file = write(tmp_path / "file", "years of work")
    fails(file, 4, str(file), input__path=good)
    assert file.read_text() == "years of work"


def test_an_output_inside_the_input_is_one_clear_error(good):
    fails(good / "vectors", 2, "output.path", "lies in input.path", input__path=good)
    assert not (good / "vectors").exists()


def test_an_output_that_another_run_writes_is_one_clear_error(unharmed, good):
    with Claim(str(unharmed)) as claim:
        settings = options(input__path=good, output__path=unharmed, training__seed=5, **QUICK)
        run_command("run", *settings).assert_one_error(4, str(unharmed), claim.run_id, f"process {os.getpid()}")
        claim.check()


def test_the_claim_of_a_dead_run_is_taken_over_at_once(spark, good, tmp_path):
    output = tmp_path / "output"
    script = f"import os; from w2vspark.output.claims import Claim; Claim({str(output)!r}).__enter__(); os._exit(9)"
    assert subprocess.run([PYTHON, "-c", script], check=False).returncode == 9
    dead = json.loads((output / "claims" / "000001.json").read_text())["run_id"]
    done = run_here("run", *options(input__path=good, output__path=output, **QUICK)).assert_done()
    assert dead in done.err and not (output / "claims" / "000001.json").exists()
    assert current(output)["version"] == "000002"
    assert json.loads((output / "claims" / "000002.json").read_text())["released"] is True


@pytest.mark.parametrize(
    "content",
    ["{", "[]", "{}", '{"version": "abc", "path": "versions/000001"}', '{"version": "000001", "path": 5}'],
    ids=["cut", "list", "no keys", "no version's name", "path of a wrong type"],
)
def test_a_current_json_that_is_damaged_is_named(content, output, good):
    file = output / "current.json"
    whole = file.read_text()
    try:
        write(file, content)
        fails(output, 4, "current.json", input__path=good)
        assert file.read_text() == content
    finally:
        file.write_text(whole)


@pytest.mark.slow
def test_a_document_of_50_mb_on_one_line_is_a_document_like_others(lines, tmp_path):
    document = " ".join(lines)
    document = " ".join([document] * (50_000_000 // len(document) + 1))
    texts = [document, *lines]
    corpora = {"text": planted.write_lines(tmp_path / "text", texts)}
    corpora |= {kind: write_table(pa.table({"text": texts}), kind, tmp_path, kind) for kind in ("json", "parquet")}
    chosen = QUICK | {"spark__master": "local[2]"}
    runs = [
        ["run", *options(input__path=path, input__format=kind, output__path=tmp_path / f"{kind} output", **chosen)]
        for kind, path in corpora.items()
    ]
    done = run_several(runs).assert_done()
    tokens = sum(text.count(" ") + 1 for text in texts)
    assert done.out.count(f"{len(texts)} documents, {tokens:,} tokens") == len(corpora)
    assert done.err.count("Traceback") == 0


def write_table(table: pa.Table, kind: str, folder: Path, name: str = "corpus") -> Path:
    """A folder with the table in one file of the kind."""
    (folder / name).mkdir()
    path = folder / name / f"part.{kind}"
    if kind == "json":
        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    elif kind == "parquet":
        pq.write_table(table, path)
    else:
        orc.write_table(table, path)
    return folder / name
