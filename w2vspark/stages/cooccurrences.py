"""Table cooccurrences: how often words are near each other, counted by tasks that each hold a slice of the corpus.

Each reducer has a run of rows with about as many neighbours as the others. The corpus is cut into slices that fit into
a worker's memory. A task counts the rows of some reducers in one slice. If there is only one slice, its counts are the
table. If there are more, each reducer adds up the counts of the slices. Slices and reducers follow the corpus and the
configuration alone. The sums are whole numbers, so their order does not matter. Wide harmonic windows are an exception:
their counts are added up in the order of the slices.
"""

import math
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from w2vspark import storage
from w2vspark.base import cpu_target
from w2vspark.base.schemas import COOCCURRENCES, PARAMETER_FILES, PARTIAL_FILES, PARTIAL_ROWS, ROW_SUMS
from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, between, key
from w2vspark.spark.arrow import one_row, open_stream, spark_schema
from w2vspark.spark.placement import equal_ranges, placement_keys
from w2vspark.stages.encoded import EncodedConfig, piece_numbers, read_buckets
from w2vspark.stages.vocabulary import vocabulary_counts
from w2vspark.storage import sealed
from w2vspark.storage.listed import NewFile, file_names, listed_files, read_listed, scan_listed

if TYPE_CHECKING:
    from w2vspark.kernels.counts.cooccurrences import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CooccurrencesConfig(Settings):
    """How neighbouring words are counted, for the methods that train on counts."""

    section = "cooccurrences"

    window: int = key(10, rule=between(1, 1000), why="Words on each side that are counted as neighbours.")
    weighting: Literal["harmonic", "linear", "uniform"] = key(
        "harmonic",
        why="The weight of a neighbour at distance d: harmonic 1 / d; linear (window - d + 1) / window; uniform 1.",
    )
    direction: Literal["symmetric", "left", "right"] = key(
        "symmetric", why="left: only the neighbours before a word; right: only those after it; symmetric: both."
    )
    subsample: float = key(
        0.0,
        rule=(lambda share: 0 <= share < 1, "must be at least 0 (count every word) and less than 1"),
        why="Words with a larger share of the corpus are thinned out before counting; 0 counts every word.",
    )
    publish: bool = key(True, why="true: the counts are a table of the published version.")

    def problems(self, config: Config) -> Iterator[Problem]:
        """A window that is not shorter than a piece."""
        pieces = config[EncodedConfig].piece_tokens
        if 0 < pieces <= self.window:
            text = f"must be less than encoded.piece_tokens ({pieces}), which no window crosses"
            yield "cooccurrences.window", self.window, text


Blocks = Iterator[tuple[int, "Rows"]]  # runs of rows, each with its first row

SLICE_TOKENS = 24_000_000  # 100 MB of text, and as much for its index
REDUCER_EVENTS = 20_000_000  # pairs of neighbours in a reducer's rows: some tenths of a second of work
MOST_REDUCERS = 1024
LEAST_TASKS = 16  # that count, if there are as many reducers
BLOCK_ENTRIES = 4_000_000  # at most in a block of rows, in all slices; a single row may have more
ROW_GROUP_ENTRIES = 1 << 18  # half a megabyte, the least that a reader of one row reads
MOST_EXACT = 20  # the widest harmonic window with whole counts: kernels.counts.cooccurrences.EXACT_WINDOW
MOST_STREAMS = 256  # files that are open at once while slices are added up
ENTRY_WORK = 4  # the time to list and write one entry, in events
COUNTS, SUMS = "cooccurrences", "row_sums"  # matrices in the list of files
# Sorted columns differ by little, and most weights are among a few values: an entry takes two bytes, 20 ns to write and
# 7 ns to read.
WRITE_OPTIONS = {
    "use_dictionary": ["row", "weight"],
    "column_encoding": {"col": "DELTA_BINARY_PACKED"},
    "compression": "zstd",
    "compression_level": 1,
}
_texts: dict[tuple["CountJob", int, tuple[str, ...]], np.ndarray] = {}  # the cache of read_text: one text at most


@dataclass(frozen=True, slots=True)
class CountJob:
    """All that a task needs to know, as plain values."""

    config: CooccurrencesConfig
    seed: int  # of subsampling
    cpu_target: str
    encoded_uri: str
    vocabulary_uri: str
    table_uri: str
    partial_uri: str  # a folder for files that tasks exchange
    slices: tuple[tuple[int, int], ...]  # the first bucket, and one past the last
    reducers: int
    earlier_uri: str = ""  # a table of counts of other text to add; its sums must be exact (see exact_sums)
    ranges: tuple[tuple[int, int], ...] = ()  # of each reducer's rows; () = they follow the counts of the words

    @property
    def reach(self) -> int:
        """The largest number of neighbours of a word."""
        return self.config.window * (2 if self.config.direction == "symmetric" else 1)

    @property
    def reducer_ranges(self) -> list[tuple[int, int]]:
        """The reducers of each task that counts a slice: the first, and one past the last."""
        tasks = min(self.reducers, -(-LEAST_TASKS // len(self.slices)))
        return [(self.reducers * i // tasks, self.reducers * (i + 1) // tasks) for i in range(tasks)]


@dataclass(frozen=True, slots=True)
class Plan:
    """Computed from the job and the vocabulary, and kept for a worker's next task."""

    counts: np.ndarray  # int64 (V,)
    reducers: list[tuple[int, int]]  # the first row of each, and one past the last
    weights: np.ndarray  # int64 or float64 (window + 1,), in units of 1 / unit
    unit: int
    most_entries: np.ndarray  # int64 (V,): at most in a row, in all slices together

    def blocks(self, reducer: int) -> Iterator[tuple[int, int]]:
        """A reducer's rows in runs with at most BLOCK_ENTRIES entries in all slices; longer rows are alone."""
        first, last = self.reducers[reducer]
        entries = self.most_entries[first:last].cumsum()
        at = 0
        while at < entries.size:
            before = entries[at - 1] if at else 0
            end = max(at + 1, int(np.searchsorted(entries, before + BLOCK_ENTRIES, side="right")))
            yield first + at, first + end
            at = end


def exact_sums(config: CooccurrencesConfig, most: int) -> bool:
    """Whether written counts can be added up exactly. most: tokens of the most frequent word.

    Counts are whole multiples of a unit, but for wide harmonic windows, and are written as float64. So a sum must have
    at most 52 bits.
    """
    distances = range(1, config.window + 1)
    if config.weighting == "uniform":
        total = config.window
    elif config.weighting == "linear":
        total = sum(distances)
    else:
        total = sum(math.lcm(*distances) // d for d in distances) if config.window <= MOST_EXACT else 1 << 52
    return 2 * most * total < 1 << 52


def count_job(
    config: CooccurrencesConfig,
    seed: int,
    cpu_target: str,
    bucket_tokens: np.ndarray,
    uris: dict[str, Any],
) -> CountJob:
    """The job for a corpus. bucket_tokens: int64 (buckets,); uris: the fields of CountJob that end in _uri."""
    tokens = int(bucket_tokens.sum())
    slices = max(1, -(-tokens // SLICE_TOKENS))
    events = tokens * config.window * (2 if config.direction == "symmetric" else 1)
    reducers = min(MOST_REDUCERS, max(1, round(events / REDUCER_EVENTS)))
    ranges = tuple(equal_ranges(bucket_tokens, slices))
    return CountJob(config=config, seed=seed, cpu_target=cpu_target, slices=ranges, reducers=reducers, **uris)


def with_earlier(job: CountJob, earlier_uri: str, words: int) -> CountJob:
    """The job, with counts of other text to add. words: in the vocabulary, which may have grown since.

    Each reducer has the rows of one file of the earlier table, so that it reads this file as it is.
    """
    files = listed_files(earlier_uri, COUNTS)
    ranges = [(int(file["first_id"]), int(file["first_id"]) + int(file["rows"])) for file in files]
    if ranges[-1][1] < words:
        ranges.append((ranges[-1][1], words))
    return replace(job, earlier_uri=earlier_uri, ranges=tuple(ranges), reducers=len(ranges))


def cooccurrences(session: SparkSession, job: CountJob) -> DataFrame:
    """The counts as a lazy frame of PARAMETER_FILES: the tasks write the files of the table (see write_listed)."""
    tasks = len(job.slices) * len(job.reducer_ranges)
    numbers = session.range(0, tasks, 1, tasks)
    if len(job.slices) == 1 and not job.earlier_uri:
        return numbers.mapInArrow(partial(count_whole, job=job), spark_schema(PARAMETER_FILES))
    counted = numbers.mapInArrow(partial(count_slices, job=job), spark_schema(PARTIAL_FILES))
    placed = counted.repartition(job.reducers, "key")
    return placed.mapInArrow(partial(merge_slices, job=job), spark_schema(PARAMETER_FILES))


def count_whole(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARAMETER_FILES, if one slice is the whole corpus."""
    for task in _numbers(batches, job):
        plan = _plan(job)
        for reducer, blocks in _counted(job, plan, 0, job.reducer_ranges[task]):
            yield from write_rows_of(job, plan, reducer, blocks)


def count_slices(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARTIAL_FILES, with a slice's counts for some reducers' rows."""
    keys = placement_keys(job.reducers)
    for task in _numbers(batches, job):
        number, at = divmod(task, len(job.reducer_ranges))
        uri, offsets = _new_partial(job), {}
        with storage.open_for_writing(uri) as sink:
            for reducer, blocks in _counted(job, _plan(job), number, job.reducer_ranges[at]):
                offsets[reducer] = sink.tell()
                _write_blocks(sink, blocks)
        for reducer, offset in offsets.items():
            yield one_row(PARTIAL_FILES, key=keys[reducer], reducer=reducer, slice=number, file=uri, offset=offset)


def merge_slices(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of PARTIAL_FILES -> rows of PARAMETER_FILES, for each reducer of this task."""
    cpu_target.pin(job.cpu_target)
    _texts.clear()
    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter("reducer", "slice"))
    for reducer, found in groupby(rows, key=itemgetter("reducer")):
        plan, streams = _plan(job), [(row["file"], row["offset"]) for row in found]
        while len(streams) > MOST_STREAMS:
            some, uri = streams[:MOST_STREAMS], _new_partial(job)
            with storage.open_for_writing(uri) as sink:
                _write_blocks(sink, _merged(plan, reducer, some))
            streams = [(uri, 0), *streams[MOST_STREAMS:]]
        earlier = _earlier_rows(job, plan, reducer) if job.earlier_uri else None
        yield from write_rows_of(job, plan, reducer, _merged(plan, reducer, streams, earlier))


def write_rows_of(job: CountJob, plan: Plan, reducer: int, blocks: Blocks) -> Iterator[pa.RecordBatch]:
    """Write a reducer's rows and their sums; yield both files as rows of PARAMETER_FILES."""
    from w2vspark.kernels.counts.cooccurrences import row_sums

    first, last = plan.reducers[reducer]
    if first == last:  # a very frequent word has as much work as several reducers
        return
    sums, entries = [], []
    with NewFile(job.table_uri, COUNTS, COOCCURRENCES, **WRITE_OPTIONS) as file:
        for begin, rows in blocks:
            sizes = np.diff(rows.ends, prepend=0)
            ids = np.repeat(np.arange(begin, begin + sizes.size, dtype=np.int32), sizes)
            columns = [pa.array(values) for values in (ids, rows.columns, rows.values / plan.unit)]
            file.write(pa.RecordBatch.from_arrays(columns, schema=COOCCURRENCES), ROW_GROUP_ENTRIES)
            sums.append(row_sums(rows) / plan.unit)
            entries.append(sizes.astype(np.int32))
    yield one_row(PARAMETER_FILES, matrix=COUNTS, first_id=first, rows=last - first, **file.listed())
    columns = [np.arange(first, last, dtype=np.int32), np.concatenate(sums), np.concatenate(entries)]
    with NewFile(job.table_uri, SUMS, ROW_SUMS) as file:
        file.write(pa.Table.from_arrays(list(map(pa.array, columns)), schema=ROW_SUMS))
    yield one_row(PARAMETER_FILES, matrix=SUMS, first_id=first, rows=last - first, **file.listed())


def read_row_sums(uri: str, rows: int) -> np.ndarray:
    """The sum of the weights in each row of a staged table of counts, float64 (rows,)."""
    sums = np.zeros(rows)
    for file in listed_files(uri, SUMS):
        table = read_listed(uri, files=[file])
        sums[table["row"].to_numpy()] = table["weight"].to_numpy()
    return sums


def _counted(job: CountJob, plan: Plan, number: int, reducers: tuple[int, int]) -> Iterator[tuple[int, Blocks]]:
    """Some reducers, each with the counts of its rows in one slice."""
    from w2vspark.kernels.counts.cooccurrences import Index, count_rows, index_words
    from w2vspark.kernels.counts.sparse_sums import new_sums

    sums = new_sums(plan.counts.size, plan.weights.dtype)
    left, right = job.config.direction != "right", job.config.direction != "left"
    text = read_text(job, number)
    index: Index = index_words(text, plan.reducers[reducers[0]][0], plan.reducers[reducers[1] - 1][1])

    def blocks(reducer: int) -> Blocks:
        for first, last in plan.blocks(reducer):
            yield first, count_rows(index, first, last, plan.weights, left, right, sums)

    for reducer in range(*reducers):
        yield reducer, blocks(reducer)


def _merged(plan: Plan, reducer: int, starts: list[tuple[str, int]], earlier: Iterator["Rows"] | None = None) -> Blocks:
    """A reducer's rows, added up over some slices. starts: each slice's file, and the offset of the rows in it.

    earlier: counts to add, for each of the plan's blocks.
    """
    from w2vspark.kernels.counts.cooccurrences import Rows, merge_rows
    from w2vspark.kernels.counts.sparse_sums import new_sums

    kind = plan.weights.dtype
    sums = new_sums(plan.counts.size, kind)
    with ExitStack() as files:
        streams = [files.enter_context(open_stream(uri, offset)) for uri, offset in starts]
        for first, _ in plan.blocks(reducer):
            waiting = [] if earlier is None else [next(earlier)]
            for (uri, _), stream in zip(starts, streams, strict=True):
                batch = sealed.next_batch(stream, uri)
                ends, columns, values = (batch[i][0].as_buffer() for i in range(3))
                waiting.append(
                    Rows(np.frombuffer(ends, np.int64), np.frombuffer(columns, np.int32), np.frombuffer(values, kind))
                )
                if sum(rows.columns.size for rows in waiting) > BLOCK_ENTRIES:  # a very frequent word in many slices
                    waiting = [merge_rows(waiting, sums)]
            yield first, merge_rows(waiting, sums)


def _earlier_rows(job: CountJob, plan: Plan, reducer: int) -> Iterator["Rows"]:
    """A reducer's rows of the earlier table, for each of the plan's blocks. They are those of one file."""
    from w2vspark.kernels.counts.cooccurrences import Rows, in_units

    first, last = plan.reducers[reducer]
    files = [file for file in listed_files(job.earlier_uri, COUNTS) if file["first_id"] == first < last]
    batches = scan_listed(job.earlier_uri, COOCCURRENCES.names, files=files)
    waiting = next(batches, None)
    for begin, end in plan.blocks(reducer):
        found = []
        while waiting is not None:
            inside = int(np.searchsorted(waiting["row"].to_numpy(), end))
            found.append(waiting.slice(0, inside))
            if inside < waiting.num_rows:
                waiting = waiting.slice(inside)
                break
            waiting = next(batches, None)
        rows = pa.Table.from_batches(found, COOCCURRENCES)
        ends = np.searchsorted(rows["row"].to_numpy(), np.arange(begin, end), side="right").astype(np.int64)
        yield Rows(ends, rows["col"].to_numpy(), in_units(rows["weight"].to_numpy(), plan.unit))


def _write_blocks(sink: pa.NativeFile, blocks: Blocks) -> None:
    """Write blocks as an Arrow stream of PARTIAL_ROWS."""
    with pa.ipc.new_stream(sink, PARTIAL_ROWS) as writer:
        for _, rows in blocks:
            sealed.write_batch(writer, one_row(PARTIAL_ROWS, **rows._asdict()))


def _new_partial(job: CountJob) -> str:
    return storage.join(job.partial_uri, f"rows-{uuid.uuid4().hex}.arrow")  # every attempt has a new name


def read_text(job: CountJob, number: int) -> np.ndarray:
    """A slice of the corpus, as kernels.counts.cooccurrences.separated makes it. Kept for the worker's next task."""
    key = job, number, file_names(job.encoded_uri)
    if key not in _texts:
        _texts.clear()  # before the next one is read: a plain cache would hold both, which do not fit
        _texts[key] = _read_text(job, number)
    return _texts[key]


def _read_text(job: CountJob, number: int) -> np.ndarray:
    from w2vspark.kernels.counts.cooccurrences import separated, subsampled
    from w2vspark.kernels.random import fill_streams

    keys, starts, ids = read_buckets(job.encoded_uri, *job.slices[number])
    if job.config.subsample:
        buckets = keys["bucket"].to_numpy()
        streams = np.empty(buckets.size, np.uint64)
        fill_streams(job.seed, 0, buckets, piece_numbers(buckets), streams)
        ids, starts = subsampled(ids, starts, streams, _plan(job).counts, job.config.subsample)
    pa.default_memory_pool().release_unused()
    return separated(ids, starts)


def _plan(job: CountJob) -> Plan:
    return _make_plan(job, file_names(job.vocabulary_uri))


@lru_cache(maxsize=1)
def _make_plan(job: CountJob, _files: tuple[str, ...]) -> Plan:
    from w2vspark.kernels.counts.cooccurrences import distance_weights

    counts = vocabulary_counts(job.vocabulary_uri)
    events = counts * job.reach
    reducers = list(job.ranges)
    if not reducers:
        reducers = equal_ranges(events + ENTRY_WORK * np.minimum(events, counts.size), job.reducers)
    weights, unit = distance_weights(job.config.weighting, job.config.window, int(counts.max()))
    return Plan(counts, reducers, weights, unit, np.minimum(events, counts.size * len(job.slices)))


def _numbers(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[int]:
    cpu_target.pin(job.cpu_target)  # before any kernel is imported
    pa.set_cpu_count(1)
    for batch in batches:
        yield from batch.column(0).to_pylist()
