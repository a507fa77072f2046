"""Table codes: each word's Huffman code, and the inner nodes on its path, as in the training."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import CODES
from w2vspark.spark.arrow import ROWS_PER_BATCH
from w2vspark.spark.listed_files import TaskRows
from w2vspark.storage.listed import read_listed


def codes(session: SparkSession, vocabulary_uri: str, target: str) -> TaskRows:
    """All words as schemas.CODES, in the order of their ids. target: the training's cpu_target."""
    # One task: it makes the tree in less time than it needs to write the table.
    rows = partial(code_batches, vocabulary_uri=vocabulary_uri, target=target)
    return TaskRows(session.range(0, 1, 1, 1), rows, CODES)


def code_batches(batches: Iterator[pa.RecordBatch], vocabulary_uri: str, target: str) -> Iterator[pa.RecordBatch]:
    """mapInArrow: a single row -> all rows of schemas.CODES."""
    cpu_target.pin(target)
    from w2vspark.kernels.word2vec.huffman import paths_of_words

    for _ in batches:
        words = read_listed(vocabulary_uri, ["id", "word", "count"]).sort_by("id").combine_chunks()
        paths = paths_of_words(words["count"].to_numpy())
        for first in range(0, len(words), ROWS_PER_BATCH):
            part = words.slice(first, ROWS_PER_BATCH).combine_chunks()
            starts = paths.starts[first : first + len(part) + 1]
            offsets = pa.array((starts - starts[0]).astype(np.int32))
            lists = [
                pa.ListArray.from_arrays(offsets, pa.array(values[starts[0] : starts[-1]].astype(np.int32)))
                for values in (paths.nodes, paths.codes)
            ]
            columns = [part[name].combine_chunks() for name in ("id", "word")]
            yield pa.RecordBatch.from_arrays([*columns, *lists], schema=CODES)
