"""Table initial: the parameters before the first round of a run that begins from an earlier model."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from operator import itemgetter

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark.base import cpu_target
from w2vspark.base.schemas import CONTEXT, EARLIER, NODES, PARAMETER_FILES, SUBWORD_ROWS, WORDS
from w2vspark.spark.arrow import ROWS_PER_BATCH, TASK_BYTES, spark_schema
from w2vspark.spark.listed_files import listed_frame
from w2vspark.spark.placement import placement_keys
from w2vspark.storage.listed import read_listed
from w2vspark.training.plan import MatrixShape
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.subwords import SubwordTables, buckets_in_use

# Where each row of the earlier model goes. The sign is -1 for an inner node whose branches changed sides.
_WANTED = pa.schema(
    [
        pa.field("source", pa.string()), pa.field("key", pa.string()), pa.field("matrix", pa.string()),
        pa.field("id", pa.int64()), pa.field("sign", pa.float32()),
    ]
)  # fmt: skip
# A row of a block. Id -1 stands for the block itself, which is made even if no row of the earlier model goes there.
_PLACED = pa.schema(
    [
        pa.field("matrix", pa.string()), pa.field("first", pa.int64()), pa.field("id", pa.int64()),
        pa.field("sign", pa.float32()), pa.field("vector", pa.list_(pa.float32())), pa.field("squares", pa.float32()),
    ]
)  # fmt: skip
_ORDER = ("partition_key", "matrix", "first", "id")  # of _PLACED's rows in a partition


@dataclass(frozen=True, slots=True)
class Start:
    """The sources of the initial parameters, as plain values for the workers."""

    training: Word2VecTraining
    shapes: tuple[MatrixShape, ...]
    vocabulary_uri: str
    subwords: SubwordTables | None
    earlier_uri: str  # schemas.EARLIER
    earlier_vocabulary_uri: str
    table_uri: str  # the folder for the initial parameters


def initial_parameters(session: SparkSession, start: Start) -> DataFrame:
    """The initial parameters: rows of the earlier model, matched by word, bucket or node; others as in a new run.

    The tasks write the blocks, and return schemas.PARAMETER_FILES. An inner node of the Huffman tree gets the vector of
    the node that the most frequent word below it passed at the same depth in the earlier tree. If the tree has not
    changed, every node keeps its vector.
    """
    wanted = session.range(0, 1, 1, 1).mapInArrow(partial(wanted_batches, start=start), spark_schema(_WANTED))
    earlier = listed_frame(session, start.earlier_uri, EARLIER).withColumnRenamed("matrix", "source")
    found = wanted.join(earlier, ["source", "key"])
    size = _of_matrix({shape.name: shape.blocks[0][1] for shape in start.shapes})
    rows = found.withColumn("first", F.floor(F.col("id") / size) * size).select(*_PLACED.names)
    blocks = session.range(0, 1, 1, 1).mapInArrow(partial(block_batches, start=start), spark_schema(_PLACED))
    partitions = max(1, sum(shape.rows * shape.width * 4 for shape in start.shapes) // TASK_BYTES)
    partition_key = _partition_key(start.shapes, size, partitions)
    placed = (
        rows.unionByName(blocks).withColumn("partition_key", partition_key).repartition(partitions, "partition_key")
    )
    ordered = placed.sortWithinPartitions(*_ORDER).select(*_PLACED.names, "partition_key")
    return ordered.mapInArrow(partial(assemble, start=start), spark_schema(PARAMETER_FILES))


def _partition_key(shapes: tuple[MatrixShape, ...], size: Column, partitions: int) -> Column:
    """The partition key of a row of _PLACED. Neighbouring blocks, numbered across all matrices, share a key.

    size: rows of the matrix's blocks.
    """
    *before, total = accumulate((len(shape.blocks) for shape in shapes), initial=0)
    number = _of_matrix(dict(zip([shape.name for shape in shapes], before, strict=True))) + F.col("first") / size
    keys = F.array(*[F.lit(key) for key in placement_keys(partitions)])
    return F.element_at(keys, (F.floor(number * partitions / total) + 1).cast("int"))


def _of_matrix(values: dict[str, int]) -> Column:
    """The value of the matrix that the column `matrix` names."""
    return F.create_map(*[F.lit(part) for pair in values.items() for part in pair])[F.col("matrix")]


def wanted_batches(batches: Iterator[pa.RecordBatch], start: Start) -> Iterator[pa.RecordBatch]:
    """mapInArrow: a single row -> the rows of the earlier model that are wanted, as _WANTED."""
    for _ in batches:
        words = read_listed(start.vocabulary_uri, ["id", "word", "count"]).sort_by("id")
        ids = words["id"].to_numpy().astype(np.int64)
        for shape in start.shapes:
            if shape.name in (WORDS, CONTEXT):
                yield from _wanted(shape.name, words["word"], shape.name, ids)
            if shape.name == NODES:
                yield from _wanted_nodes(start, words)
        if start.subwords is not None:
            buckets = buckets_in_use(start.subwords)
            keys = pa.array(buckets).cast(pa.string())
            yield from _wanted(SUBWORD_ROWS, keys, WORDS, np.arange(len(ids), len(ids) + len(buckets)))


def _wanted(
    source: str, keys: pa.Array, matrix: str, ids: np.ndarray, signs: np.ndarray | None = None
) -> list[pa.RecordBatch]:
    columns = [
        pa.repeat(source, len(ids)), keys, pa.repeat(matrix, len(ids)), pa.array(ids),
        pa.array(np.ones(len(ids), np.float32) if signs is None else signs),
    ]  # fmt: skip
    return list(pa.Table.from_arrays(columns, schema=_WANTED).to_batches(ROWS_PER_BATCH))


def _wanted_nodes(start: Start, words: pa.Table) -> list[pa.RecordBatch]:
    cpu_target.pin(start.training.cpu_target)
    from w2vspark.kernels.word2vec.huffman import huffman_paths, same_nodes

    # A tree is built in this order. Ids may have another one, where those of an earlier version were kept.
    by_count = [("count", "descending"), ("id", "ascending")]
    words = words.sort_by(by_count)
    before = read_listed(start.earlier_vocabulary_uri, ["id", "word", "count"]).sort_by(by_count)
    known = {word: place for place, word in enumerate(before["word"].to_pylist())}
    old = np.array([known.get(word, -1) for word in words["word"].to_pylist()], np.int64)
    nodes, signs = same_nodes(huffman_paths(words["count"].to_numpy()), huffman_paths(before["count"].to_numpy()), old)
    ids = np.flatnonzero(signs)
    return _wanted(NODES, pa.array(nodes[ids]).cast(pa.string()), NODES, ids, signs[ids])


def block_batches(batches: Iterator[pa.RecordBatch], start: Start) -> Iterator[pa.RecordBatch]:
    """mapInArrow: a single row -> a row of _PLACED for every block of every matrix."""
    for _ in batches:
        for shape in start.shapes:
            firsts = [first for first, _ in shape.blocks]
            columns = [
                pa.repeat(shape.name, len(firsts)), pa.array(firsts, pa.int64()),
                pa.repeat(pa.scalar(-1, pa.int64()), len(firsts)),
            ]  # fmt: skip
            columns += [pa.nulls(len(firsts), field.type) for field in list(_PLACED)[3:]]
            yield pa.RecordBatch.from_arrays(columns, schema=_PLACED)


def assemble(batches: Iterator[pa.RecordBatch], start: Start) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of _PLACED, in order -> rows of schemas.PARAMETER_FILES, for the blocks that it writes."""
    cpu_target.pin(start.training.cpu_target)
    from w2vspark.training.blocks import write_blocks

    for (_, name), blocks in groupby(_assembled(batches, start), itemgetter(0)):
        yield write_blocks(start.table_uri, name, ((first, block) for _, first, block in blocks))


def _assembled(batches: Iterator[pa.RecordBatch], start: Start) -> Iterator[tuple[tuple[int, str], int, np.ndarray]]:
    """Yield the blocks of rows of _PLACED: (partition key, matrix), the first row, and float32 (rows, width)."""
    from w2vspark.training.word2vec.slices import fill_initial

    shapes = {shape.name: shape for shape in start.shapes}
    key, at, block = (0, ""), 0, np.empty((0, 0), np.float32)
    for batch in batches:
        edges = np.flatnonzero(batch["id"].to_numpy() < 0)
        for begin, end in zip([0, *edges], [*edges, batch.num_rows], strict=True):
            part = batch.slice(begin, end - begin)
            if part.num_rows and part["id"][0].as_py() < 0:
                if block.size:
                    yield key, at, block
                partition_key, name, at = (part[column][0].as_py() for column in ("partition_key", "matrix", "first"))
                key, shape = (partition_key, name), shapes[name]
                block = np.zeros((dict(shape.blocks)[at], shape.width), np.float32)
                fill_initial(name, at, start.training, block)
                part = part.slice(1)
            if part.num_rows:
                _put(part, block, at, shapes[key[1]])
    if block.size:
        yield key, at, block


def _put(part: pa.RecordBatch, block: np.ndarray, first: int, shape: MatrixShape) -> None:
    positions = part["id"].to_numpy() - first
    vectors = part["vector"].flatten().to_numpy().reshape(part.num_rows, -1)
    block[positions, : shape.columns] = vectors * part["sign"].to_numpy()[:, None]
    if shape.state:
        block[positions, shape.columns] = part["squares"].fill_null(0.0).to_numpy(zero_copy_only=False)
