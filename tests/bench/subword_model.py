"""An artificial model with subwords: makes it, and publishes its vectors through Spark. subword_publishing.py runs both
as processes of their own.
"""

import argparse
import json
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base.schemas import PARAMETER_FILES, SUBWORD_BUCKETS, VECTORS, VOCABULARY, WORDS
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import write_listed, write_table
from w2vspark.spark.session import SparkConfig, build_session
from w2vspark.stages.vectors import vectors
from w2vspark.storage.listed import write_small
from w2vspark.training.word2vec import composed
from w2vspark.training.word2vec.settings import SubwordsConfig, Word2VecTraining
from w2vspark.training.word2vec.subwords import SubwordTables, subword_buckets

LETTERS, LEAST_LETTERS = 8, 3  # of a word: on average, as in English, and at least
FILES = 8
TARGET = Word2VecTraining().cpu_target


def make(session: SparkSession, folder: Path, words: int, buckets: int, dimensions: int) -> None:
    """Write vocabulary, buckets and parameters. Words are random letters, which share fewer n-grams than English."""
    known = {"id": np.arange(words, dtype=np.int32), "word": spelled(words), "count": np.full(words, 5)}
    write_small(pa.table(known, schema=VOCABULARY), str(folder / "vocabulary"))
    config = SubwordsConfig(enabled=True, buckets=buckets)
    found = subword_buckets(session, str(folder / "vocabulary"), config, TARGET)
    rows = words + write_table(found, str(folder / "buckets"), SUBWORD_BUCKETS)
    uri = str(folder / "parameters")
    files = partial(write_rows, uri=uri, rows=rows, dimensions=dimensions)
    write_listed(session.range(0, FILES, 1, FILES).mapInArrow(files, spark_schema(PARAMETER_FILES)), uri)
    about = {"words": words, "buckets": buckets, "ngrams": rows - words, "dimensions": dimensions}
    (folder / "model.json").write_text(json.dumps(about))


def spelled(words: int) -> list[str]:
    """Different words of random letters."""
    random = np.random.default_rng(5)
    found: dict[str, None] = {}
    while len(found) < words:
        lengths = np.maximum(LEAST_LETTERS, random.poisson(LETTERS, words))
        letters = bytes(random.integers(97, 123, lengths.sum(), dtype=np.uint8)).decode()
        ends = np.cumsum(lengths).tolist()
        found |= dict.fromkeys(letters[first:last] for first, last in zip([0, *ends], ends, strict=False))
    return list(found)[:words]


def write_rows(batches: Iterator[pa.RecordBatch], uri: str, rows: int, dimensions: int) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> a file of parameters each, as PARAMETER_FILES."""
    from w2vspark.training.blocks import write_blocks
    from w2vspark.training.plan import MatrixShape

    blocks = MatrixShape(WORDS, rows, dimensions).blocks
    for batch in batches:
        for task in batch.column(0).to_pylist():
            random = np.random.default_rng(task)
            of_file = blocks[len(blocks) * task // FILES : len(blocks) * (task + 1) // FILES]
            values = ((first, random.random((count, dimensions), np.float32) - 0.5) for first, count in of_file)
            yield write_blocks(uri, WORDS, values)


def publish(session: SparkSession, folder: Path, buffer_bytes: int, means_bytes: int) -> dict[str, float]:
    """Write table vectors, with bounds of our own; seconds, tasks and bytes scanned."""
    about = json.loads((folder / "model.json").read_text())
    words, dimensions = about["words"], about["dimensions"]
    vocabulary_uri, config = str(folder / "vocabulary"), SubwordsConfig(enabled=True, buckets=about["buckets"])
    tables = SubwordTables(config, vocabulary_uri, str(folder / "buckets"), about["ngrams"], TARGET)
    settings = {"parameters_uri": str(folder / "parameters"), "matrix": WORDS, "tables": tables, "words": words}
    settings |= {"dimensions": dimensions, "buffer_bytes": buffer_bytes}
    (folder / "scanned").mkdir()
    tasks = composed.composed_tasks(words, dimensions, means_bytes)
    rows = partial(counted_rows, folder=str(folder / "scanned"), **settings)
    began = time.perf_counter()
    found = vectors(session, rows, vocabulary_uri, words, dimensions, tasks=tasks)
    write_table(found, str(folder / "vectors"), VECTORS)
    seconds = time.perf_counter() - began
    scanned = sum(int(path.read_text()) for path in (folder / "scanned").iterdir())
    return {"seconds": seconds, "tasks": tasks, "scanned": scanned}


def counted_rows(first: int, last: int, folder: str, **settings: object) -> Iterator[tuple[int, np.ndarray]]:
    """composed_rows; writes how many bytes of rows it scanned to a file in the folder."""
    scanned = 0

    def scan(*arguments: object) -> Iterator[tuple[int, np.ndarray]]:
        nonlocal scanned
        for start, block in scan_rows(*arguments):
            scanned += len(block) * 4 * settings["dimensions"]
            yield start, block

    scan_rows, composed.scan_rows = composed.scan_rows, scan
    try:
        yield from composed.composed_rows(first, last, **settings)
    finally:
        composed.scan_rows = scan_rows
    Path(folder, str(first)).write_text(str(scanned))


def main() -> None:
    """`make` or `publish`; the latter prints its figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    making, publishing = commands.add_parser("make"), commands.add_parser("publish")
    for command in (making, publishing):
        command.add_argument("folder", type=Path)
    for name in ("--words", "--buckets", "--dimensions"):
        making.add_argument(name, type=int, required=True)
    for name in ("--buffer-bytes", "--means-bytes"):
        publishing.add_argument(name, type=int, required=True)
    arguments = parser.parse_args()
    session = build_session(SparkConfig(master="local[2]"), "w2vspark bench")
    if arguments.command == "make":
        make(session, arguments.folder, arguments.words, arguments.buckets, arguments.dimensions)
    else:
        print(json.dumps(publish(session, arguments.folder, arguments.buffer_bytes, arguments.means_bytes)))
    session.stop()


if __name__ == "__main__":
    main()
