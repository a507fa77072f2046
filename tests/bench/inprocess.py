"""Training in this process, without Spark: the corpus in memory, and the functions that Spark's workers call.

Importing this module pins numba's CPU target, so it comes before anything that imports numba.
"""

import gzip
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from common import tell
from quality import SCORES, Scorer

from w2vspark.base.cpu_target import pin
from w2vspark.training.word2vec.settings import SubwordsConfig, Word2VecTraining

pin(Word2VecTraining().cpu_target)

from w2vspark.kernels.combine import Changes, combine_changes  # noqa: E402  (after the pin)
from w2vspark.kernels.instructions import SIMD_WIDTH  # noqa: E402
from w2vspark.kernels.noise import cumulative_noise  # noqa: E402
from w2vspark.kernels.word2vec.arguments import Tables, pool_table  # noqa: E402
from w2vspark.kernels.word2vec.subwords import mean_rows, ngram_buckets, subwords_of  # noqa: E402
from w2vspark.training.lanes import Matrix, Slice, make_matrix  # noqa: E402
from w2vspark.training.plan import MatrixShape, Round  # noqa: E402
from w2vspark.training.word2vec import slices as word2vec  # noqa: E402
from w2vspark.training.word2vec.plan import matrix_shapes, rounds_of  # noqa: E402
from w2vspark.vectors import WordVectors  # noqa: E402

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


def initial_matrices(shapes: Sequence[MatrixShape], training: Word2VecTraining) -> list[Matrix]:
    """The matrices of a shard with their lanes, at their initial values. training: resolved."""
    matrices = []
    for shape in shapes:
        matrix = make_matrix(shape, int(training.lanes))
        word2vec.fill_initial(shape.name, 0, training, matrix.base)
        matrices.append(matrix)
    return matrices


def make_tables(
    text: Text, training: Word2VecTraining, subwords: SubwordsConfig | None
) -> tuple[Tables, tuple[MatrixShape, ...]]:
    """What the kernel draws from, and the shapes of the matrices. subwords: None, or how words are cut."""
    tables = word2vec.make_tables(text.counts, training)
    if subwords is None:
        return tables, matrix_shapes(training, len(text.words))
    lengths = subwords.min_length, subwords.max_length
    used = np.unique(ngram_buckets(text.words, *lengths, subwords.buckets)[1]).astype(np.int32)
    tables = replace(tables, subwords=subwords_of(text.words, *lengths, subwords.buckets, used))
    return tables, matrix_shapes(training, len(text.words), used.size)


def train_epoch(
    text: Text, training: Word2VecTraining, share: float, threads: int, subwords: SubwordsConfig | None = None
) -> tuple[int, float, float]:
    """Train one epoch of the first `share` of the buckets in one call; training: resolved.

    Returns its words, and wall and CPU seconds of the call alone, lane copies and merges included.
    """
    pieces = text.buckets(0, max(1, int(share * text.bucket_tokens.size)))
    tokens = int(pieces.tokens.sum())
    tables, shapes = make_tables(text, training, subwords)
    matrices = initial_matrices(shapes, training)
    wall, cpu = time.perf_counter(), time.process_time()
    word2vec.train_slice(matrices, tables, pieces, training, 0, 0, tokens, tokens, threads)
    return tokens, time.perf_counter() - wall, time.process_time() - cpu


def simulate(
    text: Text, training: Word2VecTraining, threads: int = 2, subwords: SubwordsConfig | None = None
) -> np.ndarray:
    """The word vectors, float32 (V, D), that a whole run on Spark would train, shards side by side in threads.

    training: resolved, with any number of shards, lanes and rounds.
    """
    tables, shapes = make_tables(text, training, subwords)
    shards = int(training.shards)
    side_by_side = min(threads, shards)
    workers = [initial_matrices(shapes, training) for _ in range(side_by_side)]
    current = [matrix.base.copy() for matrix in workers[0]]
    total = text.tokens * int(training.epochs)
    cumulative = cumulative_noise(text.counts, training.noise_exponent)

    def train(worker: int, todo: Round) -> list[list[Changes]]:
        return [
            _train_shard(text, training, tables, cumulative, workers[worker], current, todo, number, total, threads)
            for number in range(worker, shards, side_by_side)
        ]

    with ThreadPoolExecutor(side_by_side) as pool:
        for todo in rounds_of(text.bucket_tokens, training):
            found = list(pool.map(train, range(side_by_side), [todo] * side_by_side))
            changes = [found[number % side_by_side][number // side_by_side] for number in range(shards)]
            for i, shape in enumerate(shapes):
                _combine([of_shard[i] for of_shard in changes], training, shape, current[i])
            for matrices in workers:
                for matrix, rows in zip(matrices, current, strict=True):
                    matrix.base[:] = rows
    vectors = current[0]
    if subwords is not None:
        vectors = mean_rows(vectors, tables.subwords, 0, len(text.words))
    return np.ascontiguousarray(vectors[: len(text.words), : training.dimensions])


def mean_scores(text: Text, training: Word2VecTraining, scorer: Scorer, seeds: Sequence[int]) -> dict[str, float]:
    """The means of a whole run's scores over seeds. training: resolved."""
    found = []
    for seed in seeds:
        chosen = (training.shards, training.learning_rate, training.negative_pool)
        tell("{} shards at {:.3f}, pool {}, seed {}".format(*chosen, seed))
        matrix = simulate(text, replace(training, seed=seed))
        found.append(scorer.scores(WordVectors(words=text.words, counts=text.counts, matrix=matrix)))
    return {score: statistics.mean(scores[score] for scores in found) for score in SCORES}


def _train_shard(
    text: Text,
    training: Word2VecTraining,
    tables: Tables,
    cumulative: np.ndarray,
    matrices: list[Matrix],
    current: list[np.ndarray],
    todo: Round,
    number: int,
    total: int,
    threads: int,
) -> list[Changes]:
    """One shard's part of a round: what it changed in each matrix, whose rows are the old ones again."""
    for part in todo.slice_sets:
        pieces = text.buckets(*part.ranges[number])
        own = threads if int(training.shards) == 1 else 1
        if training.negative_pool:
            tables = replace(tables, noise=pool_table(word2vec.draw_pool(cumulative, training, part, number)))
        word2vec.train_slice(matrices, tables, pieces, training, part.epoch, part.start, part.tokens, total, own)
    found = []
    for matrix, rows in zip(matrices, current, strict=True):
        touched = np.flatnonzero(matrix.updates[: matrix.shape.rows]).astype(np.int32)
        new = matrix.read(touched)
        matrix.base[touched] = rows[touched]
        found.append(Changes(touched, matrix.updates[touched].copy(), new - matrix.read(touched)))
        matrix.updates[:] = 0
    return found


def _combine(shards: list[Changes], training: Word2VecTraining, shape: MatrixShape, rows: np.ndarray) -> None:
    """As the workers combine a block: add the combined changes to the rows, in place."""
    packed = _packed(rows, shape)
    combine_changes(training.combine, shards, packed, shape.state)
    rows[:, : shape.columns] = packed[:, : shape.columns]
    if shape.state:
        rows[:, rows.shape[1] - SIMD_WIDTH] = packed[:, shape.columns]


def _packed(rows: np.ndarray, shape: MatrixShape) -> np.ndarray:
    """Rows as the parameters table has them: float32 (n, shape.width)."""
    if not shape.state:
        return np.ascontiguousarray(rows[:, : shape.columns])
    return np.hstack([rows[:, : shape.columns], rows[:, rows.shape[1] - SIMD_WIDTH][:, None]])


def _documents(files: Sequence[Path]) -> Iterator[list[str]]:
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield line.split()
