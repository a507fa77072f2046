"""Writes vectors in the formats of other programs. Needs NumPy alone."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.vectors.table import WordVectors

Format = Literal["word2vec-text", "word2vec-binary", "glove-text"]

_SPACE = re.compile(r"[ \t\n\v\f\r]|^$")


def export_vectors(vectors: WordVectors, path: str, format: Format, *, overwrite: bool = False) -> None:
    """Writes every word and its vector to a local file, words in order of falling count.

    word2vec-text: a line `V D`, then `word x1 … xD` a line; glove-text: the same without the first line;
    word2vec-binary: the line `V D`, then word, space, D little-endian float32 and a newline. Numbers in text have
    nine significant digits, so they read back as the same float32. None of the formats holds the counts.
    The file appears whole or not at all: it is written under a temporary name beside it and renamed.
    Raises OutputError where the file is there already and `overwrite` is False or it cannot be written, InputError
    for a word that the formats cannot hold, ConfigError for an unknown format or a path that is not local.
    """
    if format not in get_args(Format):
        raise ConfigError(f"unknown format {format!r}: choose one of {', '.join(get_args(Format))}")
    if "://" in path:
        raise ConfigError(
            f"{path}: an export is written to a local file; give a local path and copy the file afterwards"
        )
    for word in vectors.words:
        if _SPACE.search(word):
            raise InputError(
                f"the word {word!r} holds white space or nothing, which the format {format} cannot tell from the end "
                "of the word; train with a tokenizer that splits there, or read the Parquet table itself"
            )
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"{path} is a folder: name a file in it")
    if target.exists() and not overwrite:
        raise OutputError(f"{path} is there already: give another name, or overwrite it with --overwrite")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            if format != "glove-text":
                file.write(f"{len(vectors.words)} {vectors.dimensions}\n".encode())
            file.writelines(_binary_lines(vectors) if format == "word2vec-binary" else _text_lines(vectors))
        temporary.replace(target)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}): give a file in a folder you may write"
        ) from error
    finally:
        if temporary.exists():
            temporary.unlink()


def _binary_lines(vectors: WordVectors) -> Iterator[bytes]:
    matrix = vectors.matrix.astype("<f4", copy=False)
    for word, row in zip(vectors.words, matrix, strict=True):
        yield b"%b %b\n" % (word.encode(), row.tobytes())


def _text_lines(vectors: WordVectors) -> Iterator[bytes]:
    # One formatting call a row: 0.15 microseconds a number, as fast as Arrow's cast to strings.
    numbers = " ".join(["%.9g"] * vectors.dimensions)
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        yield f"{word} {numbers % tuple(row.tolist())}\n".encode()
