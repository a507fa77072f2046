"""Beginning from an earlier model: what carries over, what is new, and what is said about it."""

import json
import shutil
from pathlib import Path

import numpy as np
import planted
import pyarrow.parquet as pq
import pytest
from commands import digests, manifest, options, run_here, run_several, version_folder
from methods import MANY, METHODS
from outputs import declare

from w2vspark.methods.word2vec import warm_start
from w2vspark.vectors import load_vectors

STILL: dict[str, object] = {"warm_start__learning_rate": 1e-12}  # moves nothing: tables show the start
STARTS = {
    "skipgram-ns": MANY,
    "skipgram-hs": METHODS["skipgram-hs"],
    "adagrad": METHODS["adagrad"],
    "cbow-hs": METHODS["cbow-hs"],
    "subwords": METHODS["subwords"],
}


@pytest.fixture(scope="module")
def first(spark: object, folder: Path) -> Path:
    """A run on the first corpus."""
    run_here(*command(folder / "first", folder / "plain", **MANY)).assert_done()
    return folder / "plain"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first corpus, and a second one that lacks some of its words and has others."""
    folder = tmp_path_factory.mktemp("warm")
    lines = planted.documents(120, seed=11)
    planted.write_lines(folder / "first", lines[:60])
    second = [line.replace("country1", "newland1").replace("capital1", "newtown1") for line in lines[60:]]
    planted.write_lines(folder / "second", second)
    return folder


def command(corpus: Path, output: Path, **settings: object) -> list[str]:
    return ["run", *options(**({"input__path": corpus, "output__path": output} | settings))]


IN_SHORT = ("skipgram-ns", "cbow-hs")  # these two between them have every table but those of subwords


@pytest.fixture(
    scope="module",
    params=[method if method in IN_SHORT else pytest.param(method, marks=pytest.mark.slow) for method in STARTS],
)
def started(spark: object, folder: Path, request: pytest.FixtureRequest) -> tuple[str, Path, Path]:
    """A method's name, its first run, and a second one that began from it and learned nothing."""
    method = str(request.param)
    first, second = folder / f"{method}-first", folder / f"{method}-second"
    run_here(*command(folder / "first", first, **STARTS[method])).assert_done()
    chosen = STARTS[method] | STILL | {"warm_start__path": first}
    run_here(*command(folder / "second", second, **chosen)).assert_done()
    return method, first, second


def by_word(output: Path, table: str) -> dict[str, np.ndarray]:
    rows = pq.read_table(version_folder(output) / table).to_pylist()
    return {row["word"]: np.array(row["vector"], np.float32) for row in rows}


def counts(output: Path) -> dict[str, int]:
    rows = pq.read_table(version_folder(output) / "vocabulary").to_pylist()
    assert [row["id"] for row in rows] == list(range(len(rows)))
    return {row["word"]: row["count"] for row in rows}


def words_of(corpus: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for file in corpus.iterdir():
        for word in file.read_text().split():
            found[word] = found.get(word, 0) + 1
    return found


def test_old_words_keep_their_rows_by_the_word_and_new_words_begin_small(started):
    method, first, second = started
    tables = [name for name in ("vectors", "context", "word_rows") if (version_folder(first) / name).exists()]
    for table in tables:
        old, new = by_word(first, table), by_word(second, table)
        for word, row in old.items():
            np.testing.assert_allclose(new[word], row, rtol=1e-4, atol=1e-7, err_msg=f"{method} {table} {word}")
        fresh = new.keys() - old.keys()
        assert {"newland1", "newtown1"} <= fresh
        if table != "vectors" or method != "subwords":
            assert all(np.abs(new[word]).max() <= 0.5 / 20 + 1e-6 for word in fresh)
    ids = [
        {row["word"]: row["id"] for row in pq.read_table(version_folder(o) / "vocabulary").to_pylist()}
        for o in (first, second)
    ]
    assert any(ids[0][word] != ids[1][word] for word in ids[0]), "numbers that changed are meant"


def test_counts_of_both_corpora_add_up_and_old_words_stay(started, folder):
    _, first, second = started
    before, here, after = counts(first), words_of(folder / "second"), counts(second)
    assert "country1" in before and "country1" not in here and after["country1"] == before["country1"]
    for word, count in after.items():
        assert count == before.get(word, 0) + here.get(word, 0)
    assert set(after) == set(before) | {word for word, count in here.items() if count >= 5}


def test_the_sums_of_squares_of_adagrad_go_on_where_a_method_keeps_them(started):
    method, first, second = started
    assert (version_folder(first) / "adagrad").exists() == (method != "subwords")
    if method == "subwords":
        return
    squares = []
    for output in (first, second):
        ids = {row["id"]: row["word"] for row in pq.read_table(version_folder(output) / "vocabulary").to_pylist()}
        rows = pq.read_table(version_folder(output) / "adagrad").to_pylist()
        squares.append({ids[row["id"]]: row["squares"] for row in rows if row["matrix"] == "words"})
    assert all(squares[1][word] >= square > 0 for word, square in squares[0].items() if square > 0)


def test_movement_says_that_nothing_moved(started):
    _, first, second = started
    rows = pq.read_table(version_folder(second) / "movement").to_pylist()
    assert {row["word"] for row in rows} == set(counts(first))
    assert all(row["cosine"] > 0.9999 and row["distance"] < 1e-3 for row in rows)
    assert manifest(second)["movement"]["words"] == len(rows)
    assert manifest(second)["movement"]["mean_cosine"] == pytest.approx(1.0, abs=1e-4)


def test_inner_nodes_go_on_where_the_same_corpus_makes_the_same_tree(spark, folder, tmp_path):
    first = tmp_path / "first"
    run_here(*command(folder / "first", first, **STARTS["skipgram-hs"])).assert_done()
    again = STARTS["skipgram-hs"] | STILL | {"warm_start__path": first}
    run_here(*command(folder / "first", tmp_path / "again", **again)).assert_done()
    old, new = (
        np.array(pq.read_table(version_folder(output) / "nodes").sort_by("id")["vector"].to_pylist())
        for output in (first, tmp_path / "again")
    )
    np.testing.assert_allclose(new, old, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    "format",
    ["word2vec-binary", *(pytest.param(name, marks=pytest.mark.slow) for name in ("word2vec-text", "glove-text"))],
)
def test_another_programs_file_is_a_beginning_too(format, first, folder, tmp_path):
    file = tmp_path / "vectors.txt"
    run_here("export", str(first), str(file), "--format", format).assert_done()
    chosen = MANY | STILL | {"warm_start__path": file}
    run_here(*command(folder / "second", tmp_path / "output", **chosen)).assert_done()
    old, new = load_vectors(str(first)), load_vectors(str(tmp_path / "output"))
    for word in old.words:
        np.testing.assert_allclose(new.vector(word), old.vector(word), rtol=1e-4, atol=1e-7)
    here = words_of(folder / "second")
    assert counts(tmp_path / "output")["country1"] == 1, "a file has no counts"
    assert counts(tmp_path / "output")["filler1"] == here["filler1"] + 1


def test_words_that_the_corpus_lacks_go_where_they_are_not_to_be_kept(first, folder, tmp_path):
    chosen = MANY | {"warm_start__path": first, "warm_start__keep_words": False, "vocabulary__min_count": 60}
    run_here(*command(folder / "second", tmp_path / "output", **chosen)).assert_done()
    assert min(counts(tmp_path / "output").values()) >= 60


def test_a_warm_start_has_its_own_rate_and_moves_words(first, folder, tmp_path):
    done = run_here(*command(folder / "second", tmp_path / "output", **(MANY | {"warm_start__path": first})))
    done.assert_done()
    rates = [manifest(output)["config"]["training"]["learning_rate"] for output in (first, tmp_path / "output")]
    assert rates[1] == pytest.approx(rates[0] / 2)
    assert manifest(tmp_path / "output")["movement"]["mean_cosine"] < 0.9999
    assert "earlier words, mean cosine" in done.out


@pytest.mark.slow
def test_a_warm_start_gives_the_same_bytes_on_any_number_of_slots(spark, folder, tmp_path):
    runs, expected = [], {}
    for method in ("skipgram-ns", "cbow-hs", "subwords"):
        first = tmp_path / f"{method}-first"
        run_here(*command(folder / "first", first, **STARTS[method])).assert_done()
        chosen = STARTS[method] | {"warm_start__path": first}
        run_here(*command(folder / "second", tmp_path / f"{method}-2", **chosen)).assert_done()
        expected[method] = digests(tmp_path / f"{method}-2")
        runs.append(command(folder / "second", tmp_path / f"{method}-1", **chosen, spark__master="local[1]"))
    run_several(runs).assert_done()
    assert {method: digests(tmp_path / f"{method}-1") for method in expected} == expected


BAD = {
    "nothing there": ({"warm_start__path": "/nowhere"}, 3, ["/nowhere"]),
    "another length": ({"training__dimensions": 30}, 2, ["training.dimensions = 30", "have 20; set it to"]),
    "an unknown format": ({"warm_start__format": "fasttext"}, 2, ["warm_start.format", "word2vec-text"]),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_a_beginning_is_one_clear_error(name, first, folder, tmp_path):
    settings, code, texts = BAD[name]
    chosen = MANY | {"warm_start__path": first} | settings
    run_here(*command(folder / "second", tmp_path / "output", **chosen)).assert_one_error(code, *texts)


def test_an_empty_folder_is_no_beginning(spark, folder, tmp_path):
    (tmp_path / "empty").mkdir()
    words = command(folder / "second", tmp_path / "output", **(MANY | {"warm_start__path": tmp_path / "empty"}))
    run_here(*words).assert_one_error(3, str(tmp_path / "empty"))
    assert not (tmp_path / "output" / "current.json").exists()


def test_a_new_version_of_the_earlier_model_is_another_beginning(spark, folder, tmp_path):
    run_here(*command(folder / "first", tmp_path / "first", **MANY)).assert_done()
    words = command(folder / "second", tmp_path / "second", **(MANY | {"warm_start__path": tmp_path / "first"}))
    run_here(*words).assert_done()
    assert run_here(*words).assert_done().out.startswith("nothing to do")
    run_here(*command(folder / "first", tmp_path / "first", **(MANY | {"training__seed": 2}))).assert_done()
    run_here(*words).assert_done()
    assert json.loads((tmp_path / "second" / "current.json").read_text())["version"] == "000002"


def test_a_version_that_is_published_while_the_earlier_model_is_read_changes_nothing(
    spark, first, folder, tmp_path, monkeypatch
):
    shutil.copytree(first, tmp_path / "first")
    really = warm_start.earlier

    def published_meanwhile(*arguments):
        rows = really(*arguments)
        whole = manifest(tmp_path / "first")
        shutil.copytree(version_folder(tmp_path / "first"), tmp_path / "first" / "versions" / "000002")
        shutil.rmtree(tmp_path / "first" / "versions" / "000002" / "vocabulary")  # whoever reads this version fails
        declare(tmp_path / "first", "000002", whole["tables"], config=whole["config"])
        return rows

    monkeypatch.setattr(warm_start, "earlier", published_meanwhile)
    chosen = MANY | STILL | {"warm_start__path": tmp_path / "first"}
    run_here(*command(folder / "second", tmp_path / "second", **chosen)).assert_done()
    assert json.loads((tmp_path / "first" / "current.json").read_text())["version"] == "000002"
    before, after = counts(first), counts(tmp_path / "second")
    assert after["country1"] == before["country1"], "words and counts are of the version that was found first"


SUBWORDS = METHODS["subwords"]


@pytest.fixture(scope="module")
def with_subwords(spark: object, folder: Path) -> Path:
    """A run on the first corpus whose words are made of n-grams."""
    run_here(*command(folder / "first", folder / "subwords", **SUBWORDS)).assert_done()
    return folder / "subwords"


def test_n_grams_that_are_cut_or_hashed_otherwise_are_refused(with_subwords, folder, tmp_path):
    for change in ({"subwords__buckets": 999}, {"subwords__max_length": 5}):
        chosen = SUBWORDS | {"warm_start__path": with_subwords} | change
        done = run_here(*command(folder / "second", tmp_path / "output", **chosen))
        done.assert_one_error(2, "subwords = ", str(with_subwords), "set them to that")


def test_a_run_without_subwords_begins_from_the_published_vectors_of_one_that_has_them(with_subwords, folder, tmp_path):
    chosen = MANY | STILL | {"warm_start__path": with_subwords}
    run_here(*command(folder / "second", tmp_path / "output", **chosen)).assert_done()
    old, new = by_word(with_subwords, "vectors"), by_word(tmp_path / "output", "vectors")
    for word, row in old.items():
        np.testing.assert_allclose(new[word], row, rtol=1e-4, atol=1e-7)
    rows = pq.read_table(version_folder(tmp_path / "output") / "movement").to_pylist()
    assert {row["word"] for row in rows} == set(old) and all(row["cosine"] > 0.9999 for row in rows)


def test_a_length_that_is_changed_later_is_refused_too(first, folder, tmp_path):
    chosen = MANY | {"warm_start__path": first}
    run_here(*command(folder / "second", tmp_path / "output", **chosen)).assert_done()
    done = run_here(*command(folder / "second", tmp_path / "output", **(chosen | {"training__dimensions": 30})))
    done.assert_one_error(2, "training.dimensions = 30", "have 20")
