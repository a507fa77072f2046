"""Partial counts: how often each key occurs in each unit of the corpus. The sum over all units is a full count.

Keys are words, or pairs of words. A stable function of the key gives each row a part. A task that sums reads the row
groups of its parts only, so nothing is shuffled.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.schemas import PARTIAL_COUNTS
from w2vspark.spark.arrow import ROWS_PER_BATCH
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages import word_counts
from w2vspark.stages.word_counts import Counts, Tallied
from w2vspark.stages.words import Reader, Words
from w2vspark.storage.listed import count_listed, scan_listed

PARTS = 1024
ROW_GROUP_BYTES = 1 << 20
ROWS_OF_TASK = 1_000_000  # partial rows that a task sums, some 100 MB
_HASHED = 6  # bytes at the beginning and at the end of a key that choose its part

Tally = Callable[[pa.RecordBatch, Words, Reader], Iterator[Tallied]]


class PartialTable(NamedTuple):
    """A table of partial counts, and which of its units count."""

    uri: str
    chosen: np.ndarray  # bool (units,)
    new_numbers: np.ndarray | None = None  # int32 (units,): other numbers for the units, when tables are merged

    def of(self, chosen: Sequence[bool]) -> "PartialTable":
        """The table with other units that count."""
        return self._replace(chosen=np.array(chosen, bool))


@dataclass(frozen=True, slots=True)
class Numbers:
    """The number of the unit of each file, by the file's own number (stages.corpus.read_files)."""

    files: np.ndarray  # int64 (files,), rising
    units: np.ndarray  # int32 (files,)

    def of(self, files: np.ndarray) -> np.ndarray:
        """The units of some files, int32. files: int64, each one known."""
        return np.asarray(self.units[np.searchsorted(self.files, files)])


def numbers_of(units: Mapping[int, int]) -> Numbers:
    """The units' numbers as arrays. units: the unit of each file."""
    files = np.array(sorted(units), np.int64)
    return Numbers(files, np.array([units[file] for file in files.tolist()], np.int32))


def partial_counts(documents: DataFrame, numbers: Numbers, tally: Tally, words: Words) -> TaskRows:
    """The counts of each unit, as schemas.PARTIAL_COUNTS. A key of a unit may have several rows.

    documents: text binary, malformed boolean, file bigint. tally: counts the keys of some documents. Write the table in
    row groups of ROW_GROUP_BYTES.
    """
    count = partial(count_units, numbers=numbers, tally=tally, words=words)
    return TaskRows(documents.select("text", "malformed", "file"), count, PARTIAL_COUNTS)


def count_units(
    batches: Iterator[pa.RecordBatch], numbers: Numbers, tally: Tally, words: Words
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (text binary, malformed bool, file int64) -> rows of schemas.PARTIAL_COUNTS."""
    counts, read = UnitCounts(), words.reader()
    for batch in batches:
        for unit, documents in by_unit(batch, numbers):
            for kind, keys, of_keys in tally(documents, words, read):
                counts.add(unit, kind, keys, of_keys)
            if counts.are_many():
                yield from counts.take()
    yield from counts.take()


def by_unit(batch: pa.RecordBatch, numbers: Numbers) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of a batch with a column `file`, unit by unit."""
    units = numbers.of(batch["file"].to_numpy())
    if units.size and (units[1:] < units[:-1]).any():
        order = np.argsort(units, kind="stable")
        batch, units = batch.take(pa.array(order)), units[order]
    edges = [0, *(np.flatnonzero(np.diff(units)) + 1).tolist(), units.size]
    for begin, end in pairwise(edges):
        if begin < end:
            yield int(units[begin]), batch.slice(begin, end - begin)


class UnitCounts:
    """Keys with sums of counts, by unit and kind."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], Counts] = {}
        self._added = 0  # keys since the last sum

    def add(self, unit: int, kind: str, keys: pa.Array, counts: pa.Array) -> None:
        """Add counts: string and int64 (keys,)."""
        self._counts.setdefault((unit, kind), Counts()).add(keys, counts)
        self._added += len(keys)

    def are_many(self) -> bool:
        """Whether the sums have so many keys that the task should hand them on."""
        if self._added < word_counts.DISTINCT_WORDS:
            return False
        self._added = 0
        return sum(counts.summed() for counts in self._counts.values()) >= word_counts.DISTINCT_WORDS

    def take(self) -> Iterator[pa.RecordBatch]:
        """Yield the sums as rows of schemas.PARTIAL_COUNTS, sorted by part, and forget them."""
        found = [(unit, kind, *counts.take()) for (unit, kind), counts in self._counts.items()]
        self._counts, self._added = {}, 0
        if found:
            sizes = [len(keys) for _, _, keys, _ in found]
            units = np.repeat(np.array([unit for unit, *_ in found], np.int32), sizes)
            kinds = pa.concat_arrays([pa.repeat(kind, size) for (_, kind, *_), size in zip(found, sizes, strict=True)])
            keys = pa.concat_arrays([keys for _, _, keys, _ in found])
            yield from _rows(units, kinds, keys, pa.concat_arrays([counts for *_, counts in found]))


def _rows(units: np.ndarray, kinds: pa.Array, keys: pa.Array, counts: pa.Array) -> Iterator[pa.RecordBatch]:
    parts = parts_of(keys)
    order = np.argsort(parts, kind="stable")
    chosen = pa.array(order)
    columns = [pa.array(parts[order]), pa.array(units[order]), kinds.take(chosen), keys.take(chosen)]
    yield from pa.Table.from_arrays([*columns, counts.take(chosen)], schema=PARTIAL_COUNTS).to_batches(ROWS_PER_BATCH)


def parts_of(keys: pa.Array) -> np.ndarray:
    """The part of each key, int32 (keys,) in [0, PARTS): a function of its length, its first and its last bytes."""
    _, offsets, content = keys.cast(pa.string()).buffers()
    starts = np.frombuffer(offsets, np.int32)[keys.offset : keys.offset + len(keys) + 1].astype(np.int64)
    letters = np.frombuffer(content, np.uint8) if content is not None and content.size else np.zeros(1, np.uint8)
    begins, ends = starts[:-1], starts[1:]
    mixed = (ends - begins).astype(np.uint32)
    for step in range(_HASHED):
        for at in (begins + step, ends - 1 - step):
            inside = (at >= begins) & (at < ends)
            mixed = mixed * np.uint32(31) + np.where(inside, letters[np.where(inside, at, 0)], 0).astype(np.uint32)
    return ((mixed * np.uint32(2654435761)) >> np.uint32(22)).astype(np.int32)


def summed(
    session: SparkSession, tables: Sequence[PartialTable], kinds: tuple[str, ...], schema: pa.Schema
) -> TaskRows:
    """The sums of some partial counts, as a full count has them. schema: of the result: kind, key, count."""
    ranges = part_ranges(tables)
    add = partial(sum_parts, tables=tuple(tables), ranges=ranges, kinds=kinds, schema=schema)
    return TaskRows(session.range(0, len(ranges), 1, len(ranges)), add, schema)


def sum_parts(
    batches: Iterator[pa.RecordBatch],
    tables: tuple[PartialTable, ...],
    ranges: list[tuple[int, int]],
    kinds: tuple[str, ...],
    schema: pa.Schema,
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of ranges of parts -> kind, key and count of the keys in them."""
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        counts = {kind: Counts() for kind in kinds}
        for table in tables:
            for rows in read_parts(table, ranges[number]):
                for kind, of_kind in counts.items():
                    chosen = rows.filter(pc.equal(rows["kind"], kind)) if len(kinds) > 1 else rows
                    of_kind.add(chosen["key"], chosen["count"])
        for kind, of_kind in counts.items():
            keys, sums = of_kind.take()
            columns = [pa.repeat(kind, len(keys)), keys, sums]
            yield from pa.Table.from_arrays(columns, schema=schema).to_batches(ROWS_PER_BATCH)


def merged(session: SparkSession, tables: Sequence[PartialTable]) -> TaskRows:
    """The rows of some tables in one table, as schemas.PARTIAL_COUNTS. Each table has new numbers for its units."""
    ranges = part_ranges(tables)
    join = partial(join_parts, tables=tuple(tables), ranges=ranges)
    return TaskRows(session.range(0, len(ranges), 1, len(ranges)), join, PARTIAL_COUNTS)


def join_parts(
    batches: Iterator[pa.RecordBatch], tables: tuple[PartialTable, ...], ranges: list[tuple[int, int]]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of ranges of parts -> the chosen rows of all tables, with their units' new numbers."""
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        found = []
        for table in tables:
            assert table.new_numbers is not None
            for rows in read_parts(table, ranges[number]):
                units = pa.array(table.new_numbers[rows["unit"].to_numpy()])
                found.append(rows.set_column(rows.schema.get_field_index("unit"), PARTIAL_COUNTS.field("unit"), units))
        if found:
            yield from pa.Table.from_batches(found).sort_by("part").cast(PARTIAL_COUNTS).to_batches(ROWS_PER_BATCH)


def read_parts(table: PartialTable, parts: tuple[int, int]) -> Iterator[pa.RecordBatch]:
    """The rows of a range of parts (first, one past the last), of the units that count."""
    wanted = [("part", ">=", parts[0]), ("part", "<", parts[1])]
    for rows in scan_listed(table.uri, PARTIAL_COUNTS.names, wanted, files_ahead=4):
        if table.chosen.all():
            yield rows
        else:
            yield rows.filter(pa.array(table.chosen[rows["unit"].to_numpy()]))


def part_ranges(tables: Sequence[PartialTable]) -> list[tuple[int, int]]:
    """Runs of parts, each for a task."""
    rows = sum(count_listed(table.uri) for table in tables)
    tasks = min(PARTS, max(1, -(-rows // ROWS_OF_TASK)))
    return [(PARTS * task // tasks, PARTS * (task + 1) // tasks) for task in range(tasks)]
