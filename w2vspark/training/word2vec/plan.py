"""word2vec's `auto` values, matrices and needs. All are functions of the corpus and the configuration alone."""

import math
from dataclasses import replace

import numpy as np

from w2vspark.base.errors import ConfigError
from w2vspark.base.schemas import CONTEXT, NODES, WORDS
from w2vspark.spark.session import PROCESS_BYTES
from w2vspark.training.plan import MatrixShape, Round, plan_rounds
from w2vspark.training.word2vec.settings import WarmStartConfig, Word2VecTraining

# A slice is held in memory by its worker: 64 M tokens are 256 MB, and at most some minutes of training.
SLICE_TOKENS = 64_000_000
# A round costs half a second beside its training, so small corpora train several epochs in one: some ten seconds.
ROUND_TOKENS = 60_000_000
# An epoch, for up to 8 shards and for more: fewer rounds an epoch hurt quality.
FEW_ROUNDS, MANY_ROUNDS = 10, 20
# Of the whole run, all epochs: one shard with its lanes trains that many in some minutes, and is the best in quality.
SHARD_TOKENS = 1_250_000_000
# A model up to this size is read whole by every worker: at D = 100 some 2.5 million words. A larger one too, where a
# slice needs more than a share of its words: to send them would save nothing.
ALL_ROWS_BYTES, SENT_SHARE = 2_000_000_000, 0.5
# Words drawn for a slice, as a share of its tokens: with a tenth, quality falls; at least so many.
POOL_SHARE, LEAST_POOL = 0.25, 50_000
# Between two merges in memory. Quality is the same from 250,000 to 2 million; a merge costs as much as 50,000 tokens.
LANE_TOKENS = 1_000_000
# One replica's learning rate; it grows with the root of their number, up to RATE_CAP times. CBOW's true gradient is
# shared by the window's words, so that it takes a larger one; with AdaGrad words slow down as they learn. Every centre
# trains the nodes at the root of Huffman's tree, which a smaller rate suits.
RATES = {
    ("skipgram", "sgd"): 0.025, ("skipgram hs", "sgd"): 0.018,
    ("cbow mean", "sgd"): 0.08, ("cbow sum", "sgd"): 0.035,
    ("skipgram", "adagrad"): 0.07, ("skipgram hs", "adagrad"): 0.07,
    ("cbow mean", "adagrad"): 0.14, ("cbow sum", "adagrad"): 0.07,
}  # fmt: skip
WARM_RATE = 0.5  # times these, where the words have their places already
RATE_CAP = 4.0
ADAGRAD_CAP = 2.15
NEGATIVES, EPOCHS = 5, 5
# A word's entries in the tables that are drawn from, and what making them takes: noise, or paths of some 20 nodes.
# A slice's worker keeps counts and cumulative noise of all words, and marks those that it needs.
TABLES_BYTES, TABLES_BYTES_HS, TABLES_BYTES_SLICE = 60, 220, 24
SLICE_WORDS = 40.0  # times the root of a slice's tokens: its different words, by Heaps' law


def check_vocabulary(training: Word2VecTraining, words: int) -> None:
    """Raise ConfigError where a method cannot train a vocabulary of so many words."""
    if training.loss == "softmax" and words > training.softmax_max_words:
        raise ConfigError(
            f'training.method = "{training.method}": the vocabulary has {words} words, and every step of the softmax '
            f'takes all; choose "{training.model}-ns" or "{training.model}-hs", lower vocabulary.max_size to '
            f"{training.softmax_max_words}, or raise training.softmax_max_words, if you can wait"
        )
    if training.loss == "hs" and words < 2:
        raise ConfigError(
            f'training.method = "{training.method}": a tree needs two words, and the vocabulary has {words}; give more '
            "text, or lower vocabulary.min_count"
        )


def matrix_shapes(training: Word2VecTraining, words: int, ngrams: int = 0) -> tuple[MatrixShape, ...]:
    """The matrices of a method for so many words: its inputs, then its outputs. training: resolved.

    With subwords the rows of `ngrams` buckets stand behind the words' own.
    """
    columns, state = training.dimensions, 1 if training.optimizer == "adagrad" else 0
    if training.loss == "hs":
        outputs = MatrixShape(NODES, words - 1, columns, state, void=1)
    else:
        outputs = MatrixShape(CONTEXT, words, columns, state, void=1)
    return MatrixShape(WORDS, words + ngrams, columns, state), outputs


def rounds_of(bucket_tokens: np.ndarray, training: Word2VecTraining) -> list[Round]:
    """All rounds of a run, as plan_rounds. training: resolved."""
    return plan_rounds(
        bucket_tokens, int(training.shards), int(training.epochs), float(training.rounds_per_epoch), training.seed
    )


def resolve(
    training: Word2VecTraining,
    tokens: int,
    words: int,
    warm_start: WarmStartConfig | None = None,
    subwords: bool = False,
) -> Word2VecTraining:
    """Replace every `auto` by its value for `tokens` tokens and `words` words in the vocabulary.

    Words of several rows (subwords) have no AdaGrad. A warm start has a learning rate of its own: half of what it would
    be, unless it is given.

    How the rules were found: docs/explanation/replicas.md, and tests/bench/learning_rate.py.
    """
    epochs = EPOCHS if training.epochs == "auto" else training.epochs
    shards = min(32, max(1, tokens * epochs // SHARD_TOKENS)) if training.shards == "auto" else training.shards
    lanes = training.lanes
    if lanes == "auto":
        lanes = 2 if shards == 1 else 1  # shards are parallel already, and every replica costs some quality
    rounds = training.rounds_per_epoch
    if rounds == "auto" and shards == 1 and tokens < ROUND_TOKENS:
        rounds = 1 / min(epochs, ROUND_TOKENS // tokens)
    elif rounds == "auto":
        least = 1 if shards == 1 else FEW_ROUNDS if shards <= 8 else MANY_ROUNDS
        rounds = max(least, math.ceil(tokens / (shards * SLICE_TOKENS)))
    optimizer = training.optimizer
    if optimizer == "auto":  # many replicas that learn a frequent word alike overshoot with one rate for all words
        gains = shards > 1 or training.method == "cbow-hs"
        optimizer = "adagrad" if gains and not subwords else "sgd"
    rate = training.learning_rate
    if rate == "auto":
        model = f"cbow {training.cbow_gradient}" if training.model == "cbow" else "skipgram"
        model += " hs" if training.method == "skipgram-hs" else ""
        cap = ADAGRAD_CAP if optimizer == "adagrad" else RATE_CAP
        rate = RATES[model, optimizer] * min(cap, math.sqrt(shards * lanes))
    if warm_start is not None and warm_start.path:
        rate = rate * WARM_RATE if warm_start.learning_rate == "auto" else warm_start.learning_rate
    merge = LANE_TOKENS if training.lane_merge_tokens == "auto" else training.lane_merge_tokens
    held, pool = training.rows, training.negative_pool
    slices = int(shards) * max(1, round(float(rounds)))
    wanted = max(LEAST_POOL, int(POOL_SHARE * tokens / slices)) if pool == "auto" else pool
    if held == "auto":
        shapes = matrix_shapes(replace(training, optimizer=optimizer), words)
        large = sum(shape.bytes for shape in shapes) > ALL_ROWS_BYTES
        saves = _slice_words(tokens / slices, wanted) < SENT_SHARE * words
        held = "slice" if large and saves and training.loss == "ns" and not subwords else "all"
    if pool == "auto":
        pool = wanted if held == "slice" else 0
    negatives = training.negatives
    if negatives == "auto":
        negatives = NEGATIVES if training.loss == "ns" else 0
    return replace(
        training,
        optimizer=optimizer,
        rows=held,
        negative_pool=pool,
        negatives=negatives,
        epochs=epochs,
        shards=shards,
        lanes=lanes,
        rounds_per_epoch=rounds,
        lane_merge_tokens=merge,
        learning_rate=rate,
    )


def _slice_words(tokens: float, pool: int) -> float:
    """Different words that a slice and its pool have, roughly; there may be fewer."""
    return SLICE_WORDS * math.sqrt(tokens) + pool


def worker_bytes(training: Word2VecTraining, shapes: tuple[MatrixShape, ...], words: int, tokens: int) -> int:
    """Memory that a training worker needs at its peak.

    training: resolved. tokens: of the whole corpus. The process itself, the rows with their copies for lanes, update
    counts, the tables that are drawn from, and the slice (twice while it is sorted).
    """
    lanes = int(training.lanes)
    copies = lanes + 1 if lanes > 1 else 1
    slices = int(training.shards) * max(1, round(float(training.rounds_per_epoch)))
    share = 1.0  # of the rows
    of_word = TABLES_BYTES_HS if training.loss == "hs" else TABLES_BYTES
    if training.rows == "slice":
        held = _slice_words(tokens / slices, int(training.negative_pool))
        share, copies = min(1.0, held / words), copies + 1  # as much again for rows and changes on their way
        of_word = TABLES_BYTES_SLICE
    rows = sum(shape.bytes + 4 * shape.rows for shape in shapes)
    return PROCESS_BYTES + int(copies * share * rows) + of_word * words + 2 * 4 * tokens // slices
