"""Small models of lsa as a run publishes them, made by NumPy's SVD from weights that plain Python counts."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from outputs import declare

from w2vspark.base import schemas

TOPICS = (
    "the sea has waves and fish swim in the sea while ships cross waves",
    "the bank lends money and the money earns interest for the bank",
    "the orchestra plays music and the violin leads music of the orchestra",
)
SETTINGS = {"tokenizer": "pattern", "normalize": "NFKC", "lowercase": True, "sentences": "document"}


def texts(count: int, seed: int = 3) -> dict[str, str]:
    """Documents by their names, each of words of one topic in the main."""
    random = np.random.default_rng(seed)
    found = {}
    for number in range(count):
        words = TOPICS[number % 3].split() * 3 + TOPICS[(number + 1) % 3].split()
        found[f"doc{number:03}"] = " ".join(random.choice(words, random.integers(5, 30)).tolist())
    return found


def rows_of(documents: list[str], words: list[str], weights: list[float], weighting: str) -> np.ndarray:
    """Weighted rows of length 1, float64 (documents, words)."""
    rows = np.zeros((len(documents), len(words)))
    index = {word: number for number, word in enumerate(words)}
    for row, text in zip(rows, documents, strict=True):
        for word, count in Counter(text.lower().split()).items():
            if word in index:
                local = math.log2(count + 1) if weighting == "log-entropy" else count
                row[index[word]] = local * weights[index[word]]
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms == 0, 1, norms)


def publish_model(
    output: Path, documents: dict[str, str], exponent: float = 1.0, dimensions: int = 4, weighting: str = "tf-idf"
) -> np.ndarray:
    """Publishes a model of these documents; its documents' vectors, float64 (documents, dimensions)."""
    bags = [Counter(text.split()) for text in documents.values()]
    counts = sum(bags, Counter())
    words = sorted(counts, key=lambda word: (-counts[word], word))
    frequency = [sum(word in bag for bag in bags) for word in words]
    weights = [math.log2(len(bags) / n) if weighting == "tf-idf" else 1.0 for n in frequency]
    u, s, vt = np.linalg.svd(rows_of(list(documents.values()), words, weights, weighting), full_matrices=False)
    left, right = u[:, :dimensions] * s[:dimensions] ** exponent, vt[:dimensions].T * s[:dimensions] ** exponent
    ids, word_counts = np.arange(len(words), dtype=np.int32), [counts[word] for word in words]
    tables = {
        "vectors": pa.table([ids, words, word_counts, list(right.astype(np.float32))], schema=schemas.VECTORS),
        "documents": pa.table([list(documents), list(left.astype(np.float32))], schema=schemas.DOCUMENTS),
        "singular_values": pa.table(
            [np.arange(dimensions, dtype=np.int32), s[:dimensions]], schema=schemas.SINGULAR_VALUES
        ),
        "term_weights": pa.table([ids, words, word_counts, frequency, weights], schema=schemas.TERM_WEIGHTS),
    }
    folder = output / "versions" / "000001"
    for name, table in tables.items():
        (folder / name).mkdir(parents=True)
        half = len(table) // 2
        pq.write_table(table.slice(half), folder / name / "part-0.parquet", row_group_size=5)
        pq.write_table(table.slice(0, half), folder / name / "part-1.parquet", row_group_size=5)
    config = {
        "tokens": SETTINGS,
        "phrases": {"thresholds": [], "connector_words": []},
        "training": {"method": "lsa", "cpu_target": "avx2", "dimensions": dimensions},
        "lsa": {"weighting": weighting},
        "svd": {"exponent": exponent},
    }
    declare(output, "000001", {name: len(table) for name, table in tables.items()}, config=config)
    return left
