"""What the documentation says works as it says: the commands and recipes of the README and of every page run as
written, one after another in one folder, in the order of the site's menu."""

import argparse
import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

import w2vspark.vectors
from w2vspark.base import errors
from w2vspark.cli import command_line as cli
from w2vspark.cli.pages import GENERATED, commands
from w2vspark.cli.reference import every_key
from w2vspark.methods import load_config

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
MENU = re.findall(r"^ +- (?:[^:]+: )?([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
TEXTS = {"README.md": README.read_text("utf-8")} | {f"docs/{page}": (DOCS / page).read_text("utf-8") for page in MENU}
WRITTEN = {name: text for name, text in TEXTS.items() if GENERATED[:30] not in text}  # by people
BLOCK = re.compile(
    r"(?:^ *<!-- not in the tests: (?P<why>[^\n]+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>bash|python)\n(?P<code>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)
KEYS = tomllib.loads(every_key())
OF_JOBS = {"fold"}


@dataclass(frozen=True)
class Block:
    """A block of code of a page."""

    page: str
    why_not: str | None  # it does not run in the tests
    language: str
    code: str


def blocks() -> Iterator[Block]:
    for page, text in TEXTS.items():
        for match in BLOCK.finditer(text):
            code = re.sub(rf"^{match['indent']}", "", match["code"], flags=re.MULTILINE)
            yield Block(page, match["why"], match["language"], code)


BLOCKS = list(blocks())
RUN = [block for block in BLOCKS if block.why_not is None]
NOT_RUN = [block for block in BLOCKS if block.why_not is not None]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the commands find: the repository's files, and an environment."""
    folder = tmp_path_factory.mktemp("documentation")
    (folder / "jobs").symlink_to(ROOT / "jobs")
    activate = folder / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.write_text(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH\n")
    return folder


def in_order(block: Block, folder: Path) -> str:
    """Runs a block in the folder and returns what it printed; it must end well."""
    code = block.code
    # One shell in the README activates the environment for all blocks that follow.
    run = code if block.language == "bash" else f"exec python -c {shlex.quote(code)}"
    program = ["bash", "-euc", f". .venv/bin/activate\n{run}"]
    theirs = {name for name in os.environ if name.startswith(("SPARK", "PYSPARK"))} - {"SPARK_SUBMIT_OPTS"}
    environment = {name: value for name, value in os.environ.items() if name not in theirs}
    done = subprocess.run(
        program, cwd=folder, env=environment, capture_output=True, text=True, timeout=400, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{block.page}:\n{code}\n{done.stdout}\n{done.stderr[-6000:]}"
    return done.stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_commands_and_recipes_of_all_pages_run_as_written(clone: Path) -> None:
    in_order(Block("the command of make demo", None, "bash", "w2vspark demo demo-output"), clone)
    printed = [in_order(block, clone) for block in RUN]

    def output_of(page: str, part: str) -> str:
        """What the first block of a page that has this part printed."""
        found = [text for block, text in zip(RUN, printed, strict=True) if block.page == page and part in block.code]
        assert found, f"{page} has no block with {part!r}"
        return found[0]

    first = output_of("README.md", "w2vspark similar")
    assert "plan:\n" in first and re.search(r"^memory, for .* words", first, re.MULTILINE)  # --dry-run
    assert "tables      " in first and "/vectors/versions/000001/" in first
    assert re.search(r"^thread +cosine +count\n(  \S+ +[01]\.\d{4} +[\d,]+\n){10}\nsocket ", first, re.MULTILINE)
    assert "vectors.txt: " in first
    assert int(output_of("README.md", "pandas").split()[0]) > 100

    tutorial = "docs/tutorials/first-run.md"
    assert output_of(tutorial, "epochs=22").startswith("nothing to do: ")
    assert re.search(r"word_counts +is there\n.*rounds +will be made", output_of(tutorial, "epochs=22"), re.DOTALL)
    assert "79 documents, " in output_of(tutorial, "topics.jsonl --set input.format=json")
    corpus = "docs/tutorials/real-corpus.md"
    assert "nothing was published" in output_of(corpus, "--until vocabulary")
    assert "nothing to do: " in output_of(corpus, "cat >> corpus.toml")
    assert re.search(r"^pairs\.tsv +-?[01]\.\d{4} .* 3 +3$", output_of(corpus, "--pairs pairs.tsv"), re.MULTILINE)

    reading = "docs/guides/reading-tables.md"
    assert "cosine" in output_of(reading, "duckdb")
    assert "shape: (5, 2)" in output_of(reading, "polars")
    assert re.search(r"\|0 +\|the +\|", output_of(reading, "SparkSession"))
    assert "Neighbour(word=" in output_of(reading, "load_vectors")
    assert "nothing to do: " in output_of("docs/guides/cluster.md", "spark-submit")
    assert "北京大学" in output_of("docs/guides/chinese.md", "read_parquet")

    erased = "docs/guides/erase-text.md"
    before = output_of(erased, "cp topics.jsonl")
    for held in ("staging/encoded/", "staging/word_counts/", "versions/000001/documents/", "versions/000002/vectors/"):
        assert f"people/{held}" in before
    after = [text for block, text in zip(RUN, printed, strict=True) if block.code.startswith("python holds.py")]
    assert [text.split(maxsplit=2)[0] for text in after] == ["0"], after
    assert len(list((clone / "people" / "versions").iterdir())) == 1


def test_blocks_that_are_not_run_say_why_and_are_only_those_of_make_of_a_cluster_and_of_a_store() -> None:
    assert len(RUN) >= 40
    make = r"make (demo|test)\n(make test\n)?"
    cluster = r"python3\.11 -m venv packed\n|export PYSPARK_|spark-submit --master k8s"
    cluster += r"|import w2vspark\n\nmade = .*spark\.table"
    store = r"pip install 'w2vspark\[stores\]'|export CLASSPATH="
    benchmark = r"python tests/bench/\w+\.py"
    for block in NOT_RUN:
        assert re.match(f"{make}|{cluster}|{store}|{benchmark}", block.code), block.code
    assert len(NOT_RUN) <= 10


def test_the_targets_that_are_named_are_in_the_makefile() -> None:
    named = {target for text in TEXTS.values() for target in re.findall(r"`make ([a-z]+)|^make ([a-z]+)", text, re.M)}
    names = {first or second for first, second in named}
    assert names >= {"demo", "test", "docs"}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in names:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def command_lines(block: Block) -> Iterator[list[str]]:
    """The words of each line of a block of bash that calls w2vspark, or a script of jobs/ as w2vspark is called."""
    code = re.sub(r"<<'END'\n.*?^END$", "", block.code, flags=re.DOTALL | re.MULTILINE)
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        script = next((at for at, word in enumerate(words) if word.endswith("jobs/train.py")), None)
        if script is not None:
            yield ["run", *words[script + 1 :]]
        elif words and words[0].rpartition("/")[2] == "w2vspark":
            yield words[1:]


def test_every_command_that_is_named_exists_with_its_options() -> None:
    known = commands().choices
    seen = set()
    for block in BLOCKS:
        for words in command_lines(block) if block.language == "bash" else ():
            parser = argparse.ArgumentParser(exit_on_error=False, parents=[known[words[0]]], add_help=False)
            try:
                parser.parse_args(words[1:])
            except (argparse.ArgumentError, SystemExit) as error:
                pytest.fail(f"{block.page}: w2vspark {shlex.join(words)}: {error}")
            seen.add(words[0])
    assert seen >= {
        "run",
        "similar",
        "analogy",
        "evaluate",
        "export",
        "probe",
        "search",
        "versions",
        "promote",
        "clean",
    }
    for page, text in TEXTS.items():
        for name in re.findall(r"`w2vspark ([a-z][a-z-]+)", text):
            assert name in known, f"{page}: w2vspark {name}"


def test_the_options_and_keys_of_commands_that_are_not_run_exist(clone: Path) -> None:
    submitted = 0
    help = in_order(Block("", None, "bash", "spark-submit --help 2>&1"), clone)
    known = set(re.findall(r"--[a-z-]+", help))
    for block in NOT_RUN:
        if block.language != "bash":
            continue
        for words in command_lines(block):
            if words[0] != "run":
                continue
            parsed = commands().choices["run"].parse_args(words[1:])
            load_config(parsed.config, parsed.overrides)
        if "spark-submit" in block.code:
            words = shlex.split(block.code.replace("\\\n", " "))
            script = next(at for at, word in enumerate(words) if word.endswith("jobs/train.py"))
            options = {word for word in words[words.index("spark-submit") : script] if word.startswith("--")}
            assert options and options <= known
            submitted += 1
    assert submitted >= 3


def test_every_key_that_is_named_exists() -> None:
    named = {
        (page, table, key)
        for page, text in WRITTEN.items()
        for table, key in re.findall(rf"(?<![\w.])({'|'.join(KEYS)})\.(?!py\b|toml\b)([a-z_]+)(?=`| = |=)", text)
    }
    assert len(named) >= 60
    for page, table, key in named:
        assert key in KEYS[table], f"{page}: {table}.{key}"


def tables(text: str) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The tables of a page: the cells of the head, and those of the rows."""
    for table in re.findall(r"(?:^ *\|.*\|\n)+", text, re.MULTILINE):
        head, _, *rows = [
            [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]] for line in table.splitlines()
        ]
        yield head, rows


def test_the_defaults_in_tables_of_keys_are_those_of_the_code() -> None:
    checked = 0
    for page, text in WRITTEN.items():
        for head, rows in tables(text):
            at = next((at for at, name in enumerate(head) if name in ("key", "here")), None)
            if at is None or head[at + 1 : at + 2] != ["default"]:
                continue
            for row in rows:
                keys = re.findall(r"`([a-z_]+)\.([a-z_]+)(?=`| = )", row[at])
                shown = row[at + 1].partition(": ")[0]  # "auto: 5" says what auto stands for
                if keys and shown:
                    expected = [_default(*key) for key in keys]
                    assert shown in (", ".join(expected), *(expected if len(set(expected)) == 1 else [])), (
                        f"{page}: {row}"
                    )
                    checked += 1
    assert checked >= 30


def _default(table: str, key: str) -> str:
    """A key's default as people write it."""
    value = KEYS[table][key]
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) and value >= 1 else str(value)


def test_every_exit_code_is_on_its_page_and_in_the_help() -> None:
    codes = {
        error.exit_code for error in vars(errors).values() if isinstance(error, type) and issubclass(error, Exception)
    }
    codes |= {0, 130, 143}
    page = TEXTS["docs/reference/exit-codes.md"]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == codes
    assert {int(code) for code in re.findall(r"(?:^|[:;]\s)(\d+) ", cli.EXIT_CODES)} == codes


def anchors(text: str) -> set[str]:
    """The anchors of a page, as the site makes them of its headings."""
    without_code = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading.lower()).strip()) for heading in headings}


def test_links_lead_to_files_and_headings_that_are_there() -> None:
    found = 0
    texts = TEXTS | {"CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text("utf-8")}
    for page, text in texts.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
            if "://" in link:
                continue
            file, _, anchor = link.partition("#")
            target = (ROOT / page).parent / file if file else ROOT / page
            assert target.exists(), f"{page}: {link}"
            assert not anchor or anchor in anchors(target.read_text("utf-8")), f"{page}: {link}"
            found += 1
    assert found >= 100


def test_the_menu_has_every_page_once() -> None:
    pages = sorted(str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md"))
    assert sorted(MENU) == pages


def test_the_readme_is_a_front_page() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 200


def test_what_the_reference_of_python_names_exists_and_has_a_docstring() -> None:
    named = re.findall(r"^::: (w2vspark\.\S+)$", TEXTS["docs/reference/python.md"], re.MULTILINE)
    # A function may have the name of its module.
    assert set(w2vspark.vectors.__all__) <= {
        name.rpartition(".")[2] for name in named if name.startswith("w2vspark.vectors.")
    }
    assert {"w2vspark.api.train", "w2vspark.api.job", "w2vspark.api.Result", "w2vspark.base.errors"} <= set(named)
    for name in named:
        for shown, value in public(name):
            assert inspect.getdoc(value), f"{shown} has no docstring"


def public(name: str) -> Iterator[tuple[str, object]]:
    """What stands under a name: a function, a class with its public methods, or a module with its classes."""
    module, _, last = name.rpartition(".")
    try:
        value: object = importlib.import_module(name)
    except ModuleNotFoundError:
        value = getattr(importlib.import_module(module), last)
    yield name, value
    if not callable(value) or inspect.isclass(value):
        for inner, member in vars(value).items():
            if not inner.startswith("_") and (inspect.isfunction(member) or inspect.isclass(member)):
                yield f"{name}.{inner}", member
            elif not inner.startswith("_") and isinstance(member, property):
                yield f"{name}.{inner}", member


def test_the_picture_of_the_terminal_shows_what_was_printed() -> None:
    made = subprocess.run(
        [sys.executable, str(DOCS / "terminal.py"), "w2vspark demo"],
        input="a  <b> & c\n\n  d\n",
        capture_output=True,
        text=True,
        check=True,
    )
    texts = [part.text for part in ElementTree.fromstring(made.stdout).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["$", "w2vspark demo", "a\u00a0\u00a0<b> & c", "d"]
    kept = "".join(ElementTree.parse(DOCS / "pictures" / "demo.svg").getroot().itertext())
    assert "make demo" in kept and "nearest neighbours" in kept and "/work/" not in kept


def test_no_page_names_a_machine_or_another_project_folder() -> None:
    for page, text in TEXTS.items():
        assert not re.search(r"/work/|/root/|/home/", text), page
