from pathlib import Path

import pytest

from w2vspark.base.errors import InputError
from w2vspark.vectors import read_analogies, read_pairs


def write(folder: Path, text: str) -> str:
    path = folder / "set.txt"
    path.write_bytes(text.encode("utf-8"))
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        "love\tsex\t6.77\ntiger cub\tcat\t7\n",
        "\ufefflove,sex,6.77\ntiger cub, cat ,7\n",
        "\ufeffWord 1,Word 2,Human (mean)\r\nlove,sex,6.77\r\ntiger cub,cat,7.0\r\n",
        "# from a paper\n\nlove\tsex\t6.77\n  \n# and\ntiger cub\tcat\t7",
        "word1\tword2\tscore\nlove\tsex\t+6.77e0\ntiger cub\tcat\t7\n",
    ],
)
def test_pairs_are_read_with_tabs_commas_headers_and_comments(tmp_path, text):
    assert read_pairs(write(tmp_path, text)) == [("love", "sex", 6.77), ("tiger cub", "cat", 7.0)]


def test_pairs_are_read_with_spaces(tmp_path):
    assert read_pairs(write(tmp_path, "爱 sex   6.77\nstock  market 8\n")) == [
        ("爱", "sex", 6.77),
        ("stock", "market", 8),
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("love\tsex\t6.77\ntiger\tcat\n", 2),
        ("# c\n\nlove sex 1\ntiger cat seven\n", 4),
        ("love sex 1\ntiger cat nan\n", 2),
        ("love sex inf\n", 1),
        ("love\tsex\n", 1),
        ("a\tb\tc\td\n", 1),
        ("love\t\t1\n", 1),
        ("word1 word2 score\nword1 word2 score\n", 2),
    ],
)
def test_a_malformed_pair_is_named_by_file_and_line(tmp_path, text, line):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=f"{path}, line {line}: expected two words and a number"):
        read_pairs(path)


EXPECTED = [
    ("capital-common-countries", "Athens", "Greece", "Oslo", "Norway"),
    ("gram1", "calm", "calmly", "free", "freely"),
]


@pytest.mark.parametrize(
    "text",
    [
        "capital-common-countries\tAthens\tGreece\tOslo\tNorway\ngram1\tcalm\tcalmly\tfree\tfreely\n",
        "section\ta\tb\tc\texpected\ncapital-common-countries\tAthens\tGreece\tOslo\tNorway\n"
        "gram1\tcalm\tcalmly\tfree\tfreely\n",
        ": capital-common-countries\nAthens Greece Oslo Norway\n: gram1\ncalm calmly free freely\n",
        ":capital-common-countries\r\n# comment\r\nAthens  Greece Oslo Norway\r\n\r\n"
        ": gram1\r\ncalm calmly free freely",
    ],
)
def test_analogies_are_read_in_both_forms(tmp_path, text):
    assert read_analogies(write(tmp_path, text)) == EXPECTED


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("Athens Greece Oslo Norway\n", 1, "a section and four words"),
        (": s\na b c d\na b c\n", 3, "four words"),
        (": s\na b c d e\n", 2, "four words"),
        ("s\ta\tb\tc\td\ns\ta\tb\t\td\n", 2, "a section and four words"),
        (":\na b c d\n", 2, "a section and four words"),
    ],
)
def test_a_malformed_analogy_is_named_by_file_and_line(tmp_path, text, line, expected):
    path = write(tmp_path, text)
    with pytest.raises(InputError, match=f"{path}, line {line}: expected {expected}"):
        read_analogies(path)


@pytest.mark.parametrize("read", [read_pairs, read_analogies])
def test_a_missing_empty_or_undecodable_file_is_one_clear_error(tmp_path, read):
    with pytest.raises(InputError, match="there is no such file"):
        read(str(tmp_path / "missing.tsv"))
    with pytest.raises(InputError, match="holds no"):
        read(write(tmp_path, "# nothing\n\n"))
    latin = tmp_path / "latin.tsv"
    latin.write_bytes("naïve\tsimple\t1\n".encode("latin-1"))
    with pytest.raises(InputError, match="byte 2 is not UTF-8"):
        read(str(latin))
