"""The trainer of word2vec's methods (training.trainer.Trainer)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from w2vspark.training.plan import MatrixShape, SliceSet
from w2vspark.training.trainer import Share
from w2vspark.training.word2vec.settings import Word2VecTraining
from w2vspark.training.word2vec.subwords import SubwordTables

if TYPE_CHECKING:
    from w2vspark.kernels.word2vec.arguments import Tables
    from w2vspark.training.lanes import Matrix, Slice


@dataclass(frozen=True, slots=True)
class Word2Vec:
    """One run's training, as plain values, with URIs for tables. Kernels are imported only when it trains."""

    training: Word2VecTraining  # resolved: no "auto"
    total_tokens: int  # of the whole run, all epochs
    shapes: tuple[MatrixShape, ...]  # inputs, outputs
    vocabulary_uri: str
    subwords: SubwordTables | None  # None: each word is its own row
    encoded_uri: str

    @property
    def shards(self) -> int:
        """Models that train side by side."""
        return int(self.training.shards)

    @property
    def lanes(self) -> int:
        """Copies of the rows within a shard."""
        return int(self.training.lanes)

    @property
    def combine(self) -> str:
        """adasum or mean."""
        return self.training.combine

    @property
    def cpu_target(self) -> str:
        """The CPU target for which kernels are compiled."""
        return self.training.cpu_target

    @property
    def sends_rows(self) -> bool:
        """Whether a worker holds only the rows of its slices."""
        return self.training.rows == "slice"

    def fill_initial(self, matrix: str, first: int, rows: npt.NDArray[np.float32]) -> None:
        """Fill words uniformly in +-0.5/D, and all others with 0, as in word2vec.c."""
        from w2vspark.training.word2vec.slices import fill_initial

        fill_initial(matrix, first, self.training, rows)

    def slices(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Iterator[tuple["Slice", "Tables"]]:
        """The shard's slices, each with its tables."""
        from w2vspark.training.word2vec.slices import slices_of

        return slices_of(shard, slice_sets, self)

    def share(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Share:
        """The shard's slices and pools, and the words in them."""
        from w2vspark.training.word2vec.slices import share_of

        return share_of(shard, slice_sets, self)

    def train(
        self, matrices: "list[Matrix]", slice: "Slice", beside: Any, slice_set: SliceSet, threads: int
    ) -> tuple[float, int]:
        """Train a slice; returns the loss and the number of its terms. beside: the slice's tables."""
        from w2vspark.training.word2vec.slices import train_slice

        of_run = slice_set.epoch, slice_set.start, slice_set.tokens, self.total_tokens
        loss, terms, _ = train_slice(matrices, beside, slice, self.training, *of_run, threads)
        return loss, terms

    def learning_rate(self, slice_set: SliceSet) -> float:
        """The rate at the end of a slice set."""
        from w2vspark.training.word2vec.slices import learning_rate

        return float(learning_rate(self.training, (slice_set.start + slice_set.tokens) / self.total_tokens))
