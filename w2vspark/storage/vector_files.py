"""Read vectors from files of other programs: word2vec's text and binary formats, and GloVe's text."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from w2vspark import storage
from w2vspark.base.errors import InputError

FORMATS = ("word2vec-text", "word2vec-binary", "glove-text")
ROWS = 10_000  # in a batch
_LINE = 1 << 20  # bytes of the longest line, a word and its numbers

Batch = tuple[list[str], npt.NDArray[np.float32]]


def scan_vector_file(uri: str, format: str) -> Iterator[Batch]:
    """Batches of words and their vectors, float32 (n, D), in the order of the file.

    format: one of FORMATS, or "auto", which looks at the first lines. Raises InputError, which names the line or word,
    for a file that is missing, cut short or not in the format, or that has a word twice or a value that is not finite.
    """
    seen: set[str] = set()
    if not storage.is_file(uri):
        raise InputError(f"{uri}: there is no such file of vectors; check warm_start.path")
    with storage.open_for_reading(uri) as file:
        first = file.readline(_LINE)
        if format == "auto":
            format = _guess(uri, first, file.readline(_LINE))
        file.seek(0)
        batches = _binary(uri, file) if format == "word2vec-binary" else _text(uri, file, format)
        for words, rows in batches:
            for word, row in zip(words, rows, strict=True):
                if word in seen:
                    raise InputError(f"{uri}: holds the word {word!r} twice; keep one of them")
                if not np.isfinite(row).all():
                    raise InputError(f"{uri}: the vector of {word!r} has a value that is not finite; remove it")
                seen.add(word)
            yield words, rows
    if not seen:
        raise InputError(f"{uri}: holds no vector; check warm_start.path")


def _guess(uri: str, first: bytes, second: bytes) -> str:
    head = first.split()
    if len(head) != 2:
        return "glove-text"
    if not all(part.isdigit() for part in head):
        raise InputError(f"{uri}: begins with {first[:60]!r}, unlike any format; name it in warm_start.format")
    try:
        return "word2vec-text" if len(second.decode("utf-8").split()) == int(head[1]) + 1 else "word2vec-binary"
    except UnicodeDecodeError:
        return "word2vec-binary"


def _header(uri: str, line: bytes) -> tuple[int, int]:
    head = line.split()
    if len(head) != 2 or not all(part.isdigit() for part in head) or int(head[1]) < 1:
        raise InputError(f"{uri}: must begin with the number of words and of dimensions, not {line[:60]!r}")
    return int(head[0]), int(head[1])


def _text(uri: str, file: BinaryIO, format: str) -> Iterator[Batch]:
    words: list[str] = []
    rows: list[list[float]] = []
    number, expected, dimensions, total = 0, None, 0, 0
    if format == "word2vec-text":
        expected, dimensions = _header(uri, file.readline(_LINE))
        number = 1
    for line in iter(lambda: file.readline(_LINE), b""):
        number += 1
        try:
            word, *numbers = line.decode("utf-8").rstrip().split(" ")
            row = [float(text) for text in numbers]
        except ValueError as error:
            raise InputError(f"{uri}: line {number} is not a word and its numbers ({error}); fix it") from error
        dimensions = dimensions or len(row)
        if len(row) != dimensions or not word:
            raise InputError(f"{uri}: line {number} has {len(row)} numbers, expected {dimensions}; fix it")
        words.append(word)
        rows.append(row)
        total += 1
        if len(words) == ROWS:
            yield words, np.array(rows, np.float32)
            words, rows = [], []
    if expected is not None and total != expected:
        raise InputError(f"{uri}: has {total} vectors where its first line says {expected}; get the whole file")
    if words:
        yield words, np.array(rows, np.float32)


def _binary(uri: str, file: BinaryIO) -> Iterator[Batch]:
    expected, dimensions = _header(uri, file.readline(_LINE))
    for first in range(0, expected, ROWS):
        words, rows = [], []
        for number in range(first, min(first + ROWS, expected)):
            letters = bytearray()
            while (letter := file.read(1)) not in (b" ", b""):
                if letter != b"\n":  # word2vec.c ends a vector with a newline, other programs do not
                    letters += letter
            values = file.read(4 * dimensions)
            if len(values) < 4 * dimensions:
                raise InputError(
                    f"{uri}: ends in vector {number + 1} of the {expected} that its first line says; get the whole file"
                )
            try:
                words.append(letters.decode("utf-8"))
            except UnicodeDecodeError as error:
                raise InputError(f"{uri}: the word of vector {number + 1} is not UTF-8 ({error}); fix it") from error
            rows.append(np.frombuffer(values, "<f4"))
        yield words, np.stack(rows).astype(np.float32)
