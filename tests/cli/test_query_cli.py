import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gensim.models import KeyedVectors
from outputs import declare

from w2vspark.base import schemas
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.cli import queries as query_cli
from w2vspark.cli.command_line import make_parser

WORDS = ["man", "woman", "king", "queen", "苹果", "pear"]
ROWS = [[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1], [0, 0, -0.5, 1]]


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small published output: six words, and a context table whose vectors are twice as long."""
    root = tmp_path_factory.mktemp("cli") / "output"
    for name, scale in (("vectors", 1), ("context", 2)):
        folder = root / "versions" / "000001" / name
        folder.mkdir(parents=True)
        columns = {"id": range(6), "word": WORDS, "count": [12345, 90, 80, 70, 60, 5]}
        vectors = (np.array(ROWS) * scale).tolist()
        pq.write_table(pa.table(columns | {"vector": vectors}, schema=schemas.VECTORS), folder / "part-0.parquet")
    declare(root, "000001", {"vectors": 6, "context": 6})
    return str(root)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("sets")
    files = {
        "pairs": "man\twoman\t8\nking\tqueen\t9\nman\t苹果\t0\nman\tunknown\t1\n",
        "none": "unknown\tunheard\t8\n",
        "analogies": ": family\nMan King Woman Queen\n: gram1\nman king woman pear\nman king woman kings\n",
    }
    for name, text in files.items():
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8")
    return {name: str(folder / f"{name}.tsv") for name in files}


def run(*words: str) -> int:
    arguments = make_parser(words).parse_args(words)
    code: int = arguments.handler(arguments)
    return code


def test_similar_prints_an_aligned_table_for_every_word(output, capsys):
    assert run("similar", output, "king", "苹果", "--top", "2") == 0
    assert capsys.readouterr().out == (
        "king     cosine   count\n"
        "  queen  0.8165      70\n"
        "  man    0.7071  12,345\n"
        "\n"
        "苹果    cosine   count\n"
        "  pear  0.8944       5\n"
        "  man   0.0000  12,345\n"
    )


def test_similar_prints_json(output, capsys):
    assert run("similar", output, "king", "pear", "--top", "1", "--json") == 0
    king, pear = json.loads(capsys.readouterr().out)["answers"]
    assert king["word"] == "king" and pear["neighbours"][0]["word"] == "苹果"
    assert king["neighbours"] == [{"word": "queen", "similarity": pytest.approx(0.8165, abs=1e-4)}]


@pytest.mark.parametrize("method", ["3cosadd", "3cosmul"])
def test_man_king_woman_gives_queen(output, capsys, method):
    assert run("analogy", output, "man", "king", "woman", "--top", "1", "--method", method) == 0
    title, answer = capsys.readouterr().out.splitlines()
    assert title.startswith(f"man : king = woman : ?  {method}") and answer.split()[0] == "queen"
    assert run("analogy", output, "man", "king", "woman", "--json", "--method", method) == 0
    answers = json.loads(capsys.readouterr().out)["answers"]
    assert answers[0]["word"] == "queen" and len(answers) == 3


def test_evaluate_prints_a_row_for_pairs_and_a_table_for_analogies(output, sets, capsys):
    assert run("evaluate", output, "--pairs", sets["pairs"], sets["none"], "--analogies", sets["analogies"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["pairs", "spearman", "pearson", "covered", "total"]
    assert lines[1][0] == sets["pairs"] and lines[1][1] == "1.0000" and lines[1][3:] == ["3", "4"]
    assert lines[2] == [sets["none"], "-", "-", "0", "1"]
    assert lines[4] == [sets["analogies"], "(3cosadd)", "accuracy", "correct", "covered", "total"]
    assert lines[5:] == [
        ["family", "1.0000", "1", "1", "1"],
        ["gram1", "0.0000", "0", "1", "2"],
        ["semantic", "1.0000", "1", "1", "1"],
        ["syntactic", "0.0000", "0", "1", "2"],
        ["total", "0.5000", "1", "2", "3"],
    ]


def test_evaluate_prints_json_with_null_for_what_does_not_exist(output, sets, capsys):
    files = ["--pairs", sets["pairs"], "--pairs", sets["none"], "--analogies", sets["analogies"]]
    assert run("evaluate", output, *files, "--restrict", "5", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["restrict"] == 5
    assert [(row["file"], row["covered"], row["total"]) for row in result["pairs"]] == [
        (sets["pairs"], 3, 4),
        (sets["none"], 0, 1),
    ]
    assert result["pairs"][1]["spearman"] is None
    [analogies] = result["analogies"]
    assert analogies["sections"][1] == {"section": "gram1", "correct": 0, "covered": 0, "total": 2, "accuracy": None}
    assert analogies["total"]["accuracy"] == 1.0


@pytest.fixture(scope="module")
def counted(output: str) -> str:
    """The output's version as one of its own, with counts."""
    folder = Path(output).parent / "counted" / "versions" / "000001"
    (folder / "vocabulary").mkdir(parents=True)
    (folder / "cooccurrences").mkdir()
    table = pa.table({"id": pa.array(range(6), pa.int32()), "word": WORDS, "count": [9, 8, 7, 6, 5, 4]})
    pq.write_table(table, folder / "vocabulary" / "part-0.parquet")
    entries = {(0, 2): 6.0, (0, 4): 1.0, (0, 5): 1.0, (1, 2): 1.5, (1, 3): 2.5}
    columns = [[row for row, _ in entries], [col for _, col in entries], list(entries.values())]
    pq.write_table(pa.table(columns, schema=schemas.COOCCURRENCES), folder / "cooccurrences" / "part-0.parquet")
    declare(folder.parents[1], "000001", {"vocabulary": 6, "cooccurrences": len(entries)})
    return str(folder.parents[1])


def test_probe_prints_probabilities_and_ratios(counted, capsys):
    assert run("probe", counted, "man", "woman", "--words", "king", "queen", "苹果", "man") == 0
    assert capsys.readouterr().out == (
        "k        P(k|man)  P(k|woman)  P(k|man)/P(k|woman)\n"
        "  king   7.50e-01    3.75e-01               2.0000\n"
        "  queen  0.00e+00    6.25e-01               0.0000\n"
        "  苹果   1.25e-01    0.00e+00                    -\n"
        "  man    0.00e+00    0.00e+00                    -\n"
    )


def test_probe_prints_json_with_null_for_what_does_not_exist(counted, capsys):
    assert run("probe", counted, "man", "woman", "--words", "king", "pear", "man", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "a": "man",
        "b": "woman",
        "probes": [
            {"word": "king", "first": 0.75, "second": 0.375, "ratio": 2.0},
            {"word": "pear", "first": 0.125, "second": 0.0, "ratio": None},
            {"word": "man", "first": 0.0, "second": 0.0, "ratio": None},
        ],
    }


def test_evaluate_without_a_test_set_and_with_a_bad_one_are_errors(output, tmp_path):
    with pytest.raises(ConfigError, match="--pairs or --analogies"):
        run("evaluate", output)
    with pytest.raises(InputError, match="no such file"):
        run("evaluate", output, "--pairs", str(tmp_path / "missing.tsv"))


@pytest.mark.parametrize(("table", "scale"), [("vectors", 1), ("context", 2)])
def test_export_writes_what_gensim_reads(output, tmp_path, capsys, table, scale):
    file = str(tmp_path / "out.bin")
    assert run("export", output, "--format", "word2vec-binary", file, "--table", table) == 0
    assert capsys.readouterr().out == f"{file}: 6 words, 4 dimensions, word2vec-binary\n"
    read = KeyedVectors.load_word2vec_format(file, binary=True)
    assert read.index_to_key == WORDS and np.array_equal(read.vectors, np.float32(ROWS) * scale)
    with pytest.raises(OutputError, match="--overwrite"):
        run("export", output, "--format", "word2vec-text", file)
    assert run("export", output, "--format", "word2vec-text", file, "--overwrite") == 0
    assert Path(file).read_text(encoding="utf-8").startswith("6 4\nman 1 0 0 0\n")


def test_the_choices_of_the_command_line_are_those_of_the_functions():
    from typing import get_args

    from w2vspark.vectors.export import Format
    from w2vspark.vectors.query import Method

    assert get_args(Format) == query_cli.FORMATS and get_args(Method) == query_cli.ANALOGY_METHODS


@pytest.mark.parametrize("top", ["0", "-1", "two", "1.5"])
def test_a_number_that_is_not_above_zero_is_refused(output, capsys, top):
    with pytest.raises(SystemExit) as stop:
        run("similar", output, "king", f"--top={top}")
    assert stop.value.code == 2 and "not a whole number above 0" in capsys.readouterr().err


WITHOUT_SPARK = """
import argparse, sys
sys.modules["pyspark"] = None  # importing it raises from here on
sys.modules["numba"] = None
from w2vspark.cli import queries as query_cli
heavy = {"numpy", "pyarrow", "pandas"} & set(sys.modules)
assert not heavy, heavy
query_cli.add_query_commands(argparse.ArgumentParser().add_subparsers())
from w2vspark.cli.command_line import make_parser
arguments = make_parser(sys.argv[1:]).parse_args(sys.argv[1:])
sys.exit(arguments.handler(arguments))
"""


def test_the_commands_run_without_pyspark_and_numba_and_build_the_parser_without_numpy(output, sets, tmp_path):
    for words in (
        ["similar", output, "king"],
        ["analogy", output, "man", "king", "woman"],
        ["evaluate", output, "--pairs", sets["pairs"], "--analogies", sets["analogies"]],
        ["export", output, "--format", "glove-text", str(tmp_path / "glove.txt")],
    ):
        done = subprocess.run([sys.executable, "-c", WITHOUT_SPARK, *words], capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, done.stderr
