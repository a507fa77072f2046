"""Table encoded: documents as word ids, cut into pieces that a stable hash spreads over buckets."""

import functools
import math
from collections.abc import Iterator
from hashlib import blake2b
from itertools import chain, repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from w2vspark.base.config import EncodedConfig, TokensConfig
from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED
from w2vspark.base.storage import list_names, read_table
from w2vspark.base.tokenizer import decode, tokenizer
from w2vspark.stages.placement import placement_keys
from w2vspark.stages.table_io import spark_schema

# Small row groups: a worker that wants a few buckets skips the others by the footer's ranges. The dictionary packs ids
# to few bits already; zstd would save a fifth of the bytes and cost a third more time.
WRITE_OPTIONS = {"parquet.block.size": str(4 << 20), "compression": "snappy"}
TOKENS_PER_FILE = 4_000_000
TOKENS_PER_BATCH = 500_000  # a task turns so many words to ids at once: some 40 MB

_Ints = npt.NDArray[np.int64]
_KEYS = ("bucket", "doc_id", "piece")
_PLACED = ENCODED.append(pa.field("place", pa.int32(), nullable=False))


def auto_buckets(tokens: int) -> int:
    """The number of buckets for a corpus: the power of two next to tokens / 4096, from 64 to 32768."""
    return 1 << min(max(round(math.log2(max(tokens, 1) / 4096)), 6), 15)


def file_count(tokens: int, buckets: int) -> int:
    """How many files, and tasks that write them, suit a corpus: runs of buckets with some four million tokens each."""
    return max(1, min(tokens // TOKENS_PER_FILE, buckets))


def encoded(
    corpus: DataFrame, vocabulary_uri: str, tokens: TokensConfig, config: EncodedConfig, buckets: int, files: int
) -> DataFrame:
    """The corpus in ids, as schemas.ENCODED, sorted by (bucket, doc_id, piece) within each partition.

    Words outside the vocabulary vanish, and the window closes over them. A document is cut into pieces of
    ``piece_tokens`` ids, the last one shorter; -1 stands between two sentences within a piece and does not count. The
    set of rows is a function of the documents, the vocabulary and the settings: not of files, partitions or threads.
    A document without an id is named by the BLAKE2b-128 of its bytes. Write it with WRITE_OPTIONS.

    Raises ConfigError when the tokenizer cannot be made.
    """
    tokenizer(tokens)
    encode = functools.partial(
        encode_batches,
        vocabulary_uri=vocabulary_uri,
        tokens=tokens,
        piece_tokens=config.piece_tokens,
        buckets=buckets,
        places=placement_keys(files),
    )
    pieces = corpus.select("doc_id", "text").mapInArrow(encode, spark_schema(_PLACED))
    placed = pieces.repartition(files, "place").sortWithinPartitions(*_KEYS)
    return placed.select(*ENCODED.names)


def bucket_counts(encoded: DataFrame) -> DataFrame:
    """Pieces and tokens of each bucket that has any, as schemas.BUCKET_COUNTS."""
    tokens = F.size(F.array_remove("ids", -1)).cast("long")
    counts = encoded.groupBy("bucket").agg(F.count("ids").alias("pieces"), F.sum(tokens).alias("tokens"))
    return counts.select(*BUCKET_COUNTS.names)


def read_buckets(uri: str, first: int, last: int) -> pa.Table:
    """The rows of buckets first … last - 1, as schemas.ENCODED, in one chunk.

    Sorted by bucket, doc_id and piece, and where these are equal by ids. Raises OutputError as read_table does.
    """
    table = read_table(uri, columns=ENCODED.names, filters=[("bucket", ">=", first), ("bucket", "<", last)])
    table = table.cast(ENCODED).sort_by([(key, "ascending") for key in _KEYS]).combine_chunks()
    twins = np.ones(max(table.num_rows - 1, 0), dtype=np.bool_)  # rows with the keys of the row before
    for key in _KEYS:
        twins &= pc.equal(table[key][1:], table[key][:-1]).to_numpy()
    if not twins.any():
        return table
    order = np.arange(table.num_rows)
    for run in np.split(order, np.flatnonzero(~twins) + 1):
        if len(run) > 1:
            run[:] = run[0] + np.array(
                sorted(range(len(run)), key=table["ids"][run[0] : run[-1] + 1].to_pylist().__getitem__)
            )
    return table.take(pa.array(order)).combine_chunks()


def encode_batches(
    batches: Iterator[pa.RecordBatch],
    vocabulary_uri: str,
    tokens: TokensConfig,
    piece_tokens: int,
    buckets: int,
    places: tuple[int, ...],
) -> Iterator[pa.RecordBatch]:
    """A task's part: batches (doc_id string, text binary) to rows of schemas.ENCODED, with their partition's key."""
    tokenize = tokenizer(tokens)
    ids = None
    names: list[str] = []
    sentences: list[list[str]] = []
    sentences_of: list[int] = []  # of each name
    pending = 0
    for batch in batches:
        if ids is None:  # not before: a task without documents needs no vocabulary
            ids = _word_ids(vocabulary_uri)
        for doc_id, text in zip(batch.column("doc_id").to_pylist(), batch.column("text").to_pylist(), strict=True):
            found = tokenize(decode(text)[0]) if text else []
            if not found:
                continue
            names.append(blake2b(text, digest_size=16).hexdigest() if doc_id is None else doc_id)
            sentences += found
            sentences_of.append(len(found))
            pending += sum(map(len, found))
            if pending >= TOKENS_PER_BATCH:
                yield _rows(names, *_pieces(ids, sentences, sentences_of, piece_tokens), buckets, places)
                names, sentences, sentences_of, pending = [], [], [], 0
    if ids is not None and names:
        yield _rows(names, *_pieces(ids, sentences, sentences_of, piece_tokens), buckets, places)


def _pieces(
    ids: dict[str, int], sentences: list[list[str]], sentences_of: list[int], piece_tokens: int
) -> tuple[_Ints, _Ints, _Ints, npt.NDArray[np.int32]]:
    """Cuts documents of words into pieces of ids.

    ``sentences_of`` (documents,) counts the sentences of each. Returns each piece's document and number in it
    (pieces,), the offsets (pieces + 1,) of the pieces and the values that they cut: ids, and -1 between two sentences
    of a piece.
    """
    lengths = np.fromiter(map(len, sentences), np.int64, len(sentences))
    found = np.fromiter(map(ids.get, chain.from_iterable(sentences), repeat(-1)), np.int32, int(lengths.sum()))
    known = found >= 0
    # Where sentences and documents begin, counted in known words; the last entry is the end.
    sentence_starts = _starts(known)[_starts(lengths)]
    starts = sentence_starts[_starts(np.array(sentences_of))]
    pieces = -(-np.diff(starts) // piece_tokens)
    document = np.repeat(np.arange(len(pieces)), pieces)
    number = np.arange(len(document)) - np.repeat(_starts(pieces)[:-1], pieces)
    offsets = np.append(starts[document] + number * piece_tokens, starts[-1])
    # Starts inside a piece; those of sentences without a known word fall together with the next.
    breaks = np.setdiff1d(sentence_starts, offsets)
    values = np.insert(found[known], breaks, -1)
    return document, number, offsets + np.searchsorted(breaks, offsets), values


def _starts(lengths: npt.NDArray[Any]) -> _Ints:
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def _rows(
    names: list[str],
    document: _Ints,
    number: _Ints,
    offsets: _Ints,
    values: npt.NDArray[np.int32],
    buckets: int,
    places: tuple[int, ...],
) -> pa.RecordBatch:
    doc_ids = [names[at] for at in document]
    bucket = [_bucket(doc_id, piece, buckets) for doc_id, piece in zip(doc_ids, number, strict=True)]
    columns = [
        pa.array(bucket, pa.int32()),
        pa.array(doc_ids, pa.string()),
        pa.array(number, pa.int32()),
        pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values)),
        pa.array([places[at * len(places) // buckets] for at in bucket], pa.int32()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=_PLACED)


def _bucket(doc_id: str, piece: int, buckets: int) -> int:
    # Python's own hash differs between processes.
    return int.from_bytes(blake2b(f"{piece} {doc_id}".encode(), digest_size=8).digest(), "big") % buckets


def _word_ids(uri: str) -> dict[str, int]:
    # Workers outlive a job, and a table may be written again at the same place: under other file names.
    return _read_word_ids(uri, tuple(list_names(uri)))


@functools.lru_cache(maxsize=1)
def _read_word_ids(uri: str, _files: tuple[str, ...]) -> dict[str, int]:
    table = read_table(uri, columns=["word", "id"])
    return dict(zip(table["word"].to_pylist(), table["id"].to_pylist(), strict=True))
