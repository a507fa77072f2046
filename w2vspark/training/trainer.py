"""What a trainer tells the round engine: its matrices, their initial values, its slices, and how to train one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from w2vspark.training.plan import MatrixShape, Round, SliceSet

if TYPE_CHECKING:  # tasks are sent jobs before they pin the target, and lanes needs kernels
    from w2vspark.training.lanes import Matrix, Slice


@dataclass(slots=True)
class Share:
    """What a shard trains with in a round: its slices, with rows numbered from 0 as `rows` lists them."""

    rows: npt.NDArray[np.int64]  # rising: of every matrix, those that all its slices need
    slices: list[tuple["Slice", Any]]  # a slice's ids are positions in rows


class Trainer(Protocol):
    """A method's part of a round. Plain values: every task gets it, before any kernel may be imported."""

    @property
    def shapes(self) -> tuple[MatrixShape, ...]:
        """The matrices."""

    @property
    def shards(self) -> int:
        """Models that train side by side in a round."""

    @property
    def lanes(self) -> int:
        """Copies of the rows within a shard."""

    @property
    def combine(self) -> str:
        """The rule by which changes are combined, of kernels.combine."""

    @property
    def cpu_target(self) -> str:
        """What kernels are compiled for."""

    @property
    def sends_rows(self) -> bool:
        """Whether a shard gets the rows that its slices need, and no others; then `share` says which."""

    def fill_initial(self, matrix: str, first: int, rows: npt.NDArray[np.float32]) -> None:
        """Write the initial values of rows first, first + 1, … of a matrix, float32 (n, width)."""

    def slices(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Iterator[tuple["Slice", Any]]:
        """The shard's slice of each set, with whatever `train` needs beside it."""

    def share(self, shard: int, slice_sets: tuple[SliceSet, ...]) -> Share:
        """As slices, with the rows that they need."""

    def train(
        self, matrices: "list[Matrix]", slice: "Slice", beside: Any, slice_set: SliceSet, threads: int
    ) -> tuple[float, int]:
        """Train one slice, in place in the matrices' bases; the loss, and of how many terms it is the sum."""

    def learning_rate(self, slice_set: SliceSet) -> float:
        """The rate at the end of a slice set."""


@dataclass(frozen=True, slots=True)
class RoundJob:
    """All that a task of a round needs to know, as plain values."""

    trainer: Trainer
    round: Round
    parameters_uri: str | None  # the last round's, or an earlier model's; None = initial values
    table_uri: str  # the folder that takes this round's
    changes_uri: str  # the folder that takes the shards' changes until they are combined
    reducers: tuple[int, ...]  # keys of the partitions that combine
    threads: int  # that a task may use; never changes the result
