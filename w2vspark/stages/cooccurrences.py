"""Table cooccurrences: how often words stand near each other, counted by tasks that each hold a chunk of the text.

The rows are cut into places, runs of words with about as many neighbours each; the text into chunks that a worker's
memory holds. A task counts the rows of some places in one chunk. Where there is one chunk, that is the table. With
more, a task for each place adds up what the chunks had. Chunks and places follow the corpus and the configuration
alone, and the sums are whole numbers, so that no order matters; those of wide harmonic windows are added up in the
chunks' order.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base import cpu_target, storage
from w2vspark.base.config import CooccurrencesConfig
from w2vspark.base.schemas import COOCCURRENCES, PARAMETER_FILES, PARTIAL_FILES, PARTIAL_ROWS, ROW_SUMS
from w2vspark.stages.encoded import piece_numbers, read_buckets
from w2vspark.stages.listed_files import listed_files
from w2vspark.stages.placement import equal_ranges, placement_keys
from w2vspark.stages.table_io import one_row, open_stream, spark_schema
from w2vspark.stages.vocabulary import vocabulary_counts

if TYPE_CHECKING:
    from w2vspark.kernels.cooccurrences import Rows

CHUNK_TOKENS = 24_000_000  # 100 MB of text, and as much for its index
PLACE_EVENTS = 20_000_000  # neighbours that are met in a place's rows: some seconds of counting
MOST_PLACES = 1024
LEAST_TASKS = 16  # that count, where there are so many places
BLOCK_ENTRIES = 4_000_000  # at most in a block of rows, in all chunks; a single row may have more
ENTRY_WORK = 4  # events take the time of one entry's listing and writing
COUNTS, SUMS = "cooccurrences", "row_sums"  # names in the list of files
# Sorted columns differ by little, most weights are one of few: two bytes an entry, written and read at 50 ns.
WRITE_OPTIONS = {
    "use_dictionary": ["row", "weight"],
    "column_encoding": {"col": "DELTA_BINARY_PACKED"},
    "compression": "zstd",
    "compression_level": 1,
}


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
    chunks: tuple[tuple[int, int], ...]  # first bucket and the one behind the last
    places: int

    @property
    def reach(self) -> int:
        """Neighbours of a word, at most."""
        return self.config.window * (2 if self.config.direction == "symmetric" else 1)

    @property
    def groups(self) -> list[tuple[int, int]]:
        """The places of each task that counts a chunk: the first, and the one behind the last."""
        tasks = min(self.places, -(-LEAST_TASKS // len(self.chunks)))
        return [(self.places * i // tasks, self.places * (i + 1) // tasks) for i in range(tasks)]


def count_job(
    config: CooccurrencesConfig, seed: int, cpu_target: str, bucket_tokens: np.ndarray, uris: dict[str, str]
) -> CountJob:
    """The work for a corpus. bucket_tokens: int64 (buckets,); uris: the fields of CountJob that end in _uri."""
    tokens = int(bucket_tokens.sum())
    chunks = max(1, -(-tokens // CHUNK_TOKENS))
    events = tokens * config.window * (2 if config.direction == "symmetric" else 1)
    places = min(MOST_PLACES, max(1, round(events / PLACE_EVENTS)))
    ranges = tuple(equal_ranges(bucket_tokens, chunks))
    return CountJob(config=config, seed=seed, cpu_target=cpu_target, chunks=ranges, places=places, **uris)


def cooccurrences(session: SparkSession, job: CountJob) -> DataFrame:
    """The counts as a lazy frame of PARAMETER_FILES: the tasks write the files of the table (see write_listed)."""
    tasks = len(job.chunks) * len(job.groups)
    numbers = session.range(0, tasks, 1, tasks)
    if len(job.chunks) == 1:
        return numbers.mapInArrow(partial(count_places, job=job), spark_schema(PARAMETER_FILES))
    parts = numbers.mapInArrow(partial(count_chunks, job=job), spark_schema(PARTIAL_FILES))
    placed = parts.repartition(job.places, "key")
    return placed.mapInArrow(partial(merge_places, job=job), spark_schema(PARAMETER_FILES))


def count_places(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARAMETER_FILES, where one chunk is the whole text."""
    for task in _numbers(batches, job):
        for place in range(*job.groups[task]):
            yield from write_place(job, place, _counted(job, 0, place))


def count_chunks(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of PARTIAL_FILES, with what a chunk has of some places."""
    keys = placement_keys(job.places)
    for task in _numbers(batches, job):
        chunk, group = divmod(task, len(job.groups))
        uri = storage.join(job.partial_uri, f"{chunk:05d}-{uuid.uuid4().hex}.arrow")  # a new name at every attempt
        offsets = {}
        with storage.open_for_writing(uri) as sink:
            for place in range(*job.groups[group]):
                offsets[place] = sink.tell()
                with pa.ipc.new_stream(sink, PARTIAL_ROWS) as writer:
                    for _, rows in _counted(job, chunk, place):
                        writer.write_batch(one_row(PARTIAL_ROWS, **rows._asdict()))
        for place, offset in offsets.items():
            yield one_row(PARTIAL_FILES, key=keys[place], place=place, chunk=chunk, file=uri, offset=offset)


def merge_places(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of PARTIAL_FILES -> rows of PARAMETER_FILES, for each place that this task was given."""
    cpu_target.pin(job.cpu_target)
    read_text.cache_clear()
    rows = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter("place", "chunk"))
    for place, parts in groupby(rows, key=itemgetter("place")):
        yield from write_place(job, place, _merged(job, place, list(parts)))


def write_place(job: CountJob, place: int, blocks: Iterator[tuple[int, "Rows"]]) -> Iterator[pa.RecordBatch]:
    """Write a place's rows and their sums; the files as rows of PARAMETER_FILES. blocks: first row, and the rows."""
    from w2vspark.kernels.cooccurrences import distance_weights, row_sums

    unit = distance_weights(job.config.weighting, job.config.window)[1]
    name = uuid.uuid4().hex  # a new one at every attempt
    first, last = _places(job)[place]
    if first == last:  # a very frequent word has taken the work of several places
        return
    sums = []
    file = f"{COUNTS}-{name}.parquet"
    with (
        storage.open_for_writing(storage.join(job.table_uri, file)) as sink,
        pq.ParquetWriter(sink, COOCCURRENCES, **WRITE_OPTIONS) as writer,
    ):
        for begin, rows in blocks:
            sizes = np.diff(rows.ends, prepend=0)
            ids = np.repeat(np.arange(begin, begin + sizes.size, dtype=np.int32), sizes)
            columns = [pa.array(values) for values in (ids, rows.columns, rows.values / unit)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=COOCCURRENCES))
            sums.append(row_sums(rows) / unit)
    yield one_row(PARAMETER_FILES, matrix=COUNTS, first_id=first, rows=last - first, file=file)
    file = f"{SUMS}-{name}.parquet"
    columns = [pa.array(np.arange(first, last, dtype=np.int32)), pa.array(np.concatenate(sums))]
    with storage.open_for_writing(storage.join(job.table_uri, file)) as sink:
        pq.write_table(pa.Table.from_arrays(columns, schema=ROW_SUMS), sink)
    yield one_row(PARAMETER_FILES, matrix=SUMS, first_id=first, rows=last - first, file=file)


def publish_cooccurrences(uri: str, target: str) -> int:
    """Copy the counts of a table in staging, byte for byte, to files named in the order of their rows; the entries."""
    entries = 0
    for number, file in enumerate(listed_files(uri, COUNTS)):
        copy = storage.join(target, f"part-{number:05d}.parquet")
        storage.copy_file(storage.join(uri, file["file"]), copy)
        entries += storage.count_rows(copy)
    return entries


def read_row_sums(uri: str, rows: int) -> np.ndarray:
    """The weights of whole rows, float64 (rows,), of a table of counts in staging."""
    sums = np.zeros(rows)
    for file in listed_files(uri, SUMS):
        table = storage.read_table(storage.join(uri, file["file"]))
        sums[table["row"].to_numpy()] = table["weight"].to_numpy()
    return sums


def _counted(job: CountJob, chunk: int, place: int) -> Iterator[tuple[int, "Rows"]]:
    """A place's rows in one chunk, block by block, with the first row of each."""
    from w2vspark.kernels.cooccurrences import count_rows, distance_weights, index_words
    from w2vspark.kernels.sparse_sums import new_sums

    weights = distance_weights(job.config.weighting, job.config.window)[0]
    sums = new_sums(_counts(job).size, weights.dtype)
    text = read_text(job, chunk, tuple(storage.list_names(job.encoded_uri)))
    index = index_words(text, *_places(job)[place])
    left, right = job.config.direction != "right", job.config.direction != "left"
    for first, last in _blocks(job, place):
        yield first, count_rows(text, index, first, last, weights, left, right, sums)


def _merged(job: CountJob, place: int, parts: list[dict[str, Any]]) -> Iterator[tuple[int, "Rows"]]:
    """A place's rows in all chunks, block by block. parts: of PARTIAL_FILES, by chunk."""
    from w2vspark.kernels.cooccurrences import Rows, distance_weights, merge_rows
    from w2vspark.kernels.sparse_sums import new_sums

    kind = distance_weights(job.config.weighting, job.config.window)[0].dtype
    sums = new_sums(_counts(job).size, kind)
    streams = [open_stream(part["file"], part["offset"]) for part in parts]
    for first, _ in _blocks(job, place):
        waiting: list[Rows] = []
        for stream in streams:
            batch = stream.read_next_batch()
            ends, columns, values = (batch[i][0].as_buffer() for i in range(3))
            waiting.append(
                Rows(np.frombuffer(ends, np.int64), np.frombuffer(columns, np.int32), np.frombuffer(values, kind))
            )
            if sum(rows.columns.size for rows in waiting) > BLOCK_ENTRIES:  # a very frequent word in many chunks
                waiting = [merge_rows(waiting, sums)]
        yield first, merge_rows(waiting, sums)


@lru_cache(maxsize=1)
def read_text(job: CountJob, chunk: int, _files: tuple[str, ...]) -> np.ndarray:
    """A chunk of the text as kernels.cooccurrences.separated makes it; the worker's next task may need it too."""
    from w2vspark.kernels.cooccurrences import separated, subsampled
    from w2vspark.kernels.random import fill_streams

    keys, starts, ids = read_buckets(job.encoded_uri, *job.chunks[chunk])
    if job.config.subsample:
        buckets = keys["bucket"].to_numpy()
        streams = np.empty(buckets.size, np.uint64)
        fill_streams(job.seed, 0, buckets, piece_numbers(buckets), streams)
        ids, starts = subsampled(ids, starts, streams, _counts(job), job.config.subsample)
    pa.default_memory_pool().release_unused()
    return separated(ids, starts)


def _counts(job: CountJob) -> np.ndarray:
    return _read_counts(job.vocabulary_uri, tuple(storage.list_names(job.vocabulary_uri)))


@lru_cache(maxsize=1)
def _read_counts(uri: str, _files: tuple[str, ...]) -> np.ndarray:
    return vocabulary_counts(uri)


def _places(job: CountJob) -> list[tuple[int, int]]:
    """The rows of each place: the first, and the one behind the last."""
    counts = _counts(job)
    events = counts * job.reach
    return equal_ranges(events + ENTRY_WORK * np.minimum(events, counts.size), job.places)


def _blocks(job: CountJob, place: int) -> Iterator[tuple[int, int]]:
    """A place's rows in runs that have no more than BLOCK_ENTRIES entries in all chunks together; or single rows."""
    first, last = _places(job)[place]
    counts = _counts(job)
    entries = np.minimum(counts[first:last] * job.reach, counts.size * len(job.chunks)).cumsum()
    at = 0
    while at < entries.size:
        before = entries[at - 1] if at else 0
        end = max(at + 1, int(np.searchsorted(entries, before + BLOCK_ENTRIES, side="right")))
        yield first + at, first + end
        at = end


def _numbers(batches: Iterator[pa.RecordBatch], job: CountJob) -> Iterator[int]:
    cpu_target.pin(job.cpu_target)  # before any kernel is imported
    pa.set_cpu_count(1)
    for batch in batches:
        yield from batch.column(0).to_pylist()
