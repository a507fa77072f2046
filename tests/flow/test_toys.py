"""The test of the design: a method and a job that stand in this file alone run from the configuration to tables."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from commands import current, manifest, options, run_here, version_folder

import w2vspark
from w2vspark import storage
from w2vspark.base.errors import InputError, OutputError
from w2vspark.config.config import Config
from w2vspark.config.keys import Auto, Settings, between, key
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import Artefact, Chosen, Job, Method, Needed, Step, Table
from w2vspark.jobs import JOBS
from w2vspark.methods import METHODS
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.output.settings import OutputConfig
from w2vspark.spark.session import SparkConfig
from w2vspark.stages.corpus import read_corpus
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.input import InputConfig
from w2vspark.storage.listed import read_listed, write_small
from w2vspark.training.settings import TrainingConfig

LENGTHS = pa.schema([pa.field("line", pa.string(), nullable=False), pa.field("length", pa.int64(), nullable=False)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToyConfig(Settings):
    """How lines are measured."""

    section = "toy"

    factor: int | Auto = key("auto", rule=between(1, 9), why="What a letter counts; auto is 2.")
    notes: bool = key(True, why="A file of notes is published.")


def factor(config: Config) -> int:
    chosen = config[ToyConfig].factor
    return 2 if chosen == "auto" else chosen


def toy_sources(run: Run) -> dict[str, str]:
    return {"corpus": corpus_version(run.config[InputConfig], run.session)}


def lengths_settings(config: Config) -> Chosen:
    return {"factor": factor(config)}


def make_lengths(run: Run) -> dict[str, Any]:
    found = [bytes(row["text"]).decode() for row in read_corpus(run.session(), run.config[InputConfig]).collect()]
    rows = [{"line": line, "length": len(line) * factor(run.config)} for line in sorted(found)]
    write_small(pa.Table.from_pylist(rows, LENGTHS), run.uri("lengths"))
    return {"lines": len(rows)}


def length_rows(run: Run) -> pa.Table:
    return read_listed(run.uri("lengths"))


def length_count(run: Run) -> int:
    return int(run.records["lengths"]["lines"])


def write_notes(run: Run, uri: str) -> None:
    storage.write_text(uri, f"{length_count(run)} lines")


def with_notes(config: Config) -> bool:
    return config[ToyConfig].notes


def toy_resolved(run: Run) -> Config:
    return run.config.replaced(ToyConfig(factor=factor(run.config), notes=with_notes(run.config)))


def toy_facts(run: Run) -> dict[str, Any]:
    return {"corpus": {"lines": length_count(run)}}


def odd_facts(run: Run) -> dict[str, Any]:
    return {"vocabulary": {"words": 3, "smoothing": "kn"}}


def toy_summary(version: Version) -> list[str]:
    return [f"lines       {version.manifest['corpus']['lines']}"]


def toy_needed(run: Run) -> Needed:
    return Needed(toy_resolved(run), "for any number of lines:\n  a worker 1 MB")


TOY = Method(
    name="toy",
    help="the lengths of lines",
    settings=(InputConfig, OutputConfig, TrainingConfig, ToyConfig, SparkConfig),
    sources=toy_sources,
    steps=(Step("lengths", ("corpus",), lengths_settings, make_lengths),),
    publishes=(
        Table("lengths", LENGTHS, "a line's length", length_rows, length_count),
        Artefact("notes.txt", "what was found", write_notes, with_notes),
    ),
    resolved=toy_resolved,
    facts=toy_facts,
    summary=toy_summary,
    needed=toy_needed,
)


def longest_sources(run: Run) -> dict[str, str]:
    run.found["model"] = publish.resolve(run.model)
    return {"model": fingerprint(run_id=run.found["model"].run_id)}


def longest_settings(config: Config) -> Chosen:
    return {}


def make_longest(run: Run) -> dict[str, Any]:
    with run.found["model"].reading("run again"):
        rows = storage.read_table(run.found["model"].table("lengths")).sort_by([("length", "descending")])
    write_small(rows.slice(0, 1), run.uri("longest"))
    return {}


def longest_rows(run: Run) -> pa.Table:
    return read_listed(run.uri("longest"))


def longest_summary(version: Version) -> list[str]:
    return ["longest     one line"]


def longest_needed(run: Run) -> Needed:
    return Needed(run.config, "for one line:\n  a worker 1 MB")


LONGEST = Job(
    name="toy-longest",
    help="the longest line of a toy",
    settings=(OutputConfig, SparkConfig),
    sources=longest_sources,
    steps=(Step("longest", ("model",), longest_settings, make_longest),),
    publishes=(Table("longest", LENGTHS, "the longest line", longest_rows),),
    summary=longest_summary,
    needed=longest_needed,
)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that adding a method and a job takes beside their own file: a line in each list."""
    monkeypatch.setitem(METHODS, "toy", TOY)
    monkeypatch.setitem(JOBS, "toy-longest", LONGEST)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "lines.txt").write_text("a\nabc\nab\n")
    return tmp_path / "lines.txt"


def command(corpus: Path, output: Path, *words: str, **settings: object) -> list[str]:
    chosen = {"input__path": corpus, "output__path": output, "training__method": "toy"} | settings
    return ["run", *options(**chosen), *words]


def test_a_toy_method_goes_from_the_configuration_to_published_tables(spark, corpus, tmp_path):
    output = tmp_path / "out"
    planned = run_here(*command(corpus, output, "--dry-run")).assert_done().out
    for line in (
        "[toy]",
        "factor = 2",
        "  lengths        will be made",
        "  version        will be made",
        "a worker 1 MB",
    ):
        assert line in planned
    cluster = "--dry-run", "--cluster", "executors=1,cores=2"
    run_here(*command(corpus, output, *cluster)).assert_one_error(2, "toy does not say what it costs")
    assert not output.exists()
    said = run_here(*command(corpus, output)).assert_done().out
    assert "lines       3" in said and "artefacts   notes.txt" in said and "lengths}" in said
    folder = version_folder(output)
    assert pq.read_table(folder / "lengths").to_pylist() == [
        {"line": "a", "length": 2}, {"line": "ab", "length": 4}, {"line": "abc", "length": 6},
    ]  # fmt: skip
    assert (folder / "artefacts" / "notes.txt").read_text() == "3 lines"
    told = manifest(output)
    assert told["method"] == "toy" and told["config"]["toy"] == {"factor": 2, "notes": True}
    assert "tokens" not in told["config"] and set(told["fingerprints"]) == {"corpus", "request", "lengths", "version"}
    assert told["artefacts"]["notes.txt"]["size"] == 7 and len(told["artefacts"]["notes.txt"]["sha256"]) == 64
    assert run_here(*command(corpus, output)).assert_done().out.startswith("nothing to do")
    changed = run_here(*command(corpus, output, toy__factor=3)).assert_done()
    assert "stage=lengths event=end made=True" in changed.err and current(output)["version"] == "000002"
    listed = run_here("versions", str(output)).assert_done().out
    assert "toy" in listed and "000002" in listed


def test_a_toy_run_that_failed_goes_on_from_its_last_whole_table(spark, corpus, tmp_path, monkeypatch):
    def failing(run: Run, uri: str) -> None:
        raise RuntimeError("on purpose")

    table, notes = TOY.publishes
    broken = replace(TOY, publishes=(table, replace(notes, write=failing)))
    with monkeypatch.context() as patch:
        patch.setitem(METHODS, "toy", broken)
        failed = run_here(*command(corpus, tmp_path / "out"))
    assert failed.code == 1 and not (tmp_path / "out" / "current.json").exists()
    resumed = run_here(*command(corpus, tmp_path / "out")).assert_done()
    assert "stage=lengths event=end made=False" in resumed.err and "stage=version event=end made=True" in resumed.err


def test_a_toy_job_makes_tables_of_a_toy_model(spark, corpus, tmp_path):
    model, output = tmp_path / "model", tmp_path / "out"
    run_here(*command(corpus, model)).assert_done()
    words = ["toy-longest", str(model), *options(output__path=output)]
    planned = run_here(*words, "--dry-run").assert_done().out
    assert "  longest        will be made" in planned and "for one line" in planned and not output.exists()
    staged = run_here(*words, "--until", "longest").assert_done().out
    assert "nothing was published" in staged and not (output / "current.json").exists()
    done = run_here(*words).assert_done()
    assert "longest     one line" in done.out and "stage=longest event=end made=False" in done.err
    assert pq.read_table(version_folder(output) / "longest").to_pylist() == [{"line": "abc", "length": 6}]
    assert manifest(output)["job"] == "toy-longest"
    assert run_here(*words).assert_done().out.startswith("nothing to do")
    run_here(*command(corpus, output)).assert_one_error(4, str(output))  # a folder of a job takes no method's tables


def test_what_no_reader_could_read_is_not_published(spark, corpus, tmp_path, monkeypatch):
    table, notes = TOY.publishes
    for broken, part in (
        (replace(TOY, facts=odd_facts), "vocabulary is "),
        (replace(TOY, publishes=(table, replace(notes, name="a/b"))), "artefacts is "),
        (replace(TOY, publishes=(table, table)), "two of its tables have one name"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(METHODS, "toy", broken)
            run_here(*command(corpus, tmp_path / "out")).assert_one_error(4, part, "fix the method")
        assert not (tmp_path / "out" / "current.json").exists()
        assert not list((tmp_path / "out").glob("versions/*"))


def test_a_job_does_not_publish_where_another_one_does(spark, corpus, tmp_path, monkeypatch):
    model, output = tmp_path / "model", tmp_path / "out"
    run_here(*command(corpus, model)).assert_done()
    run_here("toy-longest", str(model), *options(output__path=output)).assert_done()
    monkeypatch.setitem(JOBS, "toy-other", replace(LONGEST, name="toy-other"))
    run_here("toy-other", str(model), *options(output__path=output)).assert_one_error(
        4, "holds the tables of the job toy-longest; name another folder for toy-other"
    )
    held = tmp_path / "held"
    run_here("toy-longest", str(model), *options(output__path=held), "--hold").assert_done()
    run_here("toy-other", str(model), *options(output__path=held)).assert_one_error(4, "the job toy-longest")


@pytest.mark.parametrize("damage", ["cut", "deleted"])
def test_a_job_whose_manifest_is_damaged_makes_a_new_version(damage, spark, corpus, tmp_path):
    model, output = tmp_path / "model", tmp_path / "out"
    run_here(*command(corpus, model)).assert_done()
    words = ["toy-longest", str(model), *options(output__path=output)]
    run_here(*words).assert_done()
    damaged = version_folder(output) / "manifest.json"
    if damage == "cut":
        damaged.write_bytes(damaged.read_bytes()[:100])
    else:
        damaged.unlink()
    run_here(*words).assert_done()
    assert current(output)["version"] == "000002" and manifest(output)["job"] == "toy-longest"


def test_a_need_that_nothing_makes_is_an_error_and_no_input_that_does_not_count(corpus, tmp_path, monkeypatch):
    misspelt = replace(TOY, steps=(replace(TOY.steps[0], needs=("korpus",)),))
    monkeypatch.setitem(METHODS, "toy", misspelt)
    with pytest.raises(ValueError, match="toy: lengths needs korpus: neither a source nor an earlier step"):
        w2vspark.train(corpus, tmp_path / "out", config={"training": {"method": "toy"}})
    assert not (tmp_path / "out").exists()


def test_a_changed_schema_or_rows_makes_the_version_anew_alone(spark, corpus, tmp_path, monkeypatch):
    run_here(*command(corpus, tmp_path / "out")).assert_done()
    table, notes = TOY.publishes
    wider = replace(table, schema=LENGTHS.set(1, LENGTHS.field("length").with_type(pa.float64())))
    monkeypatch.setitem(METHODS, "toy", replace(TOY, publishes=(wider, notes)))
    done = run_here(*command(corpus, tmp_path / "out")).assert_done()
    assert "stage=lengths event=end made=False" in done.err and current(tmp_path / "out")["version"] == "000002"


def test_both_are_listed_and_print_their_configurations():
    assert "the lengths of lines" in run_here("methods").assert_done().out
    assert "publishes longest" in run_here("jobs").assert_done().out
    printed = run_here("methods", "toy").assert_done().out
    assert 'method = "toy"' in printed and '# What a letter counts; auto is 2.\nfactor = "auto"' in printed
    assert "[toy]" not in run_here("jobs", "toy-longest").assert_done().out


@pytest.mark.parametrize(
    ("settings", "parts"),
    [
        ({"toy__factor": 10}, ("toy.factor = 10", "must be between 1 and 9")),
        ({"tokens__lowercase": False}, ("tokens.lowercase = false", "not toy; remove it")),
        ({"training__window": 3}, ("training.window = 3", "has no meaning for training.method = toy")),
        (
            {"training__method": "glove", "toy__factor": 3},
            ("toy.factor = 3", "is for training.method = toy, not glove"),
        ),
        ({"toy__factr": 3}, ("toy.factr", "did you mean toy.factor?")),
    ],
)
def test_mistakes_in_its_settings_are_told_like_all_others(settings, parts, corpus, tmp_path):
    run_here(*command(corpus, tmp_path / "out", **settings)).assert_one_error(2, *parts)


def test_the_python_face_runs_both(spark, corpus, tmp_path):
    made = w2vspark.train(
        corpus, tmp_path / "model", config={"training": {"method": "toy"}}, settings={"toy.factor": 1}
    )
    assert made.version == "000001" and made.made == ("lengths", "version")
    assert made.read("lengths")["length"].to_pylist() == [1, 2, 3]
    with pytest.raises(InputError, match=r"the job toy-longest takes no corpus; .* as output="):
        w2vspark.job("toy-longest", made.output, tmp_path / "out")
    found = w2vspark.job("toy-longest", made.output, output=tmp_path / "out")
    listed = run_here("versions", str(tmp_path / "out")).assert_done().out.splitlines()
    assert listed[1].split()[2:4] == ["toy-longest", "-"]  # it has no words
    assert storage.read_table(found.tables["longest"])["line"].to_pylist() == ["abc"]


@pytest.fixture
def published(spark: object, corpus: Path, tmp_path: Path) -> Iterator[Path]:
    run_here(*command(corpus, tmp_path / "out")).assert_done()
    yield tmp_path / "out"


@pytest.mark.parametrize("damage", ["cut", "flipped", "gone"])
def test_a_damaged_artefact_is_told_and_never_read(damage, published):
    notes = version_folder(published) / "artefacts" / "notes.txt"
    assert publish.resolve(str(published)).artefact("notes.txt") == str(notes)
    if damage == "gone":
        notes.unlink()
    else:
        notes.write_text({"cut": "3 line", "flipped": "4 lines"}[damage])
    with pytest.raises(OutputError, match=r"notes\.txt: is missing or is not what was written"):
        publish.resolve(str(published)).artefact("notes.txt")
    if damage != "flipped":  # whose content is read only with the artefact
        assert (
            "damaged: artefacts/notes.txt is missing or cut" in run_here("versions", str(published)).assert_done().out
        )


def test_an_artefact_goes_with_its_version_and_nothing_else_does(published, corpus):
    first = version_folder(published)
    (first / "artefacts" / "mine.txt").write_text("mine")
    for factor in (3, 4):
        run_here(*command(corpus, published, toy__factor=factor, output__keep_versions=1)).assert_done()
    assert [path.name for path in (first / "artefacts").iterdir()] == ["mine.txt"]
