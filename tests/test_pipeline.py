"""The flow: what is made again and what is not, every kind of input, and the tables that consumers rely on."""

import bz2
import gzip
import json
import os
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import planted
import polars as pl
import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest
from commands import PYTHON, current, digests, manifest, options, run_command, run_here, version_folder

from w2vspark.base.schemas import BUCKET_COUNTS
from w2vspark.flow.identity import steps_until
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.methods import from_dict
from w2vspark.methods.corpus import bucket_tokens
from w2vspark.output.staging import Staging
from w2vspark.storage.listed import count_listed, write_small
from w2vspark.training.settings import TrainingConfig

STAGES = ["word_counts", "vocabulary", "encoded", "bucket_counts", "rounds", "version"]
QUICK: dict[str, object] = {
    "training__dimensions": 8, "training__epochs": 1, "training__shards": 1, "training__lanes": 1,
    "vocabulary__min_count": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def lines() -> list[str]:
    return planted.documents(40, seed=9)


@pytest.fixture(scope="module")
def corpus(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("flow") / "corpus", lines)


@pytest.fixture(scope="module")
def output(spark: object, corpus: Path) -> Path:
    """Published from text in one file."""
    folder = corpus.parent / "output"
    run_here("run", *settings(corpus, folder)).assert_done()
    return folder


def settings(corpus: object, output: Path, **more: object) -> list[str]:
    chosen: dict[str, object] = {"input__path": corpus, "output__path": output}
    return options(**(chosen | QUICK | more))


def made(log: str) -> list[str]:
    """The stages whose tables a run made."""
    return re.findall(r"stage=(\w+) event=end made=True", log)


# What is made again


@pytest.fixture
def own(spark: object, lines: list[str], tmp_path: Path) -> tuple[Path, Path]:
    """A corpus and an output for one test alone."""
    corpus = planted.write_lines(tmp_path / "corpus", lines, files=2)
    run_here("run", *settings(corpus, tmp_path / "output")).assert_done()
    return corpus, tmp_path / "output"


def test_a_changed_setting_makes_only_those_tables_again_that_it_touches(own):
    corpus, output = own
    for setting, first in (
        ({"training__seed": 2}, "rounds"),
        ({"vocabulary__min_count": 3}, "vocabulary"),
        ({"encoded__piece_tokens": 50}, "encoded"),
        ({"tokens__lowercase": False}, "word_counts"),
    ):
        log = run_here("run", *settings(corpus, output, **setting)).assert_done().err
        if first in ("encoded",):  # the vocabulary of min_count 3 took the place of the first one
            assert made(log) == STAGES[1:]
        else:
            assert made(log) == STAGES[STAGES.index(first) :]
        assert run_here("run", *settings(corpus, output, **setting)).assert_done().out.startswith("nothing to do")


def test_a_touched_added_or_changed_file_makes_all_again(own, lines):
    corpus, output = own
    first = digests(output)
    file = corpus / "part00.txt"
    seconds = file.stat().st_mtime + 100
    os.utime(file, (seconds, seconds))
    assert made(run_here("run", *settings(corpus, output)).assert_done().err) == STAGES
    assert digests(output) == first  # the same text, whatever its time
    file.with_name("more.txt").write_text(lines[0] + "\n")
    assert made(run_here("run", *settings(corpus, output)).assert_done().err) == STAGES
    assert digests(output) != first


def test_so_many_versions_are_kept_as_the_configuration_says_and_none_ever_changes(own):
    corpus, output = own
    kept: dict[str, dict[str, int]] = {}
    for number, (keep, left) in enumerate([(3, 2), (3, 3), (3, 3), (1, 1)], start=2):
        run_here("run", *settings(corpus, output, training__seed=number, output__keep_versions=keep)).assert_done()
        versions = sorted(folder.name for folder in (output / "versions").iterdir())
        assert versions == [f"{n:06}" for n in range(number - left + 1, number + 1)]
        assert current(output)["version"] == f"{number:06}"
        for version in versions:
            files = {str(file): file.stat().st_mtime_ns for file in (output / "versions" / version).rglob("*")}
            assert kept.setdefault(version, files) == files


def test_one_round_and_only_one_making_of_each_table_stay_behind(own):
    corpus, output = own
    run_here("run", *settings(corpus, output, training__seed=2, vocabulary__min_count=3)).assert_done()
    for table in STAGES[:5]:
        assert len(list((output / "staging" / table).iterdir())) == 1, table
    (made,) = (output / "staging" / "rounds").iterdir()
    assert len([path for path in made.iterdir() if path.is_dir()]) == 1


# Up to a stage


def test_until_makes_a_stage_and_what_it_needs_and_publishes_nothing(spark, corpus, tmp_path):
    output = tmp_path / "output"
    words = settings(corpus, output)
    done = run_here("run", *words, "--until", "vocabulary").assert_done()
    assert made(done.err) == STAGES[:2] and not (output / "current.json").exists()
    title, *tables, seconds = done.out.splitlines()
    assert seconds.startswith("seconds     spark ")
    assert title == f"tables in {output}/staging; nothing was published"
    assert [line.split()[:2] for line in tables] == [["word_counts", "made"], ["vocabulary", "made"]]
    assert count_listed(tables[1].split()[-1]) > 0
    done = run_here("run", *words, "--until", "encoded").assert_done()
    assert made(done.err) == ["encoded"] and done.out.count("was there") == 2
    plan = run_here("run", *words, "--until", "bucket_counts", "--dry-run").assert_done().out
    assert plan.count("is there") == 3 and plan.count("will be made") == 1 and "rounds  " not in plan
    assert made(run_here("run", *words).assert_done().err) == STAGES[3:]
    before = digests(output)
    done = run_here("run", *words, "--until", "vocabulary", "--from", "vocabulary").assert_done()
    assert made(done.err) == ["vocabulary"] and digests(output) == before


def test_until_the_last_stage_is_the_whole_run(output, corpus):
    assert (
        run_here("run", *settings(corpus, output), "--until", "version").assert_done().out.startswith("nothing to do")
    )


def test_until_names_the_stages_that_there_are(corpus, tmp_path):
    words = settings(corpus, tmp_path / "output")
    run_here("run", *words, "--until", "cooccurrences").assert_one_error(2, "--until cooccurrences", *STAGES)
    run_here("run", *words, "--until", "vocabulary", "--from", "encoded").assert_one_error(
        2, "--from encoded", *STAGES[:2]
    )


@pytest.mark.parametrize(
    ("method", "last", "others"),
    [
        ("glove", "cooccurrences", {"strata", "rounds"}),
        ("lsa", "term_document", {"svd"}),
        ("ppmi-svd", "encoded", set()),
    ],
)
def test_until_leaves_out_what_a_stage_does_not_need(method, last, others):
    chosen = from_dict({"training": {"method": method}, "input": {"path": "x"}, "output": {"path": "y"}})
    tables = [step.table for step in steps_until(*chosen, last)]
    assert tables[-1] == last and not others & set(tables) and tables[:3] == STAGES[:3]


# Kinds of input: the same documents give the same bytes


def as_text_gz(folder: Path, lines: list[str]) -> dict[str, object]:
    (folder / "a.txt.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return {"input__path": folder}


def as_text_bz2(folder: Path, lines: list[str]) -> dict[str, object]:
    (folder / "a.txt.bz2").write_bytes(bz2.compress("\n".join(lines).encode()))
    return {"input__path": folder / "*.bz2"}


def as_list_of_globs(folder: Path, lines: list[str]) -> dict[str, object]:
    planted.write_lines(folder / "one", lines[:20], files=3)
    planted.write_lines(folder / "two", lines[20:], files=2)
    (folder / "two" / "_ignored.txt").write_text("words that nobody reads\n")
    return {"input__path": [f"{folder}/one/part0[0-9].txt", f"{folder}/{{two,three}}/part0[01].txt"]}


def as_json(folder: Path, lines: list[str]) -> dict[str, object]:
    rows = [json.dumps({"n": number, "text": line}) for number, line in enumerate(lines)]
    (folder / "rows.json").write_text("\n".join(rows) + "\n")
    return {"input__path": folder, "input__format": "json"}


def as_parquet(folder: Path, lines: list[str]) -> dict[str, object]:
    pq.write_table(pa.table({"n": range(len(lines)), "body": lines}), folder / "rows.parquet")
    return {"input__path": folder / "rows.parquet", "input__format": "parquet", "input__text_column": "body"}


def as_orc(folder: Path, lines: list[str]) -> dict[str, object]:
    orc.write_table(pa.table({"text": lines}), folder / "rows.orc")
    return {"input__path": folder, "input__format": "orc"}


def as_csv_with_options(folder: Path, lines: list[str]) -> dict[str, object]:
    (folder / "rows.csv").write_text("n;text\n" + "".join(f"{n};{line}\n" for n, line in enumerate(lines)))
    reading = {"input__options__header": "true", "input__options__sep": ";"}
    return {"input__path": folder, "input__format": "csv"} | reading


def as_partitioned_folders(folder: Path, lines: list[str]) -> dict[str, object]:
    for day in range(4):
        planted.write_lines(folder / f"day={day}", lines[day::4])
    return {"input__path": folder}


@pytest.mark.parametrize(
    "kind",
    [
        as_text_gz,
        as_list_of_globs,
        as_json,
        as_parquet,
        as_orc,
        pytest.param(as_text_bz2, marks=pytest.mark.slow),
        pytest.param(as_csv_with_options, marks=pytest.mark.slow),
        pytest.param(as_partitioned_folders, marks=pytest.mark.slow),
    ],
)
def test_every_kind_of_input_gives_the_same_bytes_as_text(kind, lines, output, tmp_path):
    (tmp_path / "corpus").mkdir()
    chosen = kind(tmp_path / "corpus", lines)
    run_here("run", *settings(None, tmp_path / "output", **chosen)).assert_done()
    assert manifest(tmp_path / "output")["corpus"]["documents"] == len(lines)
    assert digests(tmp_path / "output") == digests(output)


def test_a_catalog_table_gives_the_same_bytes_as_text_and_is_read_again_when_it_changes(spark, lines, output, tmp_path):
    spark.createDataFrame([(line,) for line in lines], "text string").createOrReplaceTempView("flow_lines")
    spark.sql(f"CREATE TABLE flow_documents USING parquet LOCATION '{tmp_path}/table' AS SELECT * FROM flow_lines")
    try:
        words = options(input__table="flow_documents", output__path=tmp_path / "output", **QUICK)
        done = run_here("run", *words).assert_done()
        assert (
            "Logger" not in done.err and "stacktrace" not in done.err
        )  # what kind of table it is, is found out quietly
        assert digests(tmp_path / "output") == digests(output)
        assert run_here("run", *words).assert_done().out.startswith("nothing to do")
        spark.sql("INSERT INTO flow_documents VALUES ('some more words and some more')")
        assert made(run_here("run", *words).assert_done().err) == STAGES
        assert manifest(tmp_path / "output")["corpus"]["documents"] == len(lines) + 1
    finally:
        spark.sql("DROP TABLE flow_documents")
        spark.catalog.dropTempView("flow_lines")


@pytest.mark.slow
def test_a_table_of_a_lasting_catalog_is_read_by_the_real_command(lines, output, tmp_path):
    catalog = {
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": str(tmp_path / "warehouse"),
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={tmp_path}/metastore;create=true",
    }
    script = (
        "import json, sys; from pyspark.sql import SparkSession\n"
        "builder = SparkSession.builder.master('local[1]')\n"
        "for key, value in json.loads(sys.argv[1]).items(): builder = builder.config(key, value)\n"
        "rows = [(line,) for line in json.loads(sys.argv[2])]\n"
        "builder.getOrCreate().createDataFrame(rows, 'text string').write.saveAsTable('documents')\n"
    )
    # In a folder of the test: Derby leaves a log where it runs.
    arguments = ("-c", script, json.dumps(catalog), json.dumps(lines))
    run_command(*arguments, program=[PYTHON], folder=tmp_path).assert_done()
    chosen = {"output__path": tmp_path / "output", "spark__master": "local[2]", "input__table": "documents"}
    words = options(**QUICK, **chosen) + [
        word for key, value in catalog.items() for word in ("--set", f"spark.options.{key}={value}")
    ]
    run_command("run", *words, folder=tmp_path).assert_done()
    assert digests(tmp_path / "output") == digests(output)


def test_a_bucket_that_stands_in_two_files_has_the_tokens_of_both(tmp_path):
    chosen = from_dict({"input": {"path": ["text"]}, "output": {"path": str(tmp_path)}})
    run = Run(*chosen, str(tmp_path), Progress(), Staging(str(tmp_path)))
    run.uris["bucket_counts"], run.records["encoded"] = str(tmp_path / "counts"), {"buckets": 4}
    rows = [{"bucket": 2, "pieces": 1, "tokens": 5}, {"bucket": 0, "pieces": 2, "tokens": 9}]
    rows.append({"bucket": 2, "pieces": 1, "tokens": 30})
    write_small(pa.Table.from_pylist(rows, BUCKET_COUNTS), run.uri("bucket_counts"))
    assert bucket_tokens(run).tolist() == [9, 0, 35, 0]


def test_a_whole_file_can_be_a_document(spark, lines, tmp_path):
    texts = ["\n".join(lines[start : start + 4]) + "\n" for start in range(0, len(lines), 4)]
    (tmp_path / "files").mkdir()
    for number, text in enumerate(texts):
        (tmp_path / "files" / f"{number}.txt").write_text(text)
    (tmp_path / "rows.json").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    chosen = {"input__format": "wholetext"}
    run_here("run", *settings(tmp_path / "files", tmp_path / "of-files", **chosen)).assert_done()
    run_here("run", *settings(tmp_path / "rows.json", tmp_path / "of-rows", input__format="json")).assert_done()
    assert manifest(tmp_path / "of-files")["corpus"]["documents"] == len(texts)
    assert digests(tmp_path / "of-files") == digests(tmp_path / "of-rows")


# What is published


def test_the_published_tables_have_the_columns_and_types_of_the_contract(output):
    vector = [("id", pa.int32()), ("word", pa.string()), ("count", pa.int64()), ("vector", pa.list_(pa.float32()))]
    contract = {
        "vectors": vector,
        "context": vector,
        "vocabulary": vector[:3],
        "metrics": [
            ("round", pa.int32()), ("shard", pa.int32()), ("tokens", pa.int64()), ("loss", pa.float64()),
            ("seconds", pa.float64()), ("learning_rate", pa.float64()),
        ],
        "scores": [
            ("task", pa.string()), ("metric", pa.string()), ("value", pa.float64()), ("covered", pa.int64()),
            ("total", pa.int64()), ("threshold", pa.float64()), ("passed", pa.bool_()),
        ],
    }  # fmt: skip
    folder = version_folder(output)
    assert sorted(entry.name for entry in folder.iterdir()) == sorted([*contract, "artefacts", "manifest.json"])
    assert [file.name for file in (folder / "artefacts").iterdir()] == ["report.html"]
    for table, columns in contract.items():
        schema = pq.read_table(folder / table).schema
        for (name, kind), field in zip(columns, schema, strict=True):
            assert field.name == name
            assert field.type.equals(kind) or (pa.types.is_list(kind) and field.type.value_type == kind.value_type), (
                field
            )


def test_current_json_names_the_version_its_tables_and_its_time(output):
    found = current(output)
    assert found["version"] == "000001" and found["path"] == "versions/000001"
    words = pq.read_table(version_folder(output) / "vocabulary").num_rows
    scores = pq.read_table(version_folder(output) / "scores").num_rows
    assert found["tables"] == {
        "vectors": words, "context": words, "vocabulary": words, "metrics": 1, "scores": scores,
    }  # fmt: skip
    assert pd.Timestamp(found["published"]).tzinfo is not None
    assert sorted(entry.name for entry in output.iterdir()) == [
        "claims", "current.json", "staging", "versions", "w2vspark.json"
    ]  # fmt: skip


def test_duckdb_pandas_polars_spark_and_pyarrow_read_the_same_vectors_by_the_folder(output, spark):
    folder = version_folder(output) / "vectors"
    expected = pq.read_table(folder).sort_by("id").to_pylist()
    query = f"SELECT id, word, count, vector FROM read_parquet('{folder}/*.parquet') ORDER BY id"
    assert [list(row) for row in duckdb.sql(query).fetchall()] == [list(row.values()) for row in expected]
    assert pl.read_parquet(folder).sort("id").to_dicts() == expected
    rows = spark.read.parquet(str(folder)).orderBy("id").collect()
    assert [row.asDict() for row in rows] == expected
    files = [path for path in version_folder(output).rglob("*") if path.is_file() and path.parent.name != "artefacts"]
    assert {path.suffix for path in files} == {".parquet", ".json"}
    frame = pd.read_parquet(folder).sort_values("id")
    assert frame["word"].tolist() == [row["word"] for row in expected]
    assert np.array_equal(np.stack(frame["vector"].tolist()), np.array([row["vector"] for row in expected], np.float32))


def test_ids_follow_the_counts_and_words_of_one_count_their_spelling(output, lines):
    counts: dict[str, int] = {}
    for word in " ".join(lines).split():
        counts[word] = counts.get(word, 0) + 1
    expected = sorted((word for word in counts if counts[word] >= 2), key=lambda word: (-counts[word], word))
    for table in ("vectors", "context", "vocabulary"):
        rows = pq.read_table(version_folder(output) / table).sort_by("id").to_pylist()
        assert [(row["id"], row["word"], row["count"]) for row in rows] == [
            (number, word, counts[word]) for number, word in enumerate(expected)
        ]


def test_all_vectors_are_finite_and_of_the_configured_length(output):
    for table in ("vectors", "context"):
        rows = np.array(pq.read_table(version_folder(output) / table)["vector"].to_pylist())
        assert rows.shape[1] == 8 and np.isfinite(rows).all()
        assert (np.abs(rows).sum(axis=1) > 0).any()


def test_the_manifest_says_how_to_make_the_version_again_with_nothing_left_to_be_chosen(
    output, corpus, spark, tmp_path
):
    found = manifest(output)
    assert "auto" not in json.dumps(found["config"])
    _, again = from_dict(found["config"])  # the resolved configuration is one
    assert again[TrainingConfig].dimensions == 8
    words = ["run", *settings(corpus, tmp_path / "output")]
    for table in ("encoded", "training"):
        for key, value in found["config"][table].items():
            words += ["--set", f"{table}.{key}={value}"]
    run_here(*words).assert_done()
    assert digests(tmp_path / "output") == digests(output)


def test_the_manifest_names_code_libraries_fingerprints_rows_and_times(output, lines):
    found = manifest(output)
    assert found["tables"] == current(output)["tables"]
    assert found["run_id"] == current(output)["run_id"]
    assert found["corpus"]["documents"] == len(lines) and found["corpus"]["tokens"] == 100 * len(lines)
    assert set(found["fingerprints"]) == {"corpus", "request", *STAGES}
    assert set(found["seconds"]) >= set(STAGES[:5])
    assert found["cpu_target"] and found["code"]
    assert {"w2vspark", "python", "pyspark", "numba", "llvmlite", "numpy", "pyarrow"} <= set(found["versions"])


@pytest.mark.parametrize("setting", [{"training__epochs": 3}, {"training__shards": 2, "training__epochs": 1}])
def test_metrics_have_a_row_for_each_shard_and_round_with_all_tokens(setting, spark, corpus, tmp_path):
    chosen = setting | {"training__shards": setting.get("training__shards", 1), "training__rounds_per_epoch": 2}
    run_here("run", *settings(corpus, tmp_path / "output", **chosen)).assert_done()
    rows = pq.read_table(version_folder(tmp_path / "output") / "metrics").to_pylist()
    rounds, shards = 2 * chosen["training__epochs"], chosen["training__shards"]
    assert [(row["round"], row["shard"]) for row in rows] == [(r + 1, s) for r in range(rounds) for s in range(shards)]
    tokens = manifest(tmp_path / "output")["vocabulary"]["tokens"]
    assert sum(row["tokens"] for row in rows) == tokens * chosen["training__epochs"]
    assert all(np.isfinite(row["loss"]) and row["loss"] > 0 and row["seconds"] > 0 for row in rows)
    rates = [row["learning_rate"] for row in rows]
    assert (
        rates == sorted(rates, reverse=True)
        and rates[-1] < 0.01 * manifest(tmp_path / "output")["config"]["training"]["learning_rate"]
    )
