"""The table encoded, unit by unit, so that a later run encodes only what is new.

Units are encoded in groups of some millions of tokens, and a file has the pieces of one group. The table `encoded` is a
list of the files of all groups. A group is used as long as all its units are there.

A unit keeps the words that it was encoded with: the first `words` words of the vocabulary. Words that the vocabulary
got later stand in newer units only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED, PARAMETER_FILES, UNIT_TOKENS
from w2vspark.spark.arrow import one_row, spark_schema
from w2vspark.spark.listed_files import tables_of_batches, write_options
from w2vspark.spark.placement import placement_keys
from w2vspark.stages import encoded as encoding
from w2vspark.stages.encoded import ROW_GROUP_BYTES, TOKENS_PER_FILE, EncodedConfig
from w2vspark.stages.partial_counts import Numbers, PartialTable, by_unit, part_ranges, read_parts
from w2vspark.stages.words import Words
from w2vspark.storage.listed import NewFile, read_listed
from w2vspark.text.tokenizer import tokenizer

GROUP_TOKENS = 4 * TOKENS_PER_FILE  # at least, but for the last group of a run
_GROUPED = ENCODED.append(pa.field("group", pa.int32(), nullable=False)).append(
    pa.field("partition_key", pa.int32(), nullable=False)
)


@dataclass(frozen=True, slots=True)
class Placing:
    """Where the pieces of each unit go."""

    groups: np.ndarray  # int32 (units,)
    words: np.ndarray  # int32 (units,): a unit is encoded with the words whose ids are below
    first_file: np.ndarray  # int32 (groups,): of the files of all groups, numbered from 0
    files: np.ndarray  # int32 (groups,): how many the group has
    buckets: int


def group_units(tokens: Sequence[int], words: Sequence[int]) -> list[list[int]]:
    """Units in groups of at least GROUP_TOKENS tokens, by number. The units of a group have the same words."""
    groups: list[list[int]] = []
    size = GROUP_TOKENS
    for unit in sorted(range(len(tokens)), key=lambda number: (words[number], number)):
        if size >= GROUP_TOKENS or words[groups[-1][-1]] != words[unit]:
            groups.append([])
            size = 0
        groups[-1].append(unit)
        size += tokens[unit]
    return groups


def placing(groups: list[list[int]], tokens: Sequence[int], words: Sequence[int], buckets: int) -> Placing:
    """Where the pieces of some units go. tokens, words: of each unit."""
    of_units = np.zeros(len(tokens), np.int32)
    for number, units in enumerate(groups):
        of_units[units] = number
    files = [encoding.file_count(sum(tokens[unit] for unit in units), buckets) for units in groups]
    first = np.cumsum([0, *files])[:-1].astype(np.int32)
    return Placing(of_units, np.array(words, np.int32), first, np.array(files, np.int32), buckets)


def encoded_units(
    documents: DataFrame, numbers: Numbers, vocabulary_uri: str, words: Words, config: EncodedConfig, place: Placing,
    table_uri: str,
) -> DataFrame:  # fmt: skip
    """The pieces of some units as a lazy frame of PARAMETER_FILES: the tasks write the files (see write_listed).

    documents: doc_id, text, file. The matrix of a file is the number of its group; beside it, `buckets-` and the number
    is a small file with the group's BUCKET_COUNTS. The pieces are those of stages.encoded.
    """
    tokenizer(words.tokens)
    files = int(place.files.sum())
    encode = partial(
        encode_units,
        numbers=numbers,
        vocabulary_uri=vocabulary_uri,
        words=words,
        piece_tokens=config.piece_tokens,
        place=place,
        partition_keys=placement_keys(files),
    )
    pieces = documents.select("doc_id", "text", "file").mapInArrow(encode, spark_schema(_GROUPED))
    placed = pieces.repartition(files, "partition_key").sortWithinPartitions("group", "bucket", "doc_id", "piece")
    write = partial(write_groups, table_uri=table_uri, buckets=place.buckets)
    return placed.select("group", *ENCODED.names).mapInArrow(write, spark_schema(PARAMETER_FILES))


def encode_units(
    batches: Iterator[pa.RecordBatch],
    numbers: Numbers,
    vocabulary_uri: str,
    words: Words,
    piece_tokens: int,
    place: Placing,
    partition_keys: tuple[int, ...],
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (doc_id string, text binary, file int64) -> rows of ENCODED with a group and a place."""
    keys, read = np.array(partition_keys, np.int32), words.reader()
    ids = encoding.ids_when_needed(vocabulary_uri)
    for batch in batches:
        for unit, documents in by_unit(batch, numbers):
            group, most = int(place.groups[unit]), int(place.words[unit])
            first, files = int(place.first_file[group]), int(place.files[group])
            for pieces in encoding.pieces_of(documents, ids, read, piece_tokens, place.buckets, most):
                at = first + pieces["bucket"].to_numpy().astype(np.int64) * files // place.buckets
                columns = [*pieces.columns, pa.repeat(pa.scalar(group, pa.int32()), len(pieces)), pa.array(keys[at])]
                yield pa.RecordBatch.from_arrays(columns, schema=_GROUPED)


def write_groups(batches: Iterator[pa.RecordBatch], table_uri: str, buckets: int) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of ENCODED, sorted by group -> rows of PARAMETER_FILES, two for each group."""
    for group, runs in groupby(_runs(batches), key=itemgetter(0)):
        counts = np.zeros((2, buckets), np.int64)
        pieces = _counting((rows for _, rows in runs), counts)
        with NewFile(table_uri, f"group-{group:06}", ENCODED, **write_options(ENCODED)) as file:
            for table in tables_of_batches(pieces, ENCODED, ROW_GROUP_BYTES, table_uri):
                file.write(table, max(1, len(table)))
        yield one_row(PARAMETER_FILES, matrix=str(group), first_id=0, rows=file.rows, **file.listed())
        found = np.flatnonzero(counts[0]).astype(np.int32)
        with NewFile(table_uri, f"buckets-{group:06}", BUCKET_COUNTS) as small:
            columns = [found, *counts[:, found]]
            small.write(pa.Table.from_arrays(list(map(pa.array, columns)), schema=BUCKET_COUNTS))
        yield one_row(PARAMETER_FILES, matrix=f"buckets-{group}", first_id=0, rows=small.rows, **small.listed())


def _runs(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Runs of rows of one group, as rows of ENCODED."""
    for batch in batches:
        groups = batch["group"].to_numpy()
        edges = [0, *(np.flatnonzero(np.diff(groups)) + 1).tolist(), groups.size]
        for begin, end in pairwise(edges):
            if begin < end:
                rows = batch.slice(begin, end - begin)
                columns = [rows[name] for name in ENCODED.names]
                yield int(groups[begin]), pa.RecordBatch.from_arrays(columns, names=ENCODED.names)


def _counting(batches: Iterator[pa.RecordBatch], counts: np.ndarray) -> Iterator[pa.RecordBatch]:
    """The batches themselves; adds their pieces and tokens to counts, int64 (2, buckets)."""
    for batch in batches:
        at = batch["bucket"].to_numpy()
        np.add.at(counts[0], at, 1)
        np.add.at(counts[1], at, encoding.tokens_of(batch["ids"]))
        yield batch


def unit_tokens(session: SparkSession, tables: Sequence[PartialTable], vocabulary_uri: str) -> list[dict[int, int]]:
    """The tokens of each unit that are words of the vocabulary, by the unit's number in each table."""
    ranges = part_ranges(tables)
    add = partial(add_tokens, tables=tuple(tables), ranges=ranges, vocabulary_uri=vocabulary_uri)
    found: list[dict[int, int]] = [{} for _ in tables]
    frame = session.range(0, len(ranges), 1, len(ranges)).mapInArrow(add, spark_schema(UNIT_TOKENS))
    for row in frame.collect():
        of_table = found[row["table"]]
        of_table[row["unit"]] = of_table.get(row["unit"], 0) + row["tokens"]
    return found


def add_tokens(
    batches: Iterator[pa.RecordBatch],
    tables: tuple[PartialTable, ...],
    ranges: list[tuple[int, int]],
    vocabulary_uri: str,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of ranges of parts -> tokens of the vocabulary's words in each unit, as UNIT_TOKENS."""
    known = read_listed(vocabulary_uri, ["word"])["word"].combine_chunks()
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        for at, table in enumerate(tables):
            tokens = np.zeros(table.chosen.size, np.int64)
            for rows in read_parts(table, ranges[number]):
                chosen = pc.and_(pc.equal(rows["kind"], "word"), pc.is_in(rows["key"], value_set=known))
                words = rows.filter(chosen)
                np.add.at(tokens, words["unit"].to_numpy(), words["count"].to_numpy())
            units = np.flatnonzero(tokens).astype(np.int32)
            columns = [np.full(units.size, at, np.int32), units, tokens[units]]
            yield pa.RecordBatch.from_arrays(list(map(pa.array, columns)), schema=UNIT_TOKENS)
