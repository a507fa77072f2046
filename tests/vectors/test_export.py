import errno
import os
from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.vectors import WordVectors, export_vectors
from w2vspark.vectors import export as export_module

GENSIM = {
    "word2vec-text": {"binary": False},
    "word2vec-binary": {"binary": True},
    "glove-text": {"binary": False, "no_header": True},
}


def any_floats(rows: int, columns: int) -> np.ndarray:
    """Finite float32 of every size, denormals and both zeros included."""
    bits = np.random.default_rng(5).integers(0, 2**32, size=(rows, columns), dtype=np.uint32)
    floats = bits.view(np.float32)
    floats[~np.isfinite(floats)] = 0
    # The last one is read wrongly through a double when written with its fewest digits.
    floats[0, :6] = [0.0, -0.0, 1e-45, 3.4028235e38, 16777217.0, 7.038531e-26]
    return floats


def write(vectors: WordVectors, path: Path, format: str) -> Path:
    export_vectors(vectors, str(path), format)
    return path


@pytest.mark.parametrize("format", GENSIM)
def test_gensim_reads_back_every_bit(tmp_path: Path, vectors, format):
    wide = WordVectors(vectors.words, vectors.counts, any_floats(500, 24))
    read = KeyedVectors.load_word2vec_format(str(write(wide, tmp_path / "out", format)), **GENSIM[format])
    assert read.index_to_key == vectors.words
    assert read.vectors.dtype == np.float32
    assert read.vectors.tobytes() == wide.matrix.tobytes()


def test_the_binary_form_is_what_word2vecs_distance_program_reads(tmp_path: Path, vectors):
    """A transcription of the reading loop of distance.c: fscanf, then getc up to a space (newlines dropped), fread."""
    content = write(vectors, tmp_path / "out.bin", "word2vec-binary").read_bytes()
    header, place = content.split(b"\n", 1)[0], content.index(b"\n")  # fscanf("%lld") stops before the newline
    words, size = map(int, header.split())
    read = []
    for _ in range(words):
        letters = bytearray()
        while content[place] != ord(" "):
            if content[place] != ord("\n"):
                letters.append(content[place])
            place += 1
        place += 1
        read.append((letters.decode(), content[place : place + 4 * size]))
        place += 4 * size
    assert read == [(word, row.tobytes()) for word, row in zip(vectors.words, vectors.matrix, strict=True)]
    assert content[place:] == b"\n"


def test_the_text_forms_differ_by_the_first_line_alone(tmp_path: Path):
    two = WordVectors(["the", "cat"], np.array([9, 2]), np.array([[0.1, -2], [1e-7, 3e8]], dtype=np.float32))
    text = write(two, tmp_path / "a", "word2vec-text").read_text()
    assert text == "2 2\nthe 0.100000001 -2\ncat 1.00000001e-07 300000000\n"
    assert write(two, tmp_path / "b", "glove-text").read_text() == text.partition("\n")[2]


@pytest.mark.parametrize("word", ["new york", "a\tb", "a\n", "", "a\r"])
@pytest.mark.parametrize("format", GENSIM)
def test_a_word_that_the_formats_cannot_hold_is_named_with_the_fix(tmp_path: Path, word, format):
    vectors = WordVectors(["the", word], np.array([2, 1]), np.eye(2, dtype=np.float32))
    with pytest.raises(InputError) as error:
        write(vectors, tmp_path / "out", format)
    assert repr(word) in str(error.value) and "tokenizer" in str(error.value) and "Parquet" in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path: Path, vectors):
    target = tmp_path / "out.txt"
    target.write_text("precious")
    with pytest.raises(OutputError, match=r"out\.txt is there already.*--overwrite"):
        write(vectors, target, "word2vec-text")
    assert target.read_text() == "precious"
    export_vectors(vectors, str(target), "word2vec-text", overwrite=True)
    assert target.read_text().startswith("500 24\nw0 ")
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_export_leaves_the_old_file_and_nothing_else(tmp_path: Path, vectors, monkeypatch):
    def full_disk(vectors):
        yield b"some"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = tmp_path / "out.bin"
    target.write_text("precious")
    monkeypatch.setattr("w2vspark.vectors.export._binary_lines", full_disk)
    with pytest.raises(OutputError, match="No space left"):
        export_vectors(vectors, str(target), "word2vec-binary", overwrite=True)
    assert target.read_text() == "precious" and list(tmp_path.iterdir()) == [target]


def test_places_and_formats_that_do_not_exist_are_refused(tmp_path: Path, vectors):
    with pytest.raises(OutputError, match="No such file or directory"):
        write(vectors, tmp_path / "missing" / "out", "word2vec-text")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        write(vectors, tmp_path / "file" / "out", "word2vec-text")
    with pytest.raises(OutputError, match="is a folder"):
        export_vectors(vectors, str(tmp_path), "word2vec-text", overwrite=True)
    with pytest.raises(ConfigError, match="local path"):
        export_vectors(vectors, "s3://bucket/out", "word2vec-text")
    with pytest.raises(ConfigError, match=r"'npz'.*word2vec-text, word2vec-binary, glove-text"):
        export_vectors(vectors, str(tmp_path / "out"), "npz")
    assert export_module.get_args(export_module.Format) == tuple(GENSIM)
