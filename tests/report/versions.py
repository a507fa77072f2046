"""Published versions for reports, made by hand, with words and settings that try to break out of the page."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from outputs import declare

from w2vspark.base import schemas
from w2vspark.output.publish import Version, read_version

ROWS_OF_FILE = 30_000
HOSTILE = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "]]>&amp;&lt;\u2028\u2029\x00\x1b",
    "{{script}}{{data}}",
    "\"'`${alert(1)}\\",
    "__proto__",
    "מים" + "\u202e" + "rtl",
    "汉" * 300,
]
NOTE = "</title><script>alert(2)</script>"
CONFIG = {
    "input": {"path": [f"/lake/{NOTE}", "s3://bucket/text"], "options": {"fs.s3a.secret.key": "geheim", "a": "b"}},
    "training": {"method": "skipgram-ns", "dimensions": 16, "epochs": 7, "shards": 2},
}


def words_of(count: int) -> list[str]:
    """Words by falling frequency, the hostile ones among them."""
    words = [f"word{number}" for number in range(count)]
    for place, word in enumerate(HOSTILE):
        if 3 + 5 * place < count:
            words[3 + 5 * place] = word
    return words


def matrix_of(count: int, seed: int, dimensions: int = 16, groups: int = 10) -> np.ndarray:
    """Vectors around a few directions, float32; the last word's is zero."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((groups, dimensions))
    rows = centres[np.arange(count) % groups] + 0.8 * random.standard_normal((count, dimensions))
    rows[-1] = 0
    return rows.astype(np.float32)


def counts_of(count: int) -> np.ndarray:
    """Counts as Zipf's law has them."""
    return (100_000 / np.arange(1, count + 1)).astype(np.int64) + 2


def vectors_of(words: list[str], matrix: np.ndarray) -> pa.Table:
    ids = np.arange(len(words), dtype=np.int32)
    return pa.table([ids, words, counts_of(len(words)), list(matrix)], schema=schemas.VECTORS)


def scores(value: float, **gate: Any) -> pa.Table:
    none = {"covered": None, "total": None, "threshold": None, "passed": None}
    rows = [
        none | {"task": NOTE, "metric": "spearman", "value": value, "covered": 340, "total": 353} | gate,
        none | {"task": "vectors", "metric": "norm", "value": None},
    ]
    return pa.Table.from_pylist(rows, schema=schemas.SCORES)


def metrics(rounds: int = 3, shards: int = 2) -> pa.Table:
    rows = [
        {"round": number, "shard": shard, "tokens": 1000 + 100 * shard, "loss": 1 / number + shard,
         "seconds": 0.5 + shard, "learning_rate": 0.1 / number}
        for number in range(1, rounds + 1)
        for shard in range(shards)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=schemas.METRICS)


def publish(
    output: Path,
    name: str = "000001",
    words: list[str] | None = None,
    matrix: np.ndarray | None = None,
    more: dict[str, pa.Table] | None = None,
    **manifest: Any,
) -> Version:
    """Publish a version with a vocabulary and the manifest of a run; the version."""
    words = words_of(600) if words is None else words
    matrix = matrix_of(len(words), seed=1) if matrix is None else matrix
    tables = {"vectors": vectors_of(words, matrix)}
    tables["vocabulary"] = tables["vectors"].select(["id", "word", "count"])
    says = {
        "method": "skipgram-ns",
        "created": "2026-03-01T10:00:00+00:00",
        "corpus": {"documents": 70, "tokens": 123_456, "malformed_rows": 0, "empty_documents": 2},
        "vocabulary": {"words": len(words), "tokens": 120_000},
        "seconds": {"word_counts": 1.5, "rounds": 12.25},
        "config": CONFIG,
    }
    tables |= more or {}
    for table, rows in tables.items():
        place = output / "versions" / name / table
        place.mkdir(parents=True)
        for number, start in enumerate(range(0, len(rows), ROWS_OF_FILE)):
            part = rows.slice(start, ROWS_OF_FILE)
            pq.write_table(part, place / f"part-{number:05}.parquet", row_group_size=1000, write_page_checksum=True)
    folder = declare(output, name, {table: len(rows) for table, rows in tables.items()}, **(says | manifest))
    version = read_version(str(folder))
    assert version is not None
    return version
