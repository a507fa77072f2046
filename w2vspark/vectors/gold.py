"""Reads test sets: word pairs with people's scores, and analogy questions."""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from w2vspark import storage
from w2vspark.base.errors import InputError


class Pair(NamedTuple):
    """Two words and how alike people find them."""

    first: str
    second: str
    score: float


class Analogy(NamedTuple):
    """a is to b as c is to expected."""

    section: str
    a: str
    b: str
    c: str
    expected: str


def read_pairs(path: str) -> list[Pair]:
    """Reads `word word score` rows, separated by tabs, commas or spaces.

    path: a local path or URI of a UTF-8 file. Empty lines and lines that begin with # are skipped, and so is a first
    row whose third field is no number (a header). Raises InputError with the line number for any other row.
    """
    pairs: list[Pair] = []
    first = True
    for number, line in _lines(path):
        fields = _fields(line)
        score = _number(fields[2]) if len(fields) == 3 and all(fields) else math.nan
        if score is not None and math.isfinite(score):
            pairs.append(Pair(fields[0], fields[1], score))
        elif score is not None or not first:  # None: three fields, the third is text, which a header may be
            raise InputError(
                f"{path}, line {number}: expected two words and a number, separated by tabs, commas or spaces, "
                f"got {line!r}; mend the row or put # before it"
            )
        first = False
    if not pairs:
        raise InputError(f"{path}: holds no word pair; give a file with rows of two words and a number")
    return pairs


def read_analogies(path: str) -> list[Analogy]:
    """Reads rows `section a b c expected`, or word2vec's questions-words.txt: lines `: section`, rows `a b c expected`.

    path: a local path or URI of a UTF-8 file; rows are separated by tabs, commas or spaces. Empty lines and lines that
    begin with # are skipped, and so is a header `section a b c expected`. Raises InputError with the line number for
    any other row.
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
                "mend the row or put # before it"
            )
        if rows or tuple(fields) != Analogy._fields:
            rows.append(Analogy(*fields))
    if not rows:
        raise InputError(f"{path}: holds no analogy; give a file with rows of a section and four words")
    return rows


def _lines(path: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file that hold something, stripped."""
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
    """A line at its tabs, else at its commas, else at its spaces; a line of one kind may hold the others in words."""
    separator = r"\t" if "\t" in line else "," if "," in line else r"\s+"
    return [field.strip() for field in re.split(separator, line)]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
