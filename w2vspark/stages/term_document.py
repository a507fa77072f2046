"""Table term_document: weighted counts of words in documents, a row for each document with a word of the vocabulary.

The pieces of a document are in many buckets. So tasks first count the words of the pieces in a slice of the corpus. A
hash of the document's id chooses the reducer that adds up the document's pieces. One task then adds up the reducers'
statistics of the words, in the reducers' order. From the sums the tasks know the words' weights, and write each
reducer's rows. Slices and reducers follow the corpus alone, and a reducer sorts its documents by id. So the table has
the same bytes on any cluster.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from w2vspark import storage
from w2vspark.base import cpu_target
from w2vspark.base.errors import InputError
from w2vspark.base.schemas import BAGS, DOCUMENT_ROWS, PARAMETER_FILES, PARTIAL_FILES, TERM_STATISTICS
from w2vspark.spark.arrow import ROWS_PER_BATCH, binary_values, one_row, open_stream, spark_schema
from w2vspark.spark.listed_files import write_listed
from w2vspark.spark.placement import equal_ranges, placement_keys
from w2vspark.stages.encoded import read_buckets
from w2vspark.stages.sparse_rows import BLOCK_ENTRIES, SparseBlock, scan_sparse_rows, write_sparse_rows
from w2vspark.storage import sealed
from w2vspark.storage.listed import NewFile, listed_files, read_listed, scan_listed

if TYPE_CHECKING:
    from w2vspark.kernels.counts.term_weights import Bags, Statistics

REDUCER_TOKENS = 4_000_000  # in a slice of the corpus, and in a reducer's documents: some 200 MB in a worker
# Matrices in the lists of files. The table has its rows, the documents' names (as DOCUMENT_ROWS), and the sums of the
# words' statistics (as TERM_STATISTICS). The reducers' folder has counts-N, names and statistics of each reducer N.
TERM_DOCUMENT, NAMES, TERMS = "term_document", "names", "terms"
_TOTALS = "_totals"  # a folder in the reducers' folder, with the sums of all their statistics


@dataclass(frozen=True, slots=True)
class TermDocumentJob:
    """All that a task needs to know, as plain values."""

    weighting: str
    cpu_target: str
    words: int
    encoded_uri: str
    table_uri: str
    counts_uri: str  # the reducers' folder: files that tasks exchange
    slices: tuple[tuple[int, int], ...]  # the first bucket, and one past the last

    @property
    def reducers(self) -> int:
        """As many as slices: each has about as much text."""
        return len(self.slices)


def term_document_job(
    weighting: str, cpu_target: str, words: int, bucket_tokens: np.ndarray, uris: dict[str, str]
) -> TermDocumentJob:
    """The job for a corpus. bucket_tokens: int64 (buckets,); uris: the fields of TermDocumentJob that end in _uri."""
    slices = max(1, -(-int(bucket_tokens.sum()) // REDUCER_TOKENS))
    ranges = tuple(equal_ranges(bucket_tokens, min(slices, bucket_tokens.size)))
    return TermDocumentJob(weighting=weighting, cpu_target=cpu_target, words=words, slices=ranges, **uris)


def write_term_document(session: SparkSession, job: TermDocumentJob) -> dict[str, int]:
    """Make the table, in listed files; return its numbers of documents (rows) and of entries.

    Raises InputError when there are fewer than two documents.
    """
    numbers = session.range(0, job.reducers, 1, job.reducers)
    bags = numbers.mapInArrow(partial(count_slices, job=job), spark_schema(PARTIAL_FILES))
    counts = bags.repartition(job.reducers, "key").mapInArrow(
        partial(merge_slices, job=job), spark_schema(PARAMETER_FILES)
    )
    found = write_listed(counts, job.counts_uri)
    documents = {row["first_id"]: row["rows"] for row in found if row["matrix"] == NAMES}
    total = sum(documents.values())
    if total < 2:
        raise InputError(
            f"documents with a word of the vocabulary: {total}. lsa compares documents, and needs several; check "
            "input.path and input.format (of text, every line is a document)"
        )
    reducers = [(reducer, documents[reducer]) for reducer in sorted(documents)]
    adding = session.range(0, 1, 1, 1).mapInArrow(partial(add_terms, job=job), spark_schema(PARAMETER_FILES))
    write_listed(adding, storage.join(job.counts_uri, _TOTALS))
    tasks = session.range(0, len(reducers), 1, len(reducers))
    write_listed(
        tasks.mapInArrow(partial(weigh_rows, job=job, reducers=reducers), spark_schema(PARAMETER_FILES)), job.table_uri
    )
    return {"documents": total, "entries": sum(row["rows"] for row in found if row["matrix"] == TERMS)}


def count_slices(batches: Iterator[pa.RecordBatch], job: TermDocumentJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: numbers of slices -> rows of PARTIAL_FILES, for each reducer with its pieces' bags of words."""
    cpu_target.pin(job.cpu_target)  # before any kernel is imported
    from w2vspark.kernels.counts.term_weights import sum_rows

    keys = placement_keys(job.reducers)
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        pieces, starts, ids = read_buckets(job.encoded_uri, *job.slices[number])
        reducer = np.array([_reducer_of(doc_id, job.reducers) for doc_id in pieces["doc_id"].to_pylist()], np.int64)
        order = np.argsort(reducer, kind="stable")
        lists = np.arange(order.size), starts[order], starts[order + 1]
        bags = sum_rows(*lists, ids, np.ones(ids.size, np.int32), job.words)
        pieces = pieces.take(pa.array(order)).combine_chunks()
        bounds = np.searchsorted(reducer[order], np.arange(job.reducers + 1)).tolist()
        # Every attempt has a new name.
        uri = storage.join(job.counts_uri, f"{number:05d}-{uuid.uuid4().hex}.arrow")
        offsets = {}
        with storage.open_for_writing(uri) as sink:
            for at in range(job.reducers):
                first, last = bounds[at : at + 2]
                if first < last:
                    offsets[at] = sink.tell()
                    with pa.ipc.new_stream(sink, BAGS) as writer:
                        sealed.write_batch(writer, _rows_of_bags(pieces, bags, first, last))
        for at, offset in offsets.items():
            yield one_row(PARTIAL_FILES, key=keys[at], reducer=at, slice=number, file=uri, offset=offset)


def merge_slices(batches: Iterator[pa.RecordBatch], job: TermDocumentJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: rows of PARTIAL_FILES -> three rows of PARAMETER_FILES for each reducer of this task.

    The files have the counts of its documents, their names, and the statistics of their words. first_id is the
    reducer's number, except in the first row.
    """
    cpu_target.pin(job.cpu_target)
    from w2vspark.kernels.counts.term_weights import new_statistics

    found = sorted((row for batch in batches for row in batch.to_pylist()), key=itemgetter("reducer", "slice"))
    for reducer, of_reducer in groupby(found, key=itemgetter("reducer")):
        pieces = pa.concat_tables([_read_stream(row["file"], row["offset"]) for row in of_reducer])
        statistics = new_statistics(job.words)
        names, blocks = documents_of(pieces, job.words)
        yield write_sparse_rows(job.counts_uri, f"counts-{reducer}", 0, _observed(blocks, statistics))
        file = _write(job.counts_uri, NAMES, pa.table({"doc_id": names}))
        yield one_row(PARAMETER_FILES, matrix=NAMES, first_id=reducer, rows=len(names), **file)
        yield _listed_terms(job.counts_uri, statistics, reducer)


def documents_of(pieces: pa.Table, words: int) -> tuple[pa.Array, Iterator["Bags"]]:
    """Join pieces (schemas.BAGS, in any order) to documents: their names in rising order, and their rows in blocks.

    Documents with the same name and content are not joined.
    """
    from w2vspark.kernels.counts.term_weights import sum_rows

    order = pc.sort_indices(pieces, [("doc_id", "ascending"), ("piece", "ascending")]).to_numpy()
    keys = pieces.select(["doc_id", "piece"]).take(pa.array(order)).combine_chunks()
    new_name = np.append(True, pc.not_equal(keys["doc_id"][1:], keys["doc_id"][:-1]).to_numpy())
    new_piece = new_name | np.append(True, np.diff(keys["piece"].to_numpy()) != 0)
    twin = np.arange(order.size) - np.flatnonzero(new_piece)[np.cumsum(new_piece) - 1]
    if twin.any():
        by_twin = np.lexsort((keys["piece"].to_numpy(), twin, np.cumsum(new_name)))
        order, twin, keys = order[by_twin], twin[by_twin], keys.take(pa.array(by_twin))  # new_name stays as it is
    starts_document = new_name | np.append(True, np.diff(twin) != 0)
    names = keys["doc_id"].filter(pa.array(starts_document)).combine_chunks()
    sizes = pc.binary_length(pieces["words"]).to_numpy() // 4
    begins = np.cumsum(sizes) - sizes
    ids, counts = (
        np.frombuffer(b"".join(value.as_buffer() for value in pieces[name]), kind)
        for name, kind in (("words", np.int32), ("counts", np.float32))
    )

    def blocks() -> Iterator["Bags"]:
        firsts = np.append(np.flatnonzero(starts_document), order.size)  # the first piece of each document
        entries = np.append(0, np.cumsum(sizes[order]))[firsts]
        at = 0
        while at < len(names):
            end = max(at + 1, int(np.searchsorted(entries, entries[at] + BLOCK_ENTRIES, side="right")) - 1)
            of_block = order[firsts[at] : firsts[end]]
            rows = np.cumsum(starts_document[firsts[at] : firsts[end]]) - 1
            yield sum_rows(rows, begins[of_block], begins[of_block] + sizes[of_block], ids, counts, words)
            at = end

    return names, blocks()


def add_terms(batches: Iterator[pa.RecordBatch], job: TermDocumentJob) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> a row of PARAMETER_FILES, for the sums of all reducers' statistics of the words."""
    cpu_target.pin(job.cpu_target)
    for _ in batches:
        statistics = read_statistics(job.counts_uri, job.words)
        yield _listed_terms(storage.join(job.counts_uri, _TOTALS), statistics)


def weigh_rows(
    batches: Iterator[pa.RecordBatch], job: TermDocumentJob, reducers: list[tuple[int, int]]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: positions in `reducers` -> rows of PARAMETER_FILES, for the files of the table.

    reducers: those that have documents, each with its number and its number of documents.
    """
    cpu_target.pin(job.cpu_target)
    from w2vspark.kernels.counts.term_weights import Bags, global_weights, weighted

    total = sum(documents for _, documents in reducers)
    files = {file["first_id"]: file for file in listed_files(job.counts_uri, NAMES)}
    statistics = read_statistics(storage.join(job.counts_uri, _TOTALS), job.words)
    for number in (number for batch in batches for number in batch.column(0).to_pylist()):
        reducer, documents = reducers[number]
        first = sum(before for _, before in reducers[:number])
        weights = global_weights(job.weighting, statistics, total)

        def rows(
            reducer: int = reducer, documents: int = documents, first: int = first, weights: np.ndarray = weights
        ) -> Iterator[SparseBlock]:
            for start, *columns in scan_sparse_rows(job.counts_uri, f"counts-{reducer}", 0, documents):
                bags = Bags(*columns)
                yield SparseBlock(first + start, bags.ends, bags.words, weighted(bags, job.weighting, weights))

        yield write_sparse_rows(job.table_uri, TERM_DOCUMENT, first, rows())
        names = read_listed(job.counts_uri, files=[files[reducer]])["doc_id"]
        numbered = pa.table([np.arange(first, first + documents), names], schema=DOCUMENT_ROWS)
        file = _write(job.table_uri, NAMES, numbered)
        yield one_row(PARAMETER_FILES, matrix=NAMES, first_id=first, rows=documents, **file)
        if number == 0:
            yield _listed_terms(job.table_uri, statistics)


def read_statistics(uri: str, words: int) -> "Statistics":
    """The statistics of each word: those of all reducers of a listed table, added up in their order."""
    from w2vspark.kernels.counts.term_weights import new_statistics

    found = new_statistics(words)
    for file in listed_files(uri, TERMS):
        for batch in scan_listed(uri, files=[file]):
            at = batch["id"].to_numpy()  # each id occurs once in a file
            for name, sums in found._asdict().items():
                sums[at] += batch[name].to_numpy()
    return found


def scan_names(uri: str, first: int, last: int) -> pa.Array:
    """The names of the documents in rows first … last - 1 of a term-document table."""
    found = [pa.array([], pa.string())]
    for file in listed_files(uri, NAMES):
        if file["first_id"] < last and file["first_id"] + file["rows"] > first:
            wanted = [("row", ">=", first), ("row", "<", last)]
            found += read_listed(uri, ["doc_id"], wanted, files=[file])["doc_id"].chunks
    return pa.concat_arrays(found)


def _reducer_of(doc_id: str, reducers: int) -> int:
    # Python's own hash differs between processes.
    return int.from_bytes(blake2b(doc_id.encode(), digest_size=8).digest(), "big") % reducers


def _rows_of_bags(pieces: pa.Table, bags: "Bags", first: int, last: int) -> pa.RecordBatch:
    """Pieces first … last - 1 with their bags of words, as schemas.BAGS."""
    ends = np.append(0, bags.ends)[first : last + 1]
    keys = [pieces[name].slice(first, last - first).combine_chunks() for name in ("doc_id", "piece")]
    columns = [binary_values(part[ends[0] : ends[-1]], 4 * np.diff(ends)) for part in (bags.words, bags.counts)]
    return pa.RecordBatch.from_arrays([*keys, *columns], schema=BAGS)


def _read_stream(uri: str, offset: int) -> pa.Table:
    with open_stream(uri, offset) as stream:
        return pa.Table.from_batches([sealed.next_batch(stream, uri)])


def _observed(blocks: Iterator["Bags"], statistics: "Statistics") -> Iterator[SparseBlock]:
    """Yield blocks of counts for writing, after adding them to the statistics."""
    from w2vspark.kernels.counts.term_weights import add_statistics

    first = 0
    for bags in blocks:
        add_statistics(bags, statistics)
        yield SparseBlock(first, *bags)
        first += bags.ends.size


def _listed_terms(uri: str, statistics: "Statistics", number: int = 0) -> pa.RecordBatch:
    """Write the statistics of the words that occur; return the file as a row of PARAMETER_FILES.

    The column rows has the number of entries of all documents.
    """
    met = np.flatnonzero(statistics.documents)
    table = pa.table([met.astype(np.int32), *(column[met] for column in statistics)], schema=TERM_STATISTICS)
    entries = int(statistics.documents.sum())
    return one_row(PARAMETER_FILES, matrix=TERMS, first_id=number, rows=entries, **_write(uri, TERMS, table))


def _write(uri: str, matrix: str, table: pa.Table) -> dict[str, Any]:
    """Write a table to a new file of a folder; return its name, size and checksum, for the list."""
    with NewFile(uri, matrix, table.schema) as file:
        file.write(table, ROWS_PER_BATCH)
    return file.listed()
