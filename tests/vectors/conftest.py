from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gensim.models import KeyedVectors
from outputs import declare

from w2vspark.base import schemas
from w2vspark.vectors import WordVectors

SEED = 20240


@pytest.fixture(scope="session")
def vectors() -> WordVectors:
    """500 words of 24 dimensions that are no good for anything but comparing programs."""
    generator = np.random.default_rng(SEED)
    words = [f"w{number}" for number in range(497)] + ["naïve", "上课", "o'clock"]
    matrix = generator.normal(size=(500, 24)).astype(np.float32) * generator.uniform(0.1, 9, size=(500, 1))
    return WordVectors(words, np.arange(500, 0, -1, dtype=np.int64) * 7, matrix.astype(np.float32))


@pytest.fixture(scope="session")
def gensim_vectors(vectors: WordVectors) -> KeyedVectors:
    peer = KeyedVectors(vectors.dimensions)
    peer.add_vectors(vectors.words, vectors.matrix)
    return peer


@pytest.fixture
def publish(tmp_path: Path) -> Callable[..., Path]:
    """Writes an output folder with one version as the pipeline does, its rows spread over some files."""

    def write(vectors: WordVectors, tables: tuple[str, ...] = ("vectors",), order: list[int] | None = None) -> Path:
        rows = np.arange(len(vectors.words)) if order is None else np.array(order)
        table = pa.table(
            {
                "id": pa.array(rows, pa.int32()),
                "word": [vectors.words[row] for row in rows],
                "count": vectors.counts[rows],
                "vector": pa.array(vectors.matrix[rows].tolist(), pa.list_(pa.float32())),
            },
            schema=schemas.VECTORS,
        )
        for name in tables:
            folder = tmp_path / "output" / "versions" / "000001" / name
            folder.mkdir(parents=True)
            (folder / "_SUCCESS").touch()
            for number, start in enumerate(range(0, len(rows), 200)):
                pq.write_table(table.slice(start, 200), folder / f"part-{9 - number}.parquet", row_group_size=64)
        declare(tmp_path / "output", "000001", dict.fromkeys(tables, len(rows)))
        return tmp_path / "output"

    return write
