"""What GloVe trains when: shards that never meet in a row of the model, so that nothing is to be combined.

The counts are a grid of strata (training.glove.strata) with as many rows as columns. A shard owns neighbouring rows of
the grid, and with them its words. In each round of an epoch a shard trains other columns of the grid, until it has
trained all of them once; within a round the shard's lanes do the same. What is trained side by side
shares neither words nor contexts: the result is that of one machine that takes the strata one after another (Gemulla
et al. 2011, "Large-scale matrix factorization with distributed stochastic gradient descent").
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
        why="Pairs that are counted more often weigh 1, rarer ones (count / x_max) ** alpha; auto follows the corpus.",
    )
    alpha: float = key(0.75, rule=between(0, 2), why="How fast the weight falls.")
    vectors: Literal["sum", "words", "both"] = key(
        "sum",
        why="What table vectors has: the sum of word and context vectors, the word vectors alone (words), or both, as "
        "two columns.",
    )


EPOCHS, RATE = 25, 0.075
# x_max for so many tokens of text; it grows with their root. On wiki100 5 does best in sum: 10 gains .02 of Google's
# analogies and loses .02 of WordSim-353, 3 the other way round, and 100 loses much of both.
X_MAX, X_MAX_TOKENS, X_MAX_LIMIT = 5.0, 17_000_000, 100.0
# Of a shard in a round: some seconds of training, beside which a round's own second weighs little.
ROUND_RECORDS = 20_000_000
MOST_SHARDS = 32
LANES = 8  # of a single shard: as many threads can share its work, and lanes cost no quality
RECORD_BYTES = 9  # of a record in a worker's memory, with its share of a run's entry


@dataclass(frozen=True, slots=True)
class GloveRound:
    """What the shards train side by side; numbers begin at 1."""

    number: int
    epoch: int
    shift: int  # shard s trains the grid columns with the numbers of shard (s + shift) % shards


@dataclass(frozen=True, slots=True)
class GloveJob:
    """All that a task needs to know, as plain values."""

    training: RoundsTraining  # resolved
    glove: GloveConfig  # resolved
    round: GloveRound
    words: int
    ranges: tuple[tuple[int, int], ...]  # of each grid row: the first matrix row, and the one behind the last
    strata_uri: str
    parameters_uri: str | None  # the last round's; None = initial values
    table_uri: str  # the folder that takes this round's
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
    """Replace every `auto` by its value for so many tokens of text and records (entries of the counts)."""
    shards = training.shards
    if shards == "auto":  # a round of S shards has an S-th of each one's records
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
    """Memory that a worker needs at its peak. training: resolved. The rarer half of the words may be in one shard."""
    shards = int(training.shards)
    row = 4 * (2 * (training.dimensions + 1) + 24)
    rows = words if shards == 1 else words // 2 + words // shards
    return PROCESS_BYTES + int(2 * row * rows / (1 if shards == 1 else 2)) + RECORD_BYTES * records // shards**2
