"""The Python face: what a corpus may be, and what comes back."""

from pathlib import Path

import numpy as np
import pandas as pd
import planted
import pyarrow as pa
import pytest
from commands import digests, run_here

import w2vspark
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.stages.frames import frame_input
from w2vspark.stages.input import InputConfig
from w2vspark.vectors import similar

CONFIG = {
    "vocabulary": {"min_count": 2},
    "training": {"dimensions": 8, "epochs": 1, "shards": 1, "lanes": 1},
}


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return planted.documents(40, seed=9)


@pytest.fixture(scope="module")
def corpus(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("face") / "corpus", lines)


@pytest.fixture(scope="module")
def made(spark: object, corpus: Path) -> w2vspark.Result:
    return w2vspark.train(corpus, corpus.parent / "out", config=CONFIG)


def test_a_result_has_the_version_its_tables_and_its_folder(made, corpus):
    assert (made.version, made.output) == ("000001", str(corpus.parent / "out"))
    assert Path(made.folder) == corpus.parent / "out" / "versions" / "000001"
    assert set(made.tables) == {"vectors", "context", "vocabulary", "metrics", "scores"}
    assert set(made.artefacts) == {"report.html"} and made.state == "current" and made.scores
    assert made.made[-2:] == ("rounds", "version") and made.manifest["config"]["training"]["dimensions"] == 8
    assert made.read("vocabulary").num_rows == made.manifest["vocabulary"]["words"]
    assert len(similar(made.vectors(), planted.country(0), 3)) == 3
    assert made.summary.startswith("corpus ")


def test_what_has_not_changed_is_not_made_again_and_comes_back_the_same(made, corpus):
    again = w2vspark.train([corpus], made.output, config=CONFIG)
    assert again.made == () and again.summary.startswith("nothing to do")
    assert (again.version, again.tables) == (made.version, made.tables)


def test_the_command_line_and_a_file_give_the_same_version(made, corpus, tmp_path):
    file = tmp_path / "some.toml"
    file.write_text("[vocabulary]\nmin_count = 2\n[training]\ndimensions = 8\nepochs = 1\nshards = 1\nlanes = 3\n")
    assert w2vspark.train(corpus, made.output, config=file, settings={"training.lanes": np.int64(1)}).made == ()
    words = ["--set", f"input.path={corpus}", "--set", f"output.path={made.output}", "--set", "training.lanes=1"]
    assert run_here("run", str(file), *words).assert_done().out.startswith("nothing to do")


def test_until_and_hold_are_as_on_the_command_line(made, corpus, tmp_path):
    staged = w2vspark.train(corpus, tmp_path / "out", config=CONFIG, until="vocabulary")
    assert (staged.version, staged.folder, list(staged.tables)) == ("", "", ["word_counts", "vocabulary"])
    for reading in (staged.vectors, lambda: staged.read("vocabulary")):
        with pytest.raises(OutputError, match="nothing was published"):
            reading()
    held = w2vspark.train(corpus, tmp_path / "out", config=CONFIG, hold=True)
    assert held.manifest["candidate"] == "is held back by --hold" and "promote" in held.summary
    assert w2vspark.train(corpus, tmp_path / "out", config=CONFIG, hold=True).version == held.version
    promoted = w2vspark.train(corpus, tmp_path / "out", config=CONFIG)
    assert promoted.version == held.version and promoted.summary.startswith("promoted: ")
    assert "candidate" not in promoted.manifest


@pytest.mark.parametrize("kind", ["spark", "spark over files", "pandas", "pyarrow"])
def test_a_corpus_may_be_a_frame_and_gives_the_same_bytes(kind, made, lines, spark, tmp_path):
    rows = {"text": lines, "n": list(range(len(lines)))}
    if kind == "spark over files":
        spark.createDataFrame(pd.DataFrame(rows)).write.parquet(str(tmp_path / "rows"))
        frame = spark.read.parquet(str(tmp_path / "rows")).join(
            spark.createDataFrame([(n,) for n in rows["n"]], "n int"), "n"
        )
    else:
        frame = {"spark": lambda r: spark.createDataFrame(pd.DataFrame(r)), "pandas": pd.DataFrame}.get(kind, pa.table)(
            rows
        )
    found = w2vspark.train(frame, tmp_path / "out", config=CONFIG)
    assert digests(tmp_path / "out") == digests(Path(made.output))
    assert w2vspark.train(frame, tmp_path / "out", config=CONFIG).made == ()
    if kind == "spark over files":
        # The same query over the same files: what is in memory tells the two apart.
        other = spark.read.parquet(str(tmp_path / "rows")).join(spark.createDataFrame([(1,), (2,)], "n int"), "n")
    else:
        other = pa.table({"text": [*lines[1:], "another line"]})
    assert w2vspark.train(other, tmp_path / "out", config=CONFIG).made[0] == "word_counts"
    assert found.manifest["config"]["input"]["table"].startswith("w2vspark_frame_")


def test_two_frames_in_one_session_are_told_apart(spark, lines, tmp_path):
    column = {"input.text_column": "body"}
    results = [
        w2vspark.train(pa.table({"body": part}), tmp_path / str(n), config=CONFIG, settings=column)
        for n, part in enumerate((lines[:20], lines[20:]))
    ]
    assert results[0].manifest["corpus"]["documents"] == results[1].manifest["corpus"]["documents"] == 20
    assert digests(tmp_path / "0") != digests(tmp_path / "1")


@pytest.mark.parametrize(
    ("corpus", "more", "error", "text"),
    [
        (
            pa.table({"body": ["a"]}),
            {},
            InputError,
            "the frame has no column 'text' (input.text_column); its columns are body",
        ),
        (
            pa.table({"text": ["a"]}),
            {"settings": {"input.id_column": "id"}},
            InputError,
            "the frame has no column 'id' (input.id_column); its columns are text",
        ),
        (
            pa.table({"text": [1]}),
            {},
            InputError,
            "the frame: column 'text' (input.text_column) is bigint, not a string",
        ),
        ({"text": ["word"] * 99}, {}, InputError, "'word', ...]}; give a path"),
        (
            pd.DataFrame([["a", "b"]], columns=["text", "text"]),
            {},
            InputError,
            "the frame has 2 columns named 'text' (text, text); keep one of them",
        ),
        ("nowhere", {"config": 3}, ConfigError, "config is 3; give the path of a TOML file, or a dictionary of tables"),
        ("nowhere", {"config": {1: {}}}, ConfigError, "config has the key 1; a key must be a string"),
        (
            "nowhere",
            {"config": {"spark": {"options": {1: 2}}}},
            ConfigError,
            "config['spark']['options'] has the key 1; a key must be a string",
        ),
        ("nowhere", {"settings": ["training.window=3"]}, ConfigError, "settings is ['training.window=3']; give a dict"),
        (
            "nowhere",
            {"settings": {"training.dimensions": 100, "training.dimensions.x": 3}},
            ConfigError,
            "training.dimensions.x: training.dimensions is already 100, which is not a table of options",
        ),
        ("nowhere", {"settings": {"training.subsample": 10**400}}, ConfigError, "must be a finite number"),
        ("nowhere", {"settings": {"training.rounds_per_epoch": 1e-310}}, ConfigError, "must be a whole number, or 1/n"),
        (3, {}, InputError, "the corpus is 3; give a path, a list of paths, or a frame"),
        ([["a", "sentence"]], {}, InputError, "the corpus is a list with ['a', 'sentence'] in it; give a path"),
        ("nowhere", {}, InputError, "nowhere"),
        ("nowhere", {"settings": {"training.windw": 3}}, ConfigError, "did you mean training.window?"),
        ("nowhere", {"settings": {"window": 3}}, ConfigError, "window: must have the form table.key"),
        ("nowhere", {"config": {"training": {"method": "glov"}}}, ConfigError, "did you mean glove?"),
        ("nowhere", {"config": "none.toml"}, ConfigError, "none.toml: there is no such configuration file"),
    ],
)
def test_mistakes_are_errors_that_name_the_fix(corpus, more, error, text, spark, tmp_path):
    with pytest.raises(error) as caught:
        w2vspark.train(corpus, tmp_path / "out", **more)
    assert text in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_table_without_vectors_is_told_with_the_columns_that_it_lacks(made):
    with pytest.raises(OutputError, match=r"/metrics: is no table of word vectors: it has no column id, word, count, "):
        made.vectors("metrics")


def test_a_frame_whose_session_has_ended_is_told(spark, lines, tmp_path, monkeypatch):
    frame = spark.createDataFrame([(line,) for line in lines], "text string")

    class Ended:
        def range(self, _count: int):
            assert False  # noqa: B011 - as pyspark does where there is no SparkContext

    monkeypatch.setattr(type(frame), "sparkSession", Ended())
    with pytest.raises(InputError, match="Spark session that has ended; make it again"):
        with frame_input(frame, spark, InputConfig(table="")):
            pass


def test_an_empty_frame_of_pandas_is_a_corpus_without_words(spark, tmp_path):
    with pytest.raises(InputError, match="the corpus has no words: 0 documents"):
        w2vspark.train(pd.DataFrame({"text": []}), tmp_path / "out")


def test_a_result_is_no_path_and_the_error_says_what_is(made, tmp_path):
    with pytest.raises(ConfigError, match=r"model is Result\(.*; give the path of .* as result\.output"):
        w2vspark.job("fold", made, tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match="output is 3; give the path of the folder for the tables"):
        w2vspark.train(tmp_path, 3)


def test_runs_that_read_equal_frames_at_once_do_not_end_each_other(spark):
    rows = spark.createDataFrame([("a b",)], "text string")
    with frame_input(rows, spark, InputConfig()) as first:
        with frame_input(rows, spark, InputConfig()) as second:
            assert first == second
        assert spark.table(first.table).count() == 1
    assert not spark.catalog.tableExists(first.table)


def test_a_value_that_moves_to_a_null_makes_another_frame(spark):
    names, config = "text string, id string", InputConfig(id_column="id")
    frames = [spark.createDataFrame(rows, names) for rows in ([("a", None)], [(None, "a")])]
    found = []
    for frame in frames:
        with frame_input(frame, spark, config) as source:
            found.append(source.table)
    assert found[0] != found[1]


def test_an_unknown_job_is_told_with_those_that_there_are(tmp_path):
    with pytest.raises(ConfigError, match=r"fould: there is no such job; did you mean fold\?"):
        w2vspark.job("fould", tmp_path, output=tmp_path / "out")
