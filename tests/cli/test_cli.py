"""The real command: its exit codes, --dry-run, nothing to do, --from, and spark-submit's form of it."""

import json
import os
import re
import signal
import time
import tomllib
from pathlib import Path

import planted
import psutil
import pytest
from commands import (
    COMMAND,
    Outcome,
    current,
    digests,
    manifest,
    options,
    run_command,
    run_here,
    stack_lines,
    version_folder,
    wait_for_all,
)
from terminals import Terminal

from w2vspark import __version__
from w2vspark.base.redaction import REDACTED
from w2vspark.config.config import to_dict, to_toml
from w2vspark.flow.rates import write_rates
from w2vspark.methods import load_config
from w2vspark.output.claims import Claim
from w2vspark.training.word2vec.composed import composing_bytes

ROOT = Path(__file__).resolve().parents[2]
STAGES = ["word_counts", "vocabulary", "encoded", "bucket_counts", "rounds", "version"]
QUICK: dict[str, object] = {
    "training__dimensions": 8, "training__epochs": 2, "training__lanes": 2, "training__lane_merge_tokens": 1000,
    "training__rounds_per_epoch": 1, "vocabulary__min_count": 2, "spark__master": "local[2]",
}  # fmt: skip
SECRET = ["--set", "spark.options.spark.hadoop.fs.s3a.secret.key=geheim"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("cli") / "corpus", planted.documents(60, seed=8))


@pytest.fixture(scope="module")
def output(spark: object, corpus: Path) -> Path:
    """An output with one published version."""
    folder = corpus.parent / "output"
    run_here("run", *settings(corpus, folder), *SECRET).assert_done()
    return folder


@pytest.fixture
def no_java(tmp_path: Path) -> dict[str, str]:
    """An environment in which Spark cannot start, so that what works there has not started it."""
    return {"JAVA_HOME": str(tmp_path / "no-java")}


def settings(corpus: Path, output: Path, **more: object) -> list[str]:
    chosen: dict[str, object] = {"input__path": corpus, "output__path": output}
    return options(**(chosen | QUICK | more))


def made(log: str) -> list[str]:
    """The stages whose tables a run made."""
    return re.findall(r"stage=(\w+) event=end made=True", log)


def test_help_and_version_end_with_0_and_name_all_exit_codes():
    shown = run_command("--help")
    assert shown.code == 0
    for code in ("0 done", "1 unexpected", "2 wrong", "3 input", "4 output", "5 Java", "6 training", "130 interrupted"):
        assert code in " ".join(shown.out.split())
    assert run_command("--version").out == f"w2vspark {__version__}\n"


def test_the_same_command_again_finds_nothing_to_do_and_starts_no_spark(corpus, output, no_java):
    before = {file: file.stat().st_mtime_ns for file in sorted(output.rglob("*")) if file.is_file()}
    done = run_command("run", *settings(corpus, output), environment=no_java)
    first, second, *commands = done.assert_done().out.splitlines()
    assert first == f"nothing to do: {version_folder(output)} was made from this input, configuration and code"
    assert second == "try next:" and all(line.startswith("  w2vspark ") for line in commands)
    assert {file: file.stat().st_mtime_ns for file in sorted(output.rglob("*")) if file.is_file()} == before


def test_hold_without_publishing_is_refused(tmp_path):
    words = options(input__path=tmp_path / "none", output__path=tmp_path / "output")
    run_here("run", *words, "--until", "encoded", "--hold").assert_one_error(2, "--hold", "--until encoded")


def test_a_manifest_holds_no_secret(output):
    assert "geheim" not in (version_folder(output) / "manifest.json").read_text()
    assert manifest(output)["config"]["spark"]["options"] == {"spark.hadoop.fs.s3a.secret.key": REDACTED}


def test_other_settings_of_spark_or_of_retention_leave_nothing_to_do(corpus, output, no_java):
    words = settings(corpus, output, spark__master="local[1]", spark__driver_memory="1g", output__keep_versions=9)
    assert run_command("run", *words, environment=no_java).assert_done().out.startswith("nothing to do")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["run", "--set", "training.dimensons=5"], "training.dimensions"),
        (
            ["run", "--set", "training.epochs=none", "--set", "input.path=x", "--set", "output.path=y"],
            "training.epochs",
        ),
        (["run", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_wrong_configuration_ends_with_2(words, part, no_java):
    done = run_command(*words, environment=no_java)
    assert done.code == 2 and part in done.err and "Traceback" not in done.err


@pytest.mark.parametrize("words", [[], ["fly"], ["run", "--fast"], ["similar"], ["export", "x", "y"]])
def test_a_wrong_command_line_ends_with_2(words):
    done = run_command(*words)
    assert done.code == 2 and "usage: w2vspark" in done.err


def test_an_unknown_stage_ends_with_2_and_names_those_that_there_are(corpus, tmp_path, no_java):
    words = ["run", *settings(corpus, tmp_path / "output"), "--from", "training"]
    for more in ([], ["--dry-run"]):
        run_command(*words, *more, environment=no_java).assert_one_error(2, "training", *STAGES)


def test_missing_input_ends_with_3(tmp_path, no_java):
    words = settings(tmp_path / "nowhere", tmp_path / "output")
    run_command("run", *words, environment=no_java).assert_one_error(3, "nowhere")


def test_an_output_that_is_not_ours_or_without_a_model_ends_with_4(corpus, tmp_path, no_java):
    (tmp_path / "thesis.doc").write_text("years of work")
    run_command("run", *settings(corpus, tmp_path), environment=no_java).assert_one_error(4, "thesis.doc")
    run_command("similar", str(tmp_path / "nothing"), "word").assert_one_error(4, "nothing")


def test_no_java_ends_with_5_and_says_what_to_install(corpus, tmp_path, no_java):
    words = settings(corpus, tmp_path / "output")
    run_command("run", *words, environment=no_java).assert_one_error(5, "JAVA_HOME", "install OpenJDK 17")
    run_command("run", *words, environment={"JAVA_HOME": "", "PATH": ""}).assert_one_error(
        5, "Java", "install OpenJDK 17"
    )


def test_training_that_diverges_ends_with_6(corpus, output):
    before = current(output), digests(output)
    words = settings(corpus, output, training__learning_rate=1e30, training__combine="mean")
    done = run_command("run", *words)
    assert (current(output), digests(output)) == before
    done.assert_one_error(6, "not finite", "training.learning_rate")


def test_an_interrupted_run_ends_with_130_releases_its_lock_and_goes_on_afterwards(spark, corpus, tmp_path):
    """On a terminal. It shows bars, with the log above them, and is clean afterwards."""
    output = tmp_path / "output"
    words = settings(corpus, output, training__rounds_per_epoch=4)
    with Terminal(columns=100, rows=200) as terminal:
        process = terminal.start([COMMAND, "run", "--verbose", *words])
        try:
            deadline = time.monotonic() + 200
            while "event=end round=2 " not in terminal.raw:
                assert process.poll() is None and time.monotonic() < deadline, terminal.raw[-4000:]
                time.sleep(0.01)
            family = psutil.Process(process.pid).children(recursive=True)
            terminal.write("\x03")  # Ctrl-C: the terminal signals all processes of the group
            assert process.wait(timeout=100) == 130, terminal.raw[-4000:]
            wait_for_all(family)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        shown = terminal.shows("w2vspark: interrupted; the same command goes on")
        said = terminal.raw
    assert not terminal.hidden and not any("━" in line for line in shown), "no cursor is hidden, and no bar is left"
    ended = [line.split("  ")[0] for line in shown if re.fullmatch(r"[a-z ]+ \d+\.\d s|starting Spark .*", line)]
    assert ended == ["starting Spark", "word counts", "vocabulary", "encoded", "bucket counts"]
    for bar in ("word counts", "encoded", "rounds"):
        assert re.search(rf"\r\x1b\[2K{bar} +\S*━", said), f"a bar for {bar}"
    assert re.search(r"^\d{4}-\S+ INFO stage=round event=end round=2 of=8 \S", "\n".join(shown), re.MULTILINE)
    assert not (output / "lock.json").exists() and not (output / "current.json").exists()
    resumed = run_here("run", *words).assert_done()
    trained = [int(number) for number in re.findall(r"stage=round event=end round=(\d+)", resumed.err)]
    assert trained[0] >= 3 and trained[-1] == 8
    assert stack_lines(said) == []


def test_a_dry_run_prints_configuration_plan_and_memory_and_starts_nothing(corpus, tmp_path, no_java):
    output = tmp_path / "output"
    words = [*settings(corpus, output, training__seed=77), *SECRET]
    shown = run_command("run", *words, "--dry-run", "--all", environment=no_java).assert_done().out
    assert not output.exists() and "geheim" not in shown
    assert shown.startswith("plan:\n")
    rest, _, config = shown.partition("\n# every setting:\n")
    assert '"auto"' not in config.partition("[training]")[2]
    (tmp_path / "again.toml").write_text(config)
    asked, found = to_dict(load_config(None, words[1::2])[1]), to_dict(load_config(str(tmp_path / "again.toml"), [])[1])
    asked["spark"]["options"] = dict.fromkeys(asked["spark"]["options"], REDACTED)
    for table, keys in asked.items():
        for key, value in keys.items():
            assert value in (found[table][key], "auto"), f"{table}.{key}"
    for stage in STAGES:
        assert re.search(rf"^  {stage} +will be made$", rest, re.MULTILINE)
    assert re.search(r"^memory, for [\d,]+ words and [\d,]+ tokens \(guessed", rest, re.MULTILINE)
    assert re.search(r"model [\d,]+ MB; a training worker [\d,]+ MB", rest)
    assert "publishes" not in rest


def test_a_dry_run_prints_the_settings_that_differ_from_the_defaults_which_are_a_configuration_too(corpus, tmp_path):
    words = settings(corpus, tmp_path / "output", training__seed=77)
    shown = run_command("run", *words, "--dry-run").assert_done().out
    assert shown.startswith("plan:\n") and shown.index("\nmemory, ") < shown.index("\n# settings that differ ")
    (tmp_path / "again.toml").write_text(shown[shown.index("\n# settings that differ ") :])
    found = tomllib.loads((tmp_path / "again.toml").read_text())
    assert found["training"]["seed"] == 77 and found["training"]["learning_rate"] > 0  # what auto stands for
    assert "window" not in found["training"] and "tokens" not in found
    whole = run_command("run", *words, "--dry-run", "--all").assert_done().out.partition("# every setting:\n")[2]
    (tmp_path / "whole.toml").write_text(whole)
    assert load_config(str(tmp_path / "again.toml"), []) == load_config(str(tmp_path / "whole.toml"), [])


def test_all_without_a_dry_run_is_refused(corpus, tmp_path):
    run_here("run", *settings(corpus, tmp_path / "output"), "--all").assert_one_error(2, "--all", "--dry-run")


def test_a_dry_run_tells_the_memory_of_publishing_where_subwords_are_on(corpus, tmp_path, no_java):
    sizes = {"subwords__enabled": True, "training__dimensions": 300}
    words = settings(corpus, tmp_path / "output", **sizes)
    shown = run_command("run", *words, "--dry-run", environment=no_java).assert_done().out
    guessed = int(re.search(r"memory, for ([\d,]+) words", shown)[1].replace(",", ""))
    needed = composing_bytes(guessed, 8 * guessed, 300) / 1e6
    assert f"; a task that publishes vectors {needed:,.0f} MB of Python memory; the driver" in shown


def test_a_dry_run_claims_nothing_and_knows_what_is_there(corpus, output, no_java):
    with Claim(str(output)) as claim:
        shown = run_command("run", *settings(corpus, output), "--dry-run", environment=no_java).assert_done().out
        assert len(re.findall(r"is there$", shown, re.MULTILINE)) == len(STAGES)
        counted = manifest(output)["vocabulary"]
        assert f"memory, for {counted['words']:,} words and {counted['tokens']:,} tokens (counted)" in shown
        other = settings(corpus, output, training__seed=78)
        shown = run_command("run", *other, "--dry-run", environment=no_java).assert_done().out
        there = re.findall(r"^  (\w+) +is there$", shown, re.MULTILINE)
        assert there == STAGES[:4]
        shown = run_command("run", *settings(corpus, output), "--dry-run", "--from", "encoded", environment=no_java).out
        assert re.findall(r"^  (\w+) +is there$", shown, re.MULTILINE) == STAGES[:2]
        claim.check()


def test_from_a_stage_makes_it_and_all_after_it_again_with_the_same_bytes(corpus, spark, tmp_path):
    output = tmp_path / "output"
    run_here("run", *settings(corpus, output)).assert_done()
    before = digests(output)
    for number, stage in enumerate(["version", "rounds", "word_counts"], start=2):
        done = run_here("run", *settings(corpus, output), "--from", stage).assert_done()
        assert made(done.err) == STAGES[STAGES.index(stage) :]
        assert current(output)["version"] == f"{number:06}"
        assert digests(output) == before


def test_spark_submit_gives_the_same_bytes_as_the_command_line(corpus, output, tmp_path):
    config = tmp_path / "job.toml"
    config.write_text(
        to_toml(to_dict(load_config(None, settings(corpus, tmp_path / "output", spark__master="local[1]")[1::2])[1]))
    )
    submit = str(Path(COMMAND).with_name("spark-submit"))
    words = [
        "--master",
        "local[2]",
        str(ROOT / "jobs" / "train.py"),
        str(config),
        "--set",
        "training.seed=1",
    ]
    done = run_command(*words, program=[submit]).assert_done()
    assert "vocabulary" in done.out
    assert digests(tmp_path / "output") == digests(output)


@pytest.mark.slow
def test_an_error_of_a_spark_submit_job_is_one_line_and_its_exit_code(corpus, tmp_path):
    submit = str(Path(COMMAND).with_name("spark-submit"))
    words = [
        "--master",
        "local[2]",
        str(ROOT / "jobs" / "train.py"),
        *settings(tmp_path / "nowhere", tmp_path / "o"),
    ]
    done = run_command(*words, program=[submit])
    Outcome(done.code, "", done.out + done.err).assert_one_error(3, "nowhere")  # spark-submit mixes the two streams


def test_a_package_of_the_same_name_in_the_current_folder_is_not_what_the_workers_run(corpus, output, tmp_path):
    (tmp_path / "w2vspark").mkdir()
    (tmp_path / "w2vspark" / "__init__.py").write_text("raise RuntimeError('this is another package')")
    run_command("run", *settings(corpus, tmp_path / "output"), folder=tmp_path).assert_done()
    assert digests(tmp_path / "output") == digests(output)


def test_queries_read_the_published_tables_without_spark(output, tmp_path, no_java):
    word = planted.country(0)
    answer = run_command("similar", str(output), word, "--top", "3", "--json", environment=no_java).assert_done().out
    assert len(json.loads(answer)["answers"][0]["neighbours"]) == 3
    file = tmp_path / "vectors.txt"
    run_command("export", str(output), str(file), "--format", "word2vec-text", environment=no_java).assert_done()
    tables = current(output)["tables"]
    assert file.read_text().splitlines()[0] == f"{tables['vectors']} 8"


RATES = dict.fromkeys(["start", "query", "model", "word_counts", "encoded", "skipgram-ns"], 1.0)


def test_a_dry_run_estimates_the_time_on_a_cluster_with_the_rates_of_the_warm_up(
    corpus, tmp_path, no_java, monkeypatch
):
    cache = {**no_java, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = ["run", *settings(corpus, tmp_path / "output"), "--dry-run", "--cluster", "executors=20,cores=8"]
    run_command(*words, environment=cache).assert_one_error(5, "rates.json", "run w2vspark warm-up first")
    monkeypatch.setenv("XDG_CACHE_HOME", cache["XDG_CACHE_HOME"])
    write_rates(RATES)
    said = run_here(*words).assert_done().out
    assert said.startswith("estimate for 20 executors with 8 cores each:\n") and "plan:\n  word_counts " in said
    assert re.search(r"^  rounds +\d+\.\d G values +1 +1/s ", said, re.MULTILINE) and "spark.task.cpus = 2: " in said
    told = json.loads(run_here(*words, "--json").assert_done().out)
    assert told["estimate"]["task_cpus"] == 2 and told["estimate"]["tasks_at_once"] == 80
    assert {cost["table"] for cost in told["estimate"]["costs"]} == set(STAGES)
    write_rates({"start": 1.0, "query": 1.0})
    run_here(*words).assert_one_error(2, "lacks the rate of encoded, model, skipgram-ns, word_counts", "warm-up")


def test_a_cluster_that_cannot_be_estimated_is_one_error(corpus, tmp_path):
    words = ["run", *settings(corpus, tmp_path / "output"), "--cluster", "executors=20,cores=8"]
    run_here(*words).assert_one_error(2, "--cluster: works only with --dry-run")
    run_here(*words[:-1], "executors=20", "--dry-run").assert_one_error(2, "cores is missing")
