"""Vectors in other programs' files, as gensim writes them, and files that are damaged."""

from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from w2vspark.base.errors import InputError
from w2vspark.storage import vector_files
from w2vspark.storage.vector_files import FORMATS, scan_vector_file

WORDS = ["the", "naïve", "上课", "o'clock", "7", "-1"]


@pytest.fixture
def matrix() -> np.ndarray:
    return np.random.default_rng(1).standard_normal((len(WORDS), 5)).astype(np.float32)


def write(path: Path, matrix: np.ndarray, format: str) -> str:
    vectors = KeyedVectors(matrix.shape[1])
    vectors.add_vectors(WORDS, matrix)
    vectors.save_word2vec_format(
        str(path), binary=format == "word2vec-binary", write_header=format != "glove-text", sort_attr=""
    )
    return str(path)


def read(uri: str, format: str) -> tuple[list[str], np.ndarray]:
    batches = list(scan_vector_file(uri, format))
    return [word for words, _ in batches for word in words], np.concatenate([rows for _, rows in batches])


@pytest.mark.parametrize("named", [True, False], ids=["named", "auto"])
@pytest.mark.parametrize("rows", [2, 10_000])
@pytest.mark.parametrize("format", FORMATS)
def test_gensims_files_are_read_in_every_format(format, rows, named, matrix, tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "ROWS", rows)
    words, found = read(write(tmp_path / "v", matrix, format), format if named else "auto")
    assert words == WORDS and found.dtype == np.float32
    np.testing.assert_allclose(found, matrix, rtol=1e-6)


def test_a_binary_file_with_newlines_behind_its_vectors_is_read(matrix, tmp_path):
    rows = b"".join(word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, matrix, strict=True))
    (tmp_path / "v").write_bytes(b"%d 5\n" % len(WORDS) + rows)
    words, found = read(str(tmp_path / "v"), "auto")
    assert words == WORDS and found.tobytes() == matrix.tobytes()


DAMAGED = {
    "a word twice": (b"a 1 2\na 3 4\n", "auto", "the word 'a' twice"),
    "other lengths": (b"a 1 2\nb 3\n", "auto", "line 2 has 1 numbers, expected 2"),
    "no number": (b"a 1 2\nb 3 x\n", "auto", "line 2 is not a word and its numbers"),
    "not finite": (b"a 1 nan\n", "auto", "the vector of 'a' has a value that is not finite"),
    "fewer rows": (b"3 2\na 1 2\nb 3 4\n", "auto", "has 2 vectors where its first line says 3"),
    "cut short": (b"2 2\na \0\0\0\0\0\0\0\0b \0\0", "word2vec-binary", "ends in vector 2 of the 2"),
    "not UTF-8": (b"1 1\n\xff\xfe \0\0\0\0", "word2vec-binary", "the word of vector 1 is not UTF-8"),
    "no header": (b"a 1 2\n", "word2vec-text", "must begin with the number of words and of dimensions"),
    "nothing": (b"", "glove-text", "holds no vector"),
    "two words": (b"hello world\n", "auto", "unlike any format; name it in warm_start.format"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_is_refused_with_the_place(name, tmp_path):
    content, format, text = DAMAGED[name]
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(InputError) as caught:
        read(str(tmp_path / "v"), format)
    assert text in str(caught.value) and str(tmp_path / "v") in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no such file of vectors; check warm_start\.path"):
        read(str(tmp_path / "v"), "auto")
