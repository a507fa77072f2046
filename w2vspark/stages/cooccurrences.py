"""Table cooccurrences: how often words stand near each other, counted by tasks that each hold a slice of the text.

The rows are dealt to reducers, in runs of words with about as many neighbours each; the text is cut into slices that a
worker's memory holds. A task counts the rows of some reducers in one slice. Where there is one slice, that is the
table. With more, each reducer adds up what the slices had. Slices and reducers follow the corpus and the configuration
alone, and the sums are whole numbers, so that no order matters; those of wide harmonic windows are added up in the
slices' order.
"""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal

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
from w2vspark.storage.listed import NewFile, file_names, listed_files, read_listed

if TYPE_CHECKING:
    from w2vspark.kernels.counts.cooccurrences import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class CooccurrencesConfig(Settings):
    """How words that stand near each other are counted, for the methods that train on counts."""

    section = "cooccurrences"

    window: int = key(10, rule=between(1, 1000), why="Words on each side that are counted as neighbours.")
    weighting: Literal["harmonic", "linear", "uniform"] = key(
        "harmonic",
        why="What a neighbour at distance d counts: harmonic 1 / d; linear (window - d + 1) / window; uniform 1.",
    )
    direction: Literal["symmetric", "left", "right"] = key(
        "symmetric", why="symmetric, or the neighbours before a word alone (left), or behind it (right)."
    )
    subsample: float = key(
        0.0,
        rule=(lambda share: 0 <= share < 1, "must be at least 0 (count every word) and less than 1"),
        why="Words with a larger share of the corpus are thinned out before counting; 0 counts every word.",
    )
    publish: bool = key(True, why="The counts are a table of the published version.")

    def problems(self, config: Config) -> Iterator[Problem]:
        """Windows that do not fit the pieces."""
        pieces = config[EncodedConfig].piece_tokens
        if 0 < pieces <= self.window:
            text = f"must be less than encoded.piece_tokens ({pieces}), which no window crosses"
            yield "cooccurrences.window", self.window, text


Blocks = Iterator[tuple[int, "Rows"]]  # runs of rows, with the first row of each

SLICE_TOKENS = 24_000_000  # 100 MB of text, and as much for its index
REDUCER_EVENTS = 20_000_000  # neighbours that are met in a reducer's rows: some tenths of a second of work
MOST_REDUCERS = 1024
LEAST_TASKS = 16  # that count, where there are so many reducers
BLOCK_ENTRIES = 4_000_000  # at most in a block of rows, in all slices; a single row may have more
ROW_GROUP_ENTRIES = 1 << 18  # in a row group: half a megabyte, and what reading a single row costs
MOST_STREAMS = 256  # files that are open at once while slices are added up
ENTRY_WORK = 4  # events take the time of one entry's listing and writing
COUNTS, SUMS = "cooccurrences", "row_sums"  # names in the list of files
# Sorted columns differ by little, most weights are one of few: two bytes an entry, written in 20 ns and read in 7.
WRITE_OPTIONS = {
    "use_dictionary": ["row", "weight"],
    "column_encoding": {"col": "DELTA_BINARY_PACKED"},
    "compression": "zstd",
    "compression_level": 1,
}
_texts: dict[tuple["CountJob", int, tuple[str, ...]], np.ndarray] = {}  # what read_text keeps: one text at most


@dataclass(frozen=True, slots=True)
class CountJob:
    """All that a task needs to know, as plain values."""

    config: CooccurrencesConfig
    seed: int  # of subsampling
    cpu_target: str
    encoded_uri: str
    vocabulary_uri: str
    table_uri: str
    partial_uri: str  # a folder for what is on its way between tasks
    slices: tuple[tuple[int, int], ...]  # first bucket and the one behind the last
    reducers: int

    @property
    def reach(self) -> int:
        """Neighbours of a word, at most."""
        return self.config.window * (2 if self.config.direction == "symmetric" else 1)

    @property
    def reducer_ranges(self) -> list[tuple[int, int]]:
        """The reducers of each task that counts a slice: the first, and the one behind the last."""
        tasks = min(self.reducers, -(-LEAST_TASKS // len(self.slices)))
        return [(self.reducers * i // tasks, self.reducers * (i + 1) // tasks) for i in range(tasks)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What follows from the job and the vocabulary; a worker's next task may need it too."""

    counts: np.ndarray  # int64 (V,)
    reducers: list[tuple[int, int]]  # the first row of each, and the one behind the last
    weights: np.ndarray  # int64 or float64 (window + 1,), in units of 1 / unit
    unit: int
    most_entries: np.ndarray  # int64 (V,): of a row, in all slices together

    def blocks(self, reducer: int) -> Iterator[tuple[int, int]]:
        """A reducer's rows in runs that have no more than BLOCK_ENTRIES entries in all slices; or single rows."""
        first, last = self.reducers[reducer]
        entries = self.most_entries[first:last].cumsum()
        at = 0
        while at < entries.size:
            before = entries[at - 1] if at else 0
            end = max(at + 1, int(np.searchsorted(entries, before + BLOCK_ENTRIES, side="right")))
            yield first + at, first + end
            at = end


def count_job(
    config: CooccurrencesConfig, seed: int, cpu_target: str, bucket_tokens: np.ndarray, uris: dict[str, str]
) -> CountJob:
    """The work for a corpus. bucket_tokens: int64 (buckets,); uris: the fields of CountJob that end in _uri."""
    tokens = int(bucket_tokens.sum())
    slices = max(1, -(-tokens // SLICE_TOKENS))
    events = tokens * config.window * (2 if config.direction == "symmetric" else 1)
    reducers = min(MOST_REDUCERS, max(1, round(events / REDUCER_EVENTS)))
    ranges = tuple(equal_ranges(bucket_tokens, slices))
    return CountJob(config=config, seed=seed, cpu_target=cpu_target, slices=ranges, reducers=reducers, **uris)


def cooccurrences(session: SparkSession, job: CountJob) -> DataFrame:
    """The counts as a lazy frame of PARAMETER_FILES: the tasks write the files of the table (see write_listed)."""
    tasks = len(job.slices) * len(job.reducer_ranges)
    numbers = session.range(0, tasks, 1, tasks)
    if len(job.slices) == 1:
        return numbers.mapInArrow(partial(count_whole, job=job), spark_schema(PARAMETER_FILES))
    counted = numbers.mapInArrow(partial(count_slices, job=job), spark_schema(PARTIAL_FILES))
    placed = counted.repartition(job.reducers, "key")
    return placed.mapInArrow(partial(merge_slices, job=job), spark_schema(PARAMETER_FILES))


def count_whole(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARAMETER_FILES, where one slice is the whole text."""
    for task in _numbers(batches, job):
        plan = _plan(job)
        for reducer, blocks in _counted(job, plan, 0, job.reducer_ranges[task]):
            yield from write_rows_of(job, plan, reducer, blocks)


def count_slices(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARTIAL_FILES, with what a slice has of some reducers' rows."""
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
    """mapInArrow: rows of PARTIAL_FILES -> rows of PARAMETER_FILES, for each reducer that this task is."""
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
        yield from write_rows_of(job, plan, reducer, _merged(plan, reducer, streams))


def write_rows_of(job: CountJob, plan: Plan, reducer: int, blocks: Blocks) -> Iterator[pa.RecordBatch]:
    """Write a reducer's rows and their sums; the files as rows of PARAMETER_FILES. blocks: first row, and the rows."""
    from w2vspark.kernels.counts.cooccurrences import row_sums

    first, last = plan.reducers[reducer]
    if first == last:  # a very frequent word has taken the work of several reducers
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
    """The weights of whole rows, float64 (rows,), of a table of counts in staging."""
    sums = np.zeros(rows)
    for file in listed_files(uri, SUMS):
        table = read_listed(uri, files=[file])
        sums[table["row"].to_numpy()] = table["weight"].to_numpy()
    return sums


def _counted(job: CountJob, plan: Plan, number: int, reducers: tuple[int, int]) -> Iterator[tuple[int, Blocks]]:
    """Some reducers with their rows in one slice."""
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


def _merged(plan: Plan, reducer: int, starts: list[tuple[str, int]]) -> Blocks:
    """A reducer's rows in some slices. starts: for each slice its file, and where the reducer's rows begin in it."""
    from w2vspark.kernels.counts.cooccurrences import Rows, merge_rows
    from w2vspark.kernels.counts.sparse_sums import new_sums

    kind = plan.weights.dtype
    sums = new_sums(plan.counts.size, kind)
    with ExitStack() as files:
        streams = [files.enter_context(open_stream(uri, offset)) for uri, offset in starts]
        for first, _ in plan.blocks(reducer):
            waiting: list[Rows] = []
            for (uri, _), stream in zip(starts, streams, strict=True):
                batch = sealed.next_batch(stream, uri)
                ends, columns, values = (batch[i][0].as_buffer() for i in range(3))
                waiting.append(
                    Rows(np.frombuffer(ends, np.int64), np.frombuffer(columns, np.int32), np.frombuffer(values, kind))
                )
                if sum(rows.columns.size for rows in waiting) > BLOCK_ENTRIES:  # a very frequent word in many slices
                    waiting = [merge_rows(waiting, sums)]
            yield first, merge_rows(waiting, sums)


def _write_blocks(sink: pa.NativeFile, blocks: Blocks) -> None:
    """Blocks as an Arrow stream of PARTIAL_ROWS."""
    with pa.ipc.new_stream(sink, PARTIAL_ROWS) as writer:
        for _, rows in blocks:
            sealed.write_batch(writer, one_row(PARTIAL_ROWS, **rows._asdict()))


def _new_partial(job: CountJob) -> str:
    return storage.join(job.partial_uri, f"rows-{uuid.uuid4().hex}.arrow")  # a new name at every attempt


def read_text(job: CountJob, number: int) -> np.ndarray:
    """A slice of the text as kernels.counts.cooccurrences.separated makes it, kept for the worker's next task."""
    key = job, number, file_names(job.encoded_uri)
    if key not in _texts:
        _texts.clear()  # before the other is read, not after as in a cache: two would not fit
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
    reducers = equal_ranges(events + ENTRY_WORK * np.minimum(events, counts.size), job.reducers)
    weights, unit = distance_weights(job.config.weighting, job.config.window, int(counts.max()))
    return Plan(counts, reducers, weights, unit, np.minimum(events, counts.size * len(job.slices)))


def _numbers(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[int]:
    cpu_target.pin(job.cpu_target)  # before any kernel is imported
    pa.set_cpu_count(1)
    for batch in batches:
        yield from batch.column(0).to_pylist()
