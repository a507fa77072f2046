"""The settings of word2vec's methods: their keys of [training], and the tables [subwords] and [warm_start]."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from w2vspark.config.config import Config
from w2vspark.config.keys import ABOVE_ZERO, Auto, Problem, Settings, at_least, between, key, keys_of
from w2vspark.stages.encoded import EncodedConfig
from w2vspark.stages.vocabulary import CURRENT, VocabularyConfig
from w2vspark.training.settings import RoundsTraining, TrainingConfig


def _is_whole_or_a_part(value: float) -> bool:
    if value <= 0 or math.isinf(number := max(value, 1 / value)):
        return False
    return math.isclose(number, round(number), rel_tol=1e-9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Word2VecTraining(RoundsTraining):
    """How word2vec's vectors are learned."""

    method: str = key("skipgram-ns", why=keys_of(TrainingConfig)["method"].why)
    window: int = key(5, rule=at_least(1), why="Words on each side, at most; the actual number is drawn for each word.")
    negatives: int | Auto = key(
        "auto",
        rule=between(0, 64),
        why="Negatives for each window, in methods that end in -ns; auto is 5. Use 2 to 5 for large corpora, up to 20 "
        "for small ones.",
    )
    cbow_gradient: Literal["mean", "sum"] = key(
        "mean",
        why="CBOW: with mean, the window's words share the gradient, which is the true one; with sum, each word gets "
        "all of it, as in word2vec.c.",
    )
    softmax_max_words: int = key(
        10_000,
        rule=between(1, 1_000_000),
        why="The largest vocabulary for methods that end in -softmax: each of their steps goes through all words.",
    )
    optimizer: Literal["auto", "sgd", "adagrad"] = key(
        "auto",
        why="adagrad gives every word its own rate, which falls as the word learns; sgd has one rate for all words. "
        "auto is adagrad for several shards, where sgd would lose quality, and for cbow-hs, which gains most; else "
        "sgd. With subwords, auto is always sgd.",
    )
    adagrad_initial: float = key(
        10.0,
        rule=ABOVE_ZERO,
        why="The initial value of a word's sum of squared gradients, for adagrad; the word's rate halves when this "
        "sum has quadrupled.",
    )
    rows: Literal["auto", "all", "slice"] = key(
        "auto",
        why="Which rows of the model a worker holds: all, or only the rows that its slice needs. auto is slice for a "
        "model above 2 GB, if a slice needs less than half of the rows. More shards and rounds make slices smaller.",
    )
    negative_pool: int | Auto = key(
        "auto",
        rule=at_least(0),
        why="How many words are drawn for each slice, as the source of its negatives. 0 draws negatives from the whole "
        "vocabulary; auto does this too if workers hold all rows.",
    )
    noise_exponent: float = key(
        0.75, rule=between(-2, 2), why="Negatives are drawn by count to this power; a power below 1 favours rare words."
    )
    subsample: float = key(
        1e-4,
        rule=(lambda share: 0 <= share < 1, "must be at least 0 (keep every word) and less than 1"),
        why="Words with a larger share of the corpus than this are thinned out; 0 keeps all.",
    )
    learning_rate_floor: float = key(
        1e-4, rule=between(0, 1), why="The rate falls linearly to this share of learning_rate."
    )
    rounds_per_epoch: float | Auto = key(
        "auto",
        rule=(_is_whole_or_a_part, "must be a whole number, or 1/n for a round of n epochs (0.2)"),
        why="How often per epoch shards are combined and a checkpoint is written; auto keeps rounds to some minutes.",
    )
    lane_merge_tokens: int | Auto = key(
        "auto", rule=at_least(1), why="Tokens that each lane trains between two merges in memory."
    )
    combine: Literal["adasum", "mean"] = key(
        "adasum",
        why="adasum adds changes in different directions and averages changes in the same direction; mean averages "
        "all changes.",
    )

    @property
    def model(self) -> str:
        """skipgram or cbow."""
        return self.method.partition("-")[0]

    @property
    def loss(self) -> str:
        """ns, hs or softmax."""
        return self.method.partition("-")[2]

    def problems(self, config: Config) -> Iterator[Problem]:
        """Windows and buckets that do not fit the pieces, and keys that the model or the loss does not use."""
        encoded = config[EncodedConfig]
        if 0 < encoded.piece_tokens <= self.window:
            text = f"must be less than encoded.piece_tokens ({encoded.piece_tokens}), which no window crosses"
            yield "training.window", self.window, text
        shards = 1 if self.shards == "auto" else self.shards
        slices = shards * (1 if self.rounds_per_epoch == "auto" else max(1, round(self.rounds_per_epoch)))
        if encoded.buckets != "auto" and 0 < encoded.buckets < slices:
            text = f"must be at least shards x rounds_per_epoch ({slices}), or some of them train on nothing"
            yield "encoded.buckets", encoded.buckets, text
        if self.loss == "ns" and self.negatives == 0:
            yield "training.negatives", 0, f"must be at least 1 for training.method = {self.method}; 5 is usual"
        if self.loss != "ns" and self.negatives not in (0, "auto"):
            text = f'has no meaning for training.method = {self.method}; remove it, or choose "{self.model}-ns"'
            yield "training.negatives", self.negatives, text
        if self.rows == "slice" and (self.loss != "ns" or config[SubwordsConfig].enabled):
            text = "is for methods with -ns and without subwords, whose slices need few rows; remove it"
            yield "training.rows", self.rows, text
        if self.loss != "ns" and self.negative_pool not in (0, "auto"):
            text = f"has no meaning for training.method = {self.method}, which draws no negatives; remove it"
            yield "training.negative_pool", self.negative_pool, text
        if self.rows == "slice" and self.negative_pool == 0:
            yield "training.negative_pool", 0, "must be at least 1 for training.rows = slice; auto is usual"
        if self.model != "cbow" and self.cbow_gradient != "mean":
            text = f'has no meaning for training.method = {self.method}; remove it, or choose "cbow-{self.loss}"'
            yield "training.cbow_gradient", self.cbow_gradient, text


@dataclass(frozen=True, slots=True, kw_only=True)
class SubwordsConfig(Settings):
    """Words as the mean of their own vector and the vectors of their character n-grams, as in fastText."""

    section = "subwords"

    enabled: bool = key(
        False,
        why="true: a word is the mean of its own vector and the vectors of its character n-grams, so that unseen words "
        "have vectors too.",
    )
    min_length: int = key(
        3,
        rule=between(1, 100),
        why="Characters of the shortest n-gram; < and > mark a word's beginning and end.",
    )
    max_length: int = key(6, rule=between(1, 100), why="Characters of the longest n-gram.")
    buckets: int = key(
        2_000_000,
        rule=between(1, 2**31 - 1),
        why="How many buckets n-grams are hashed into; only those in use take memory.",
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Lengths that leave no n-gram, and AdaGrad, which does not work with subwords."""
        training = config[Word2VecTraining]
        if self.enabled and training.optimizer == "adagrad":
            text = "cannot be combined with subwords.enabled, which trains means of rows; choose one of them"
            yield "training.optimizer", training.optimizer, text
        if 100 >= self.min_length > self.max_length > 0:
            text = f"must not be greater than subwords.max_length ({self.max_length}); 3 and 6 are usual"
            yield "subwords.min_length", self.min_length, text


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStartConfig(Settings):
    """An earlier model to begin from."""

    section = "warm_start"

    path: str = key(
        "",
        why="Begin from an earlier model: an output folder of w2vspark, or a file in word2vec's or GloVe's format. "
        "current: the current version of this output; its first run begins from random values.",
    )
    format: Literal["auto", "w2vspark", "word2vec-text", "word2vec-binary", "glove-text"] = key(
        "auto", why="auto detects the format; or w2vspark, word2vec-text, word2vec-binary, glove-text."
    )
    learning_rate: float | Auto = key(
        "auto",
        rule=ABOVE_ZERO,
        why="Used instead of training.learning_rate; auto is half of that, because the words are trained already.",
    )
    keep_words: bool = key(
        True, why="true: words of the earlier model that this corpus does not have stay in the vocabulary."
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """Another earlier model, or words that go, while the current version's words are kept."""
        if config[VocabularyConfig].keep != CURRENT:
            return
        kept = 'while vocabulary.keep = "current" keeps the words of the current version'
        if self.path not in ("", CURRENT):
            yield "warm_start.path", self.path, f'must be "current" or "" {kept}'
        if not self.keep_words:
            yield "warm_start.keep_words", False, f"has no meaning {kept}; remove it"
