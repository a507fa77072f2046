"""word2vec's `auto` values, matrices and memory needs. All depend on the corpus and the configuration alone."""

import math
from dataclasses import replace

import numpy as np

from w2vspark.base.errors import ConfigError
from w2vspark.base.schemas import CONTEXT, NODES, WORDS
from w2vspark.spark.session import PROCESS_BYTES
from w2vspark.training.plan import MatrixShape, Round, plan_rounds
from w2vspark.training.word2vec.settings import WarmStartConfig, Word2VecTraining

# The largest slice. A worker holds its slice in memory: 64 M tokens are 256 MB, and at most some minutes of training.
SLICE_TOKENS = 64_000_000
# A round costs half a second besides its training, so small corpora train several epochs per round: some ten seconds.
ROUND_TOKENS = 60_000_000
# Rounds per epoch for up to 8 shards, and for more shards. Fewer rounds hurt quality.
FEW_ROUNDS, MANY_ROUNDS = 10, 20
# Tokens of all epochs for each shard. One shard with its lanes trains them in some minutes, and has the best quality.
SHARD_TOKENS = 1_250_000_000
# Every worker reads the whole model up to this size (at D = 100 some 2.5 million words). It also reads the whole of a
# larger model if a slice needs more than SENT_SHARE of the words, because sending rows would save nothing.
ALL_ROWS_BYTES, SENT_SHARE = 2_000_000_000, 0.5
# Size of a slice's negative pool: a share of the slice's tokens (with a tenth, quality falls), and the minimum.
POOL_SHARE, LEAST_POOL = 0.25, 50_000
# Tokens of a lane between two merges. Quality is the same from 250,000 to 2 million. A merge costs as much time as the
# training of 50,000 tokens.
LANE_TOKENS = 1_000_000
# The learning rate for one replica. It grows with the square root of the number of replicas, up to RATE_CAP times, or
# ADAGRAD_CAP times with AdaGrad.
# CBOW's true gradient is shared by the window's words, so it needs a larger rate. AdaGrad needs a larger rate too,
# because a word's rate falls as it learns. In the Huffman tree every centre trains the nodes near the root, which need
# a smaller rate.
RATES = {
    ("skipgram", "sgd"): 0.025, ("skipgram hs", "sgd"): 0.018,
    ("cbow mean", "sgd"): 0.08, ("cbow sum", "sgd"): 0.035,
    ("skipgram", "adagrad"): 0.07, ("skipgram hs", "adagrad"): 0.07,
    ("cbow mean", "adagrad"): 0.14, ("cbow sum", "adagrad"): 0.07,
}  # fmt: skip
WARM_RATE = 0.5  # times these for a warm start, whose words are trained already
RATE_CAP = 4.0
ADAGRAD_CAP = 2.15
NEGATIVES, EPOCHS = 5, 5
# Bytes for each word: to make and hold the noise table, or the Huffman paths of some 20 nodes. With rows = "slice", a
# worker holds the counts and cumulative noise of all words, and marks the words that it needs.
TABLES_BYTES, TABLES_BYTES_HS, TABLES_BYTES_SLICE = 60, 220, 24
SLICE_WORDS = 40.0  # times the square root of a slice's tokens gives its number of different words, by Heaps' law


def check_vocabulary(training: Word2VecTraining, words: int) -> None:
    """Raise ConfigError if the method cannot train a vocabulary of `words` words."""
    if training.loss == "softmax" and words > training.softmax_max_words:
        raise ConfigError(
            f'training.method = "{training.method}": the vocabulary has {words} words, and every step of the softmax '
            f'uses all; choose "{training.model}-ns" or "{training.model}-hs", lower vocabulary.max_size to '
            f"{training.softmax_max_words}, or raise training.softmax_max_words, if you can wait"
        )
    if training.loss == "hs" and words < 2:
        raise ConfigError(
            f'training.method = "{training.method}": a tree needs two words, and the vocabulary has {words}; give more '
            "text, or lower vocabulary.min_count"
        )


def matrix_shapes(training: Word2VecTraining, words: int, ngrams: int = 0) -> tuple[MatrixShape, ...]:
    """The matrices of a method: its inputs, then its outputs. training: resolved.

    With subwords, the rows of `ngrams` buckets follow the words' own rows.
    """
    columns, state = training.dimensions, 1 if training.optimizer == "adagrad" else 0
    if training.loss == "hs":
        outputs = MatrixShape(NODES, words - 1, columns, state, void=1)
    else:
        outputs = MatrixShape(CONTEXT, words, columns, state, void=1)
    return MatrixShape(WORDS, words + ngrams, columns, state), outputs


def rounds_of(bucket_tokens: np.ndarray, training: Word2VecTraining) -> list[Round]:
    """All rounds of a run, from plan_rounds. training: resolved."""
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

    Subwords do not use AdaGrad. A warm start has its own learning rate: the configured one, or half of the usual one.
    docs/explanation/replicas.md and tests/bench/learning_rate.py show how the rules were found.
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
    if optimizer == "auto":  # with one rate for all words, many replicas make frequent words overshoot
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
    """About how many different words a slice and its pool have. It may be fewer."""
    return SLICE_WORDS * math.sqrt(tokens) + pool


def worker_bytes(training: Word2VecTraining, shapes: tuple[MatrixShape, ...], words: int, tokens: int) -> int:
    """Bytes that a training worker needs at its peak.

    They are for the process itself, the rows with the lanes' copies, update counts, the tables of noise or paths, and
    the slice (twice while it is sorted). training: resolved. tokens: of the whole corpus.
    """
    lanes = int(training.lanes)
    copies = lanes + 1 if lanes > 1 else 1
    slices = int(training.shards) * max(1, round(float(training.rounds_per_epoch)))
    share = 1.0  # of the rows
    of_word = TABLES_BYTES_HS if training.loss == "hs" else TABLES_BYTES
    if training.rows == "slice":
        held = _slice_words(tokens / slices, int(training.negative_pool))
        share, copies = min(1.0, held / words), copies + 1  # one copy more, for rows and changes that are sent
        of_word = TABLES_BYTES_SLICE
    rows = sum(shape.bytes + 4 * shape.rows for shape in shapes)
    return PROCESS_BYTES + int(copies * share * rows) + of_word * words + 2 * 4 * tokens // slices
