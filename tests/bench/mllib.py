"""Spark MLlib's Word2Vec, skip-gram with hierarchical softmax, in processes of its own."""

import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from common import PROJECT, Row, tell
from processes import python, run_measured
from quality import Scorer

from w2vspark.vectors import WordVectors


def mllib(files: Sequence[Path], scorer: Scorer, partitions: int, seeds: Sequence[int]) -> list[Row]:
    """The scores of five epochs of each seed; with one partition, which is one thread, seeds go side by side."""
    with ThreadPoolExecutor(max(1, (os.cpu_count() or 1) // partitions)) as pool:
        return list(pool.map(partial(_one, files, scorer, partitions), seeds))


def _one(files: Sequence[Path], scorer: Scorer, partitions: int, seed: int) -> Row:
    tell(f"MLlib, {partitions} partitions, seed {seed}")
    with tempfile.TemporaryDirectory(prefix="w2vspark-bench-") as folder:
        output = Path(folder) / "vectors"
        peer = str(PROJECT / "tests" / "bench" / "peers.py")
        options = ("--partitions", str(partitions), "--seed", str(seed))
        run = run_measured(python(peer, "mllib", str(output), *map(str, files), *options))
        table = pq.read_table(output)
    matrix = np.array([row["values"] for row in table["vector"].to_pylist()], np.float32)
    vectors = WordVectors(words=table["word"].to_pylist(), counts=np.ones(len(matrix), np.int64), matrix=matrix)
    return {"partitions": partitions, "seed": seed, **scorer.scores(vectors), "wall s": run.wall}
