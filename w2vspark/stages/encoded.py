"""Table encoded: documents as word ids, cut into pieces that a stable hash spreads over buckets."""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED
from w2vspark.config.keys import Auto, Settings, between, key
from w2vspark.spark.arrow import spark_schema
from w2vspark.spark.listed_files import TaskRows
from w2vspark.spark.placement import placement_keys
from w2vspark.stages.words import Reader, Words
from w2vspark.storage.listed import file_names, listed_files, read_listed, scan_listed
from w2vspark.text.tokenized import Tokenized, starts_of
from w2vspark.text.tokenizer import tokenizer
from w2vspark.text.word_ids import WordIds


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedConfig(Settings):
    """How documents are cut into pieces, and the pieces spread over buckets."""

    section = "encoded"

    piece_tokens: int = key(
        1000,
        rule=between(10, 10_000),
        why="Tokens in a piece: longer documents are cut, so that none holds up a round. No window crosses a cut.",
    )
    buckets: int | Auto = key(
        "auto",
        rule=between(1, 1_000_000),
        why="The number of buckets that the pieces are spread over; auto follows the number of tokens.",
    )


# Row groups are small, so that a worker that reads a few buckets can skip the others by the ranges in the footer. The
# dictionary already packs ids into few bits; zstd would save a fifth of the bytes and cost a third more time.
ROW_GROUP_BYTES = 4 << 20
TOKENS_PER_FILE = 4_000_000
COUNTING_TASKS = 64  # at most, however many files there are

_Ints = npt.NDArray[np.int64]
_Ids = npt.NDArray[np.int32]
_KEYS = ("bucket", "doc_id", "piece")
_PLACED = ENCODED.append(pa.field("partition_key", pa.int32(), nullable=False))


def auto_buckets(tokens: int) -> int:
    """The number of buckets for a corpus: the power of two nearest to tokens / 4096, from 64 to 32768."""
    return 1 << min(max(round(math.log2(max(tokens, 1) / 4096)), 6), 15)


def file_count(tokens: int, buckets: int) -> int:
    """The number of files for a corpus, and of tasks that write them; each has some four million tokens."""
    return max(1, min(tokens // TOKENS_PER_FILE, buckets))


def encoded(
    corpus: DataFrame, vocabulary_uri: str, words: Words, config: EncodedConfig, buckets: int, files: int
) -> DataFrame:
    """The corpus as word ids, as schemas.ENCODED, sorted by (bucket, doc_id, piece) within each partition.

    Words outside the vocabulary are left out, so the words around them become neighbours. A document is cut into pieces
    of ``piece_tokens`` ids; the last one may be shorter. -1 separates two sentences of a piece and does not count. The
    set of rows depends on the documents, the vocabulary and the settings, but not on files, partitions or threads. A
    document without an id is named by the BLAKE2b-128 of its bytes. Write the table in row groups of ROW_GROUP_BYTES.

    Raises ConfigError when the tokenizer cannot be made.
    """
    tokenizer(words.tokens)
    encode = functools.partial(
        encode_batches,
        vocabulary_uri=vocabulary_uri,
        words=words,
        piece_tokens=config.piece_tokens,
        buckets=buckets,
        partition_keys=placement_keys(files),
    )
    pieces = corpus.select("doc_id", "text").mapInArrow(encode, spark_schema(_PLACED))
    placed = pieces.repartition(files, "partition_key").sortWithinPartitions(*_KEYS)
    return placed.select(*ENCODED.names)


def bucket_counts(session: SparkSession, encoded_uri: str, buckets: int) -> TaskRows:
    """Pieces and tokens of each bucket in each file, as schemas.BUCKET_COUNTS. The workers read the files."""
    tasks = min(len(listed_files(encoded_uri)), COUNTING_TASKS)
    count = functools.partial(count_files, encoded_uri=encoded_uri, buckets=buckets, tasks=tasks)
    return TaskRows(session.range(0, tasks, 1, tasks), count, BUCKET_COUNTS)


def count_files(
    batches: Iterator[pa.RecordBatch], encoded_uri: str, buckets: int, tasks: int
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: task numbers -> rows of schemas.BUCKET_COUNTS, for the task's files."""
    for task in chain.from_iterable(batch.column(0).to_pylist() for batch in batches):
        for file in listed_files(encoded_uri)[task::tasks]:
            pieces, tokens = np.zeros((2, buckets), np.int64)
            for rows in scan_listed(encoded_uri, ["bucket", "ids"], files=[file]):
                at = rows["bucket"].to_numpy()
                np.add.at(pieces, at, 1)
                np.add.at(tokens, at, tokens_of(rows["ids"]))
            found = np.flatnonzero(pieces)
            columns = [found.astype(np.int32), pieces[found], tokens[found]]
            yield pa.RecordBatch.from_arrays(list(map(pa.array, columns)), schema=BUCKET_COUNTS)


def count_tokens(starts: _Ints, ids: _Ids) -> _Ints:
    """The number of tokens (ids except -1) in each row, int64 (rows,). starts, ids: as read_buckets returns them."""
    separators = np.searchsorted(np.flatnonzero(ids < 0), starts)  # before each row
    return np.diff(starts) - np.diff(separators)


def piece_numbers(buckets: _Ids) -> _Ids:
    """Each piece's position in its bucket, int32. buckets: as read_buckets returns them, rising."""
    return (np.arange(buckets.size) - np.searchsorted(buckets, buckets)).astype(np.int32)


def read_buckets(uri: str, first: int, last: int) -> tuple[pa.Table, _Ints, _Ids]:
    """The rows of buckets first … last - 1, sorted by bucket, doc_id and piece, then by ids.

    Returns the keys (bucket int32, doc_id string, piece int32), starts, int64 (rows + 1,), and ids, int32: row i has
    ids[starts[i] : starts[i + 1]]. Needs memory for the ids twice, and for the keys, which are larger than the ids if
    documents are short. Raises DamagedTable as scan_listed does.
    """
    keys = ENCODED.remove(ENCODED.get_field_index("ids"))
    batches, lengths, values = [], [np.empty(0, np.int64)], []
    wanted = [("bucket", ">=", first), ("bucket", "<", last)]
    for batch in scan_listed(uri, ENCODED.names, wanted, files_ahead=16, keep_footers=True):
        starts, ids = _flat(batch["ids"])
        batches.append(pa.RecordBatch.from_arrays([batch[name] for name in keys.names], schema=keys))
        lengths.append(np.diff(starts))
        values.append(ids)
    table = pa.Table.from_batches(batches, keys)
    order = pc.sort_indices(table, [(key, "ascending") for key in keys.names]).to_numpy()
    table = table.take(order).combine_chunks()
    starts = starts_of(np.concatenate(lengths)[order])
    ids = np.empty(starts[-1], np.int32)
    positions = np.empty(len(order), np.int64)  # where each row's ids go; rows that stay neighbours are one copy
    positions[order] = starts[:-1]
    rows = 0  # in the batches before
    for size, ids_of_batch in zip(lengths[1:], values, strict=True):
        begins, to = starts_of(size), positions[rows : rows + len(size)]
        cuts = np.flatnonzero(np.diff(to) != size[:-1]) + 1
        for begin, end in pairwise([0, *cuts.tolist(), len(size)]):
            if begin < end:
                run = ids_of_batch[begins[begin] : begins[end]]
                ids[to[begin] : to[begin] + run.size] = run
        rows += len(size)
    _sort_twins(table, starts, ids)
    return table, starts, ids


def _flat(lists: pa.ListArray) -> tuple[_Ints, _Ids]:
    """Lists of ids as flat arrays: (starts, ids), as read_buckets returns them."""
    return starts_of(lists.value_lengths().to_numpy()), lists.flatten().to_numpy()


def _sort_twins(table: pa.Table, starts: _Ints, ids: _Ids) -> None:
    """Sort rows with equal keys by their ids, in place."""
    twins = np.ones(max(table.num_rows - 1, 0), dtype=np.bool_)  # rows with the keys of the row before
    for name in table.column_names:
        twins &= pc.equal(table[name][1:], table[name][:-1]).to_numpy()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], twins, [False]]).astype(np.int8)))
    for begin, end in zip(edges[::2], edges[1::2] + 1, strict=True):
        rows = sorted(ids[starts[row] : starts[row + 1]].tolist() for row in range(begin, end))
        ids[starts[begin] : starts[end]] = list(chain.from_iterable(rows))
        starts[begin + 1 : end] = starts[begin] + np.cumsum([len(row) for row in rows[:-1]])


def encode_batches(
    batches: Iterator[pa.RecordBatch],
    vocabulary_uri: str,
    words: Words,
    piece_tokens: int,
    buckets: int,
    partition_keys: tuple[int, ...],
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (doc_id string, text binary) -> rows of schemas.ENCODED, each with its partition key."""
    keys, read = np.array(partition_keys, np.int32), words.reader()
    ids = ids_when_needed(vocabulary_uri)
    for batch in batches:
        for pieces in pieces_of(batch, ids, read, piece_tokens, buckets):
            at = pieces["bucket"].to_numpy().astype(np.int64) * keys.size // buckets
            yield pa.RecordBatch.from_arrays([*pieces.columns, pa.array(keys[at])], schema=_PLACED)


def pieces_of(
    batch: pa.RecordBatch,
    ids: Callable[[], WordIds],
    read: Reader,
    piece_tokens: int,
    buckets: int,
    most: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """The pieces of some documents, as schemas.ENCODED. batch: doc_id string, text binary. ids: of ids_when_needed.

    most: words with this id or a higher one are left out as if the vocabulary did not have them; None = none is.
    """
    for text in read(batch["text"]):
        if not len(text.words):  # a task without words needs no vocabulary
            continue
        document, number, offsets, values = _pieces(text, ids(), piece_tokens, most)
        names = _names(batch, text.documents)
        doc_ids = [names[at] for at in document]
        bucket = [_bucket(doc_id, piece, buckets) for doc_id, piece in zip(doc_ids, number, strict=True)]
        columns = [
            pa.array(bucket, pa.int32()),
            pa.array(doc_ids, pa.string()),
            pa.array(number, pa.int32()),
            pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values)),
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=ENCODED)


def ids_when_needed(vocabulary_uri: str) -> Callable[[], WordIds]:
    """A function that reads the ids of the vocabulary's words at its first call."""
    return functools.cache(lambda: _word_ids(vocabulary_uri))


def tokens_of(lists: pa.ListArray) -> _Ints:
    """The number of tokens in each list of ids, int64 (rows,)."""
    return count_tokens(*_flat(lists))


def _names(batch: pa.RecordBatch, documents: _Ints) -> list[str]:
    given = batch["doc_id"].take(pa.array(documents))
    if not given.null_count:
        return list(given.to_pylist())
    texts = batch["text"].take(pa.array(documents)).to_pylist()
    return list(map(content_name, given.to_pylist(), texts))


def content_name(given: str | None, text: bytes) -> str:
    """The name of a document: the one given, or else the BLAKE2b-128 of its bytes."""
    return blake2b(text, digest_size=16).hexdigest() if given is None else given


def _pieces(text: Tokenized, ids: WordIds, piece_tokens: int, most: int | None) -> tuple[_Ints, _Ints, _Ints, _Ids]:
    """Cut documents of words into pieces of ids.

    Returns each piece's document and its number in the document, (pieces,) each; the offsets of the pieces, (pieces +
    1,); and the values of all pieces: ids, and -1 between two sentences of a piece.
    """
    distinct = text.words.dictionary_encode()
    found = ids.find(distinct.dictionary)[distinct.indices.to_numpy()]
    known = found >= 0 if most is None else (found >= 0) & (found < most)
    # Where sentences and documents begin, counted in known words; the last entry is the end.
    sentence_starts = starts_of(known)[text.sentence_starts]
    starts = sentence_starts[text.document_starts]
    pieces = -(-np.diff(starts) // piece_tokens)
    document = np.repeat(np.arange(len(pieces)), pieces)
    number = np.arange(len(document)) - np.repeat(starts_of(pieces)[:-1], pieces)
    offsets = np.append(starts[document] + number * piece_tokens, starts[-1])
    # Starts of sentences inside a piece. A sentence without a known word has the same start as the next one.
    breaks = np.setdiff1d(sentence_starts, offsets)
    values = np.insert(found[known], breaks, -1)
    return document, number, offsets + np.searchsorted(breaks, offsets), values


def _bucket(doc_id: str, piece: int, buckets: int) -> int:
    # Python's own hash differs between processes.
    return int.from_bytes(blake2b(f"{piece} {doc_id}".encode(), digest_size=8).digest(), "big") % buckets


def _word_ids(uri: str) -> WordIds:
    # Workers outlive a job, and a table may be written again in the same folder, but with new file names.
    return read_word_ids(uri, file_names(uri))


@functools.lru_cache(maxsize=1)
def read_word_ids(uri: str, _files: tuple[str, ...]) -> WordIds:
    """The ids of the vocabulary's words. A worker keeps them until read_word_ids.cache_clear()."""
    table = read_listed(uri, columns=["word", "id"])
    return WordIds(table["word"], table["id"].to_numpy())
