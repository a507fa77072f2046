"""The demo's corpus: what is read of the standard library, and how it is written."""

import ast
import os
import sysconfig
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from w2vspark.base.errors import ConfigError, EnvironmentFailure, OutputError
from w2vspark.cli import works
from w2vspark.cli.demo import NEIGHBOURS, demo, read_docstrings, read_topics, write_corpus

QUICKSTART = Path(__file__).parents[2] / "conf" / "quickstart.toml"
STDLIB = Path(sysconfig.get_path("stdlib"))

MODULE = '''"""A module
   of shapes."""
raise SystemExit("the demo must not import me")

class Square:
    """Four   equal sides."""

    def area(self):
        """The side, squared."""
        "no docstring"

    async def draw(self):
        """Repeated text."""

    def silent(self):
        return """no docstring"""

def draw():
    """Repeated text."""
    def inner():
        "In a function: ünïcode."
'''


@pytest.fixture
def stdlib(tmp_path: Path) -> Path:
    """A small standard library with everything that may be odd about one."""
    root = tmp_path / "lib"
    files = {
        "shapes.py": MODULE.encode(),
        "package/__init__.py": b'"""A package."""',
        "package/latin.py": '# -*- coding: latin-1 -*-\n"""Caf\xe9."""'.encode("latin-1"),
        "package/undocumented.py": b"x = 1\n",
        "package/blank.py": b'"""   """',
        "package/undecodable.py": b'"""\xff\xfe"""',
        "package/python2.py": b'"""Old."""\nprint "hello"\n',
        "package/binary.py": b'"""Nul."""\0',
        "pydoc_data/topics.py": b"# by Sphinx\ntopics = {'if': 'The \"if\" '\n 'statement\\n', 'for': 'A\\nloop'}\n",
    }
    for folder in ("test", "idlelib/idle_test", "package/tests", "site-packages/other", "dist-packages", "__pycache__"):
        files[f"{folder}/skipped.py"] = b'"""Not documentation."""'
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def test_docstrings_are_read_from_the_sources_in_a_stated_order_each_once(stdlib: Path) -> None:
    docstrings, files, unreadable = read_docstrings(stdlib)
    assert docstrings == [
        "A package.", "Café.",
        "A module of shapes.", "Four equal sides.", "Repeated text.", "The side, squared.", "In a function: ünïcode.",
    ]  # fmt: skip
    assert files == 5
    assert [path.name for path in unreadable] == ["binary.py", "python2.py", "undecodable.py"]


@pytest.mark.parametrize(
    "source",
    [
        "topics = {'if': 'The \"if\"\\n'\n    'statement\\n', 'for': 'A\\nloop'}",
        "topics: dict[str, str] = {\n'if': r'''The \"if\"\nstatement\n''',\n'for': r'''A\nloop'''}",
        "import os\nVERSION = '3'\ntopics = {'if': 'The \"if\" statement', 'for': 'A loop', 'number': 3}",
    ],
)
def test_topics_are_read_however_the_dictionary_is_laid_out(tmp_path: Path, source: str) -> None:
    (tmp_path / "pydoc_data").mkdir()
    (tmp_path / "pydoc_data" / "topics.py").write_text(source)
    assert read_topics(tmp_path) == ['The "if" statement', "A loop"]


@pytest.mark.parametrize("source", ["", "topics = make()", "topics = {", "topics = {}"])
def test_a_python_without_topics_is_told(tmp_path: Path, source: str) -> None:
    (tmp_path / "pydoc_data").mkdir()
    (tmp_path / "pydoc_data" / "topics.py").write_text(source)
    with pytest.raises(EnvironmentFailure, match=r"topics\.py: .*topics.*install the whole standard library"):
        read_topics(tmp_path)


def test_a_python_without_its_topics_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"topics\.py: pydoc's topics cannot be read"):
        read_topics(tmp_path)


def test_a_python_without_sources_is_told(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="holds no Python sources with docstrings"):
        write_corpus(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_corpus_has_a_document_a_line_and_unreadable_files_are_reported(
    stdlib: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "w2vspark"):
        write_corpus(stdlib, tmp_path / "out")
    lines = (tmp_path / "out" / "corpus" / "docstrings.txt").read_text("utf-8").splitlines()
    assert lines == read_docstrings(stdlib)[0]
    assert (tmp_path / "out" / "corpus" / "topics.txt").read_text("utf-8") == 'The "if" statement\nA loop\n'
    assert "unreadable_files=3" in caplog.text and "binary.py" in caplog.text


def test_a_corpus_that_is_there_already_is_left_alone_and_a_changed_one_is_replaced(
    stdlib: Path, tmp_path: Path
) -> None:
    write_corpus(stdlib, tmp_path / "out")
    docstrings, topics = (tmp_path / "out" / "corpus" / name for name in ("docstrings.txt", "topics.txt"))
    topics.write_text("something else")
    os.utime(docstrings, ns=(1, 1))
    write_corpus(stdlib, tmp_path / "out")
    assert docstrings.stat().st_mtime_ns == 1
    assert topics.read_text("utf-8") == 'The "if" statement\nA loop\n'


def test_a_folder_that_holds_something_else_stays_as_it_is(stdlib: Path, tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match=r"home: holds something else \(letter\.txt\); name a new or an empty folder"):
        write_corpus(stdlib, folder)
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_folder_that_is_a_file_is_told(stdlib: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file: cannot be written .*name another folder"):
        write_corpus(stdlib, tmp_path / "file")


def test_a_folder_whose_name_spark_takes_for_a_pattern_is_told_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"output\.path"):
        demo(str(tmp_path / "all*"))
    assert list(tmp_path.iterdir()) == []


def test_this_python_s_documentation_has_about_a_third_of_a_million_words() -> None:
    docstrings, files, unreadable = read_docstrings(STDLIB)
    topics = read_topics(STDLIB)
    assert files > 400 and not unreadable
    assert 60 <= len(topics) <= 120
    words = sum(len(text.split()) for text in (*docstrings, *topics))
    assert 250_000 < words < 600_000
    assert ast.get_docstring(ast.parse((STDLIB / "bisect.py").read_bytes())) in docstrings
    assert not any("\n" in text for text in (*docstrings, *topics))


def test_the_demo_prints_neighbours_and_where_the_tables_are_and_has_nothing_to_do_the_second_time(
    spark: SparkSession, tmp_path: Path
) -> None:
    folder = str(tmp_path / "with space")
    printed = demo(folder)[1]
    assert f"{folder}/vectors/versions/000001/{{vectors,context,vocabulary,metrics,scores}}" in printed
    lines = printed.splitlines()
    start = lines.index("nearest neighbours (cosine):")
    thread = next(line.split() for line in lines[start:] if line.startswith("  thread "))
    assert len(thread) == 1 + 2 * NEIGHBOURS
    assert {"threads", "threading", "lock", "process"} & set(thread[1::2])
    assert f"w2vspark similar '{folder}/vectors' string integer\n" in printed
    again = demo(folder)[1]
    assert again.startswith("nothing to do") and lines[start:] == again.splitlines()[-len(lines[start:]) :]


def test_the_commands_to_try_next_work_where_the_environment_is_not_activated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "clone" / ".venv" / "bin" / "w2vspark"
    own.parent.mkdir(parents=True)
    own.touch(0o755)
    monkeypatch.setattr("sys.executable", str(own.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert works.program() == "clone/.venv/bin/w2vspark"
    monkeypatch.chdir(own.parent / "..")
    assert works.program() == "bin/w2vspark"
    monkeypatch.chdir("/")
    monkeypatch.setenv("PATH", str(own.parent))
    assert works.program() == "w2vspark"
