"""Export vectors to the formats of other programs. Needs only NumPy."""

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
    """Write all words and their vectors to a local file, in the order of falling counts.

    `format`: "word2vec-text" writes a line `V D`, then a line `word x1 … xD` for each word. "glove-text" is the same
    without the first line. "word2vec-binary" writes the line `V D`, then for each word the word, a space, D
    little-endian float32 and a newline. Numbers in text have nine significant digits, so they read back as the same
    float32. No format holds the counts. `overwrite`: replace a file that exists.

    The file appears whole or not at all: it is written under a temporary name in the same folder, then renamed.

    Raises OutputError when the file exists and `overwrite` is False, or when it cannot be written, InputError for a
    word that the format cannot hold, ConfigError for an unknown format or a path that is not local.

    Example: `export_vectors(vectors, "vectors.txt", "word2vec-text")`.
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
    # One formatting call for each row: 0.15 microseconds a number, as fast as Arrow's cast to strings.
    numbers = " ".join(["%.9g"] * vectors.dimensions)
    for word, row in zip(vectors.words, vectors.matrix, strict=True):
        yield f"{word} {numbers % tuple(row.tolist())}\n".encode()
