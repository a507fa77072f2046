"""What the README says works as it says: its commands and recipes run as written, one after another in one folder."""

import argparse
import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

from w2vspark.base import errors
from w2vspark.cli import command_line as cli
from w2vspark.cli.demo import write_corpus
from w2vspark.cli.reference import every_key
from w2vspark.cli.works import add_run_command
from w2vspark.methods import load_config

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(
    r"(?:<!-- not in the tests: (?P<why>.+?) -->\n)?```(?P<language>bash|python)\n(?P<code>.*?)```", re.DOTALL
)
BLOCKS = [(match["why"], match["language"], match["code"]) for match in BLOCK.finditer(README)]
RUN = [(language, code) for why, language, code in BLOCKS if why is None]
NOT_RUN = [code for why, _, code in BLOCKS if why is not None]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the README's commands find: the repository's files, an environment, and the demo's corpus."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("conf", "jobs"):
        (folder / name).symlink_to(ROOT / name)
    activate = folder / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n")
    write_corpus(Path(sysconfig.get_path("stdlib")), folder / "demo-output")
    return folder


def in_order(language: str, code: str, folder: Path) -> str:
    """Runs a block in the folder and returns what it printed; it must end well."""
    # One shell in the README activates the environment for all blocks that follow.
    program = ["bash", "-euc", f". .venv/bin/activate\n{code}"] if language == "bash" else [sys.executable, "-c", code]
    theirs = {name for name in os.environ if name.startswith(("SPARK", "PYSPARK"))} - {"SPARK_SUBMIT_OPTS"}
    environment = {name: value for name, value in os.environ.items() if name not in theirs}
    run = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL
    )
    assert run.returncode == 0, f"{code}\n{run.stdout}\n{run.stderr[-6000:]}"
    return run.stdout


@pytest.mark.slow
def test_the_commands_and_recipes_of_the_readme_run_as_written(clone: Path) -> None:
    printed = [in_order(language, code, clone) for language, code in RUN]

    def output_of(part: str) -> str:
        return next(text for (_, code), text in zip(RUN, printed, strict=True) if part in code)

    first = output_of("w2vspark similar")
    assert "plan:\n" in first and re.search(r"^memory, for .* words", first, re.MULTILINE)  # --dry-run
    assert "tables      " in first and "/vectors/versions/000001/" in first
    assert re.search(r"^thread +cosine +count\n(  \S+ +[01]\.\d{4} +[\d,]+\n){10}\nsocket ", first, re.MULTILINE)
    assert "vectors.txt: " in first
    assert re.search(r"^pairs\.tsv +-?[01]\.\d{4} .* 3 +3$", output_of("evaluate"), re.MULTILINE)
    assert "2 documents, 8 tokens" in output_of("fish.jsonl")
    count = int(output_of("pandas").split()[0])
    assert count > 100
    assert "cosine" in output_of("duckdb")
    assert re.search(r"\|0 +\|the +\|", output_of("SparkSession"))
    assert "Neighbour(word=" in output_of("load_vectors")
    assert "nothing to do: " in output_of("spark-submit")


def test_blocks_that_are_not_run_say_why_and_are_only_those_of_make_and_of_a_cluster() -> None:
    assert len(RUN) >= 8
    for code in NOT_RUN:
        assert re.match(r"make |python3\.11 -m venv packed\n|export PYSPARK_", code), code


def test_the_targets_that_the_readme_names_are_in_the_makefile() -> None:
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert named >= {"demo", "test", "lint"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_the_options_and_keys_of_commands_that_need_a_cluster_exist(clone: Path) -> None:
    code = next(code for code in NOT_RUN if "spark-submit" in code)
    words = shlex.split(code.replace("\\\n", " "), comments=False)
    job = words.index("jobs/train.py")
    commands = argparse.ArgumentParser(exit_on_error=False).add_subparsers()
    add_run_command(commands, "")
    parsed = commands.choices["run"].parse_args(words[job + 1 :])
    load_config(str(ROOT / parsed.config), parsed.overrides)
    known = set(re.findall(r"--[a-z-]+", in_order("bash", "spark-submit --help 2>&1", clone)))
    options = {word for word in words[words.index("spark-submit") : job] if word.startswith("--")}
    assert options and options <= known


def test_every_key_that_the_readme_names_exists() -> None:
    tables = tomllib.loads(every_key())
    named = re.findall(rf"`({'|'.join(tables)})\.([a-z_]+)`", README)
    assert len(named) >= 8
    for table, key in named:
        assert key in tables[table] or f"{table}.{key}" in ("spark.task",), f"{table}.{key}"


def test_the_defaults_in_the_table_of_keys_are_those_of_the_code() -> None:
    tables = tomllib.loads(every_key())
    rows = re.findall(r"^\| (`[a-z]+\.[^|]+`) \| ([^|]+) \|", README, re.MULTILINE)
    assert len(rows) >= 6
    for keys, defaults in rows:
        names = [name.split(".") for name in re.findall(r"`([a-z_.]+)`", keys)]
        shown = defaults.strip().split(", ")
        expected = [str(tables[table][key]) for table, key in names]
        assert expected in (shown, shown * len(names)), keys


def test_every_exit_code_is_in_the_readme_and_in_the_help() -> None:
    codes = {
        error.exit_code for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)
    }
    codes |= {0, 130, 143}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)} == codes
    assert {int(code) for code in re.findall(r"(?:^|[:;]\s)(\d+) ", cli.EXIT_CODES)} == codes


def test_the_files_that_the_readme_links_to_are_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link
