"""GloVe's plan: which strata each shard trains in each round. Shards share no rows, so nothing is combined.

The counts are a square grid of strata (training.glove.strata). A shard owns neighbouring rows of the grid, and their
words. In each round of an epoch it trains other columns of the grid, until it has trained every column once. Within a
round, the shard's lanes do the same. Strata that are trained side by side share neither words nor contexts. So the
result is the same as if one machine trained one stratum after another (Gemulla et al. 2011, "Large-scale matrix
factorization with distributed stochastic gradient descent").
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

from w2vspark.config.keys import ABOVE_ZERO, Auto, Settings, between, key
from w2vspark.spark.session import PROCESS_BYTES
from w2vspark.training.plan import shuffled
from w2vspark.training.settings import RoundsTraining


@dataclass(frozen=True, slots=True, kw_only=True)
class GloveConfig(Settings):
    """GloVe (Pennington et al. 2014)."""

    section = "glove"

    x_max: float | Auto = key(
        "auto",
        rule=ABOVE_ZERO,
        why="Pairs with a higher count have weight 1, others (count / x_max) ** alpha; auto depends on the corpus.",
    )
    alpha: float = key(0.75, rule=between(0, 2), why="How fast the weight falls for rarer pairs.")
    vectors: Literal["sum", "words", "both"] = key(
        "sum",
        why="The contents of table vectors: the sum of word and context vectors (sum), the word vectors alone (words), "
        "or both in two columns (both).",
    )


EPOCHS, RATE = 25, 0.075
# x_max is X_MAX for X_MAX_TOKENS tokens of text, and grows with the square root of the tokens, up to X_MAX_LIMIT. On
# wiki100, 5 is best overall: 10 gains .02 on Google's analogies and loses .02 on WordSim-353, 3 does the opposite, and
# 100 loses much on both.
X_MAX, X_MAX_TOKENS, X_MAX_LIMIT = 5.0, 17_000_000, 100.0
# Records of a shard in a round. They take some seconds, so the extra second that each round costs matters little.
ROUND_RECORDS = 20_000_000
MOST_SHARDS = 32
LANES = 8  # of a single shard: eight threads can share its work, and lanes cost no quality
RECORD_BYTES = 9  # of a record in a worker's memory, with its share of a run's entry


@dataclass(frozen=True, slots=True)
class GloveRound:
    """One round of all shards; numbers begin at 1."""

    number: int
    epoch: int
    shift: int  # shard s trains the grid columns that have the numbers of the grid rows of shard (s + shift) % shards


@dataclass(frozen=True, slots=True)
class GloveJob:
    """All that a task needs to know, as plain values."""

    training: RoundsTraining  # resolved
    glove: GloveConfig  # resolved
    round: GloveRound
    words: int
    ranges: tuple[tuple[int, int], ...]  # for each grid row, the first matrix row and one past the last
    strata_uri: str
    parameters_uri: str | None  # from the last round; None = initial values
    table_uri: str  # the folder for this round's table
    threads: int  # that this task may use; never changes the result

    @property
    def lanes(self) -> int:
        """Grid rows of a shard, and grid columns that it trains in a round."""
        return int(self.training.lanes)

    def grid_rows(self, shard: int) -> list[int]:
        """The grid rows that a shard owns."""
        return [shard * self.lanes + lane for lane in range(self.lanes)]

    def grid_columns(self, shard: int) -> list[int]:
        """The grid columns that a shard trains in this round."""
        return self.grid_rows((shard + self.round.shift) % int(self.training.shards))

    def strata(self, shard: int) -> list[tuple[int, int]]:
        """All strata of a shard in this round: (grid row, grid column)."""
        return [(row, column) for row in self.grid_rows(shard) for column in self.grid_columns(shard)]


def resolve_glove(
    training: RoundsTraining, glove: GloveConfig, tokens: int, records: int
) -> tuple[RoundsTraining, GloveConfig]:
    """Replace every `auto` by its value. tokens: of the text. records: entries of the counts."""
    shards = training.shards
    if shards == "auto":  # with S shards, each shard trains 1/S of its records in a round
        shards = min(MOST_SHARDS, max(1, math.isqrt(records // ROUND_RECORDS)))
    lanes = max(1, LANES // int(shards)) if training.lanes == "auto" else training.lanes
    x_max = glove.x_max
    if x_max == "auto":
        x_max = min(X_MAX_LIMIT, max(1.0, round(X_MAX * math.sqrt(tokens / X_MAX_TOKENS), 1)))
    chosen = replace(
        training,
        shards=shards,
        lanes=lanes,
        epochs=EPOCHS if training.epochs == "auto" else training.epochs,
        learning_rate=RATE if training.learning_rate == "auto" else training.learning_rate,
    )
    return chosen, replace(glove, x_max=x_max)


def plan_glove(training: RoundsTraining) -> list[GloveRound]:
    """All rounds of a run. training: resolved."""
    shards = int(training.shards)
    order = [
        (epoch, shift) for epoch in range(int(training.epochs)) for shift in shuffled(shards, training.seed, epoch)
    ]
    return [GloveRound(number, epoch, shift) for number, (epoch, shift) in enumerate(order, 1)]


def glove_worker_bytes(training: RoundsTraining, words: int, records: int) -> int:
    """Bytes that a worker needs at its peak. training: resolved. One shard may have the rarer half of the words."""
    shards = int(training.shards)
    row = 4 * (2 * (training.dimensions + 1) + 24)
    rows = words if shards == 1 else words // 2 + words // shards
    return PROCESS_BYTES + int(2 * row * rows / (1 if shards == 1 else 2)) + RECORD_BYTES * records // shards**2
