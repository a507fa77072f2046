"""Training in this process, without Spark: the corpus in memory, and the functions that Spark's workers call.

Importing this module pins numba's CPU target, so it comes before anything that imports numba.
"""

import gzip
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from w2vspark.base.config import TrainingConfig
from w2vspark.base.cpu_target import pin

pin(TrainingConfig().cpu_target)

from w2vspark.kernels.combine import combine_changes  # noqa: E402  (after the pin)
from w2vspark.training import skipgram  # noqa: E402
from w2vspark.training.lanes import Matrix, Slice, make_matrix  # noqa: E402
from w2vspark.training.plan import Round, plan_rounds  # noqa: E402

PIECE_TOKENS, BUCKETS = 1000, 4096


@dataclass(slots=True)
class Text:
    """A corpus as the encoded table holds it: pieces of at most 1,000 ids, sorted by bucket."""

    words: list[str]
    counts: np.ndarray  # int64 (V,)
    pieces: Slice
    bucket_tokens: np.ndarray  # int64 (buckets,)

    @property
    def tokens(self) -> int:
        """Words of the text that are in the vocabulary, before subsampling."""
        return int(self.counts.sum())

    def buckets(self, first: int, last: int) -> Slice:
        """The pieces of buckets first … last - 1."""
        begin, end = np.searchsorted(self.pieces.buckets, (first, last))
        of = slice(int(begin), int(end))
        return Slice(
            self.pieces.ids,
            self.pieces.starts[of.start : of.stop + 1],
            self.pieces.tokens[of],
            self.pieces.buckets[of],
            self.pieces.numbers[of],
        )


def read_text(files: Sequence[Path], min_count: int = 5) -> Text:
    """Compressed text of words between spaces, a document a line. Pieces are spread over buckets by a fixed seed."""
    counted: Counter[str] = Counter()
    for words in _documents(files):
        counted.update(words)
    kept = sorted(((word, n) for word, n in counted.items() if n >= min_count), key=lambda item: (-item[1], item[0]))
    ids = {word: i for i, (word, _) in enumerate(kept)}
    pieces = []
    for words in _documents(files):
        known = np.fromiter((ids[word] for word in words if word in ids), np.int32)
        pieces += [known[i : i + PIECE_TOKENS] for i in range(0, known.size, PIECE_TOKENS)]
    bucket = np.random.default_rng(7).integers(0, BUCKETS, len(pieces)).astype(np.int32)
    order = np.argsort(bucket, kind="stable")
    bucket = bucket[order]
    tokens = np.array([pieces[i].size for i in order], np.int64)
    numbers = np.arange(bucket.size) - np.searchsorted(bucket, bucket)
    return Text(
        words=[word for word, _ in kept],
        counts=np.array([n for _, n in kept], np.int64),
        pieces=Slice(
            np.concatenate([pieces[i] for i in order]),
            np.concatenate([[0], np.cumsum(tokens)]),
            tokens,
            bucket,
            numbers.astype(np.int32),
        ),
        bucket_tokens=np.bincount(bucket, weights=tokens, minlength=BUCKETS).astype(np.int64),
    )


def initial_matrices(words: int, training: TrainingConfig) -> list[Matrix]:
    """The matrices of a shard with their lanes, at their initial values. training: resolved."""
    matrices = []
    for name, rows in skipgram.held_rows(words).items():
        matrix = make_matrix(name, rows, training.dimensions, int(training.lanes))
        skipgram.fill_initial(name, 0, training, matrix.base)
        matrices.append(matrix)
    return matrices


def train_epoch(text: Text, training: TrainingConfig, share: float, threads: int) -> tuple[int, float, float]:
    """Train one epoch of the first `share` of the buckets in one call; training: resolved.

    Returns its words, and wall and CPU seconds of the call alone, lane copies and merges included.
    """
    pieces = text.buckets(0, max(1, int(share * text.bucket_tokens.size)))
    tokens = int(pieces.tokens.sum())
    tables = skipgram.make_tables(text.counts, training)
    matrices = initial_matrices(len(text.words), training)
    wall, cpu = time.perf_counter(), time.process_time()
    skipgram.train_slice(matrices, tables, pieces, training, 0, 0, tokens, tokens, threads)
    return tokens, time.perf_counter() - wall, time.process_time() - cpu


def simulate(text: Text, training: TrainingConfig, threads: int = 2) -> np.ndarray:
    """The word vectors, float32 (V, D), that a whole run on Spark would train, shard after shard on this machine.

    training: resolved, with any number of shards, lanes and rounds.
    """
    tables = skipgram.make_tables(text.counts, training)
    shard = initial_matrices(len(text.words), training)
    current = [matrix.base.copy() for matrix in shard]
    several = int(training.shards) if int(training.shards) > 1 else 0
    changes = [np.empty((several, matrix.base.shape[0], matrix.columns), np.float32) for matrix in shard]
    updates = [np.empty((several, matrix.base.shape[0]), np.int32) for matrix in shard]
    for todo in plan_rounds(text.bucket_tokens, training):
        for number in range(int(training.shards)):
            _train_shard(text, training, tables, shard, current, todo, number, threads)
            for i, matrix in enumerate(shard if several else []):
                columns = slice(0, matrix.columns)
                np.subtract(matrix.base[:, columns], current[i][:, columns], out=changes[i][number])
                updates[i][number] = matrix.updates
        for i, matrix in enumerate(shard):
            if several:
                combine_changes(training.combine, changes[i], updates[i], current[i])
            else:
                current[i][:] = matrix.base
    return np.ascontiguousarray(current[0][:, : training.dimensions])


def _train_shard(
    text: Text,
    training: TrainingConfig,
    tables: skipgram.Tables,
    shard: list[Matrix],
    current: list[np.ndarray],
    todo: Round,
    number: int,
    threads: int,
) -> None:
    """One shard's part of a round, from the rows in `current`; the new rows are in the shard's matrices."""
    for matrix, rows in zip(shard, current, strict=True):
        matrix.base[:] = rows
        matrix.updates[:] = 0
    total = text.tokens * training.epochs
    for part in todo.parts:
        pieces = text.buckets(*part.ranges[number])
        skipgram.train_slice(shard, tables, pieces, training, part.epoch, part.start, part.tokens, total, threads)


def _documents(files: Sequence[Path]) -> Iterator[list[str]]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield line.split()
