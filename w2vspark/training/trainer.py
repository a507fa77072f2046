"""The interface of a trainer to the round engine: matrices, initial values, slices, and the training of a slice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from w2vspark.training.plan import MatrixShape, Round, SliceSet

if TYPE_CHECKING:  # a task receives its job before it pins the CPU target, and lanes imports kernels
    from w2vspark.training.lanes import Matrix, Slice


@dataclass(slots=True)
class Share:
    """A shard's slices in a round, and the rows that they need. A row's number is its position in `rows`."""

    rows: npt.NDArray[np.int64]  # the rows of every matrix that the slices need, rising
    slices: list[tuple["Slice", Any]]  # a slice's ids are positions in rows


class Trainer(Protocol):
    """A method's part of a round. It has plain values only, since tasks receive it before they may import kernels."""

    @property
    def shapes(self) -> tuple[MatrixShape, ...]:
        """The shapes of the matrices."""

    @property
    def shards(self) -> int:
        """Models that train side by side in a round."""

    @property
    def lanes(self) -> int:
        """Copies of the rows within a shard."""

    @property
    def combine(self) -> str:
        """The rule that combines changes, a key of kernels.combine.RULES."""

    @property
    def cpu_target(self) -> str:
        """The CPU target for which kernels are compiled."""

    @property
    def sends_rows(self) -> bool:
        """Whether a shard receives only the rows that its slices need. `share` says which rows these are."""

    def fill_initial(self, matrix: str, first: int, rows: npt.NDArray[np.float32]) -> None:
        """Write the initial values of rows first, first + 1, … of a matrix, float32 (n, width)."""

    def slices(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Iterator[tuple["Slice", Any]]:
        """The shard's slice of each set, with the other values that `train` needs."""

    def share(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Share:
        """The shard's slices, and the rows that they need."""

    def train(
        self, matrices: "list[Matrix]", slice: "Slice", beside: Any, slice_set: SliceSet, threads: int
    ) -> tuple[float, int]:
        """Train one slice, in place in the matrices' bases; returns the loss, and the number of terms in its sum.

        beside: the other values from `slices`.
        """

    def learning_rate(self, slice_set: SliceSet) -> float:
        """The rate at the end of a slice set."""


@dataclass(frozen=True, slots=True)
class RoundJob:
    """All that a task of a round needs to know, as plain values."""

    trainer: Trainer
    round: Round
    parameters_uri: str | None  # from the last round, or from an earlier model; None = initial values
    table_uri: str  # the folder for this round's table
    changes_uri: str  # the folder for the shards' changes, until they are combined
    reducers: tuple[int, ...]  # keys of the partitions that combine
    threads: int  # that a task may use; never changes the result
