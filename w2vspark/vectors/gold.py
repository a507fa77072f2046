"""Read test sets: word pairs with people's scores, and analogy questions."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from w2vspark import storage
from w2vspark.base.errors import InputError


class Pair(NamedTuple):
    """Two words and their similarity, as judged by people."""

    first: str
    second: str
    score: float


class Analogy(NamedTuple):
    """An analogy question and its answer: "a is to b as c is to expected"."""

    section: str
    a: str
    b: str
    c: str
    expected: str


def read_pairs(path: str) -> list[Pair]:
    """Read word pairs with people's scores, as a list of `Pair(first, second, score)`.

    `path`: a local path or URI of a UTF-8 file with rows `word word score`, separated by tabs, commas or spaces. Empty
    lines and lines that begin with # are skipped, and so is a header: a first row whose third field is no number.

    Raises InputError, with the line number, for any other row; also for a file that is missing or has no pair.
    """
    pairs: list[Pair] = []
    first = True
    for number, line in _lines(path):
        fields = _fields(line)
        score = _number(fields[2]) if len(fields) == 3 and all(fields) else math.nan
        if score is not None and math.isfinite(score):
            pairs.append(Pair(fields[0], fields[1], score))
        elif score is not None or not first:  # None: the third of three fields is text, as in a header
            raise InputError(
                f"{path}, line {number}: expected two words and a number, separated by tabs, commas or spaces, "
                f"got {line!r}; fix the row or put # before it"
            )
        first = False
    if not pairs:
        raise InputError(f"{path}: holds no word pair; give a file with rows of two words and a number")
    return pairs


def read_analogies(path: str) -> list[Analogy]:
    """Read analogy questions, as a list of `Analogy(section, a, b, c, expected)`.

    `path`: a local path or URI of a UTF-8 file. It has rows `section a b c expected`, or, as word2vec's
    questions-words.txt, lines `: section` and rows `a b c expected`. Fields are separated by tabs, commas or spaces.
    Empty lines and lines that begin with # are skipped, and so is a header `section a b c expected`.

    Raises InputError, with the line number, for any other row; also for a file that is missing or has no question.
    """
    rows: list[Analogy] = []
    section = ""
    for number, line in _lines(path):
        if line.startswith(":"):
            section = line[1:].strip()
            continue
        fields = [section, *_fields(line)] if section else _fields(line)
        if len(fields) != 5 or not all(fields):
            expected = "four words" if section else "a section and four words, or ': section' lines above the rows"
            raise InputError(
                f"{path}, line {number}: expected {expected}, separated by tabs, commas or spaces, got {line!r}; "
                "fix the row or put # before it"
            )
        if rows or tuple(fields) != Analogy._fields:
            rows.append(Analogy(*fields))
    if not rows:
        raise InputError(f"{path}: holds no analogy; give a file with rows of a section and four words")
    return rows


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not empty or comments, stripped, each with its number."""
    try:
        text = storage.read_bytes(storage.absolute_uri(path)).decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; give a file of word pairs or analogies") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.strip()


def _fields(line: str) -> list[str]:
    """The fields of a line, split at its tabs, else at its commas, else at its spaces; fields may hold the others."""
    separator = r"\t" if "\t" in line else "," if "," in line else r"\s+"
    return [field.strip() for field in re.split(separator, line)]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
