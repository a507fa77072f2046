"""As much of a Spark session as stages need whose tasks exchange files: they run one after another in this process.

What one slot would do, without its start; the tasks' order is drawn anew, since nothing may depend on it.
"""

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa


class Row(dict):
    """A collected row."""

    def asDict(self) -> dict[str, object]:
        return dict(self)


class Frame:
    """A lazy frame: what makes the batches of its tasks."""

    def __init__(self, session: "InlineSession", tasks: Callable[[], list[list[pa.RecordBatch]]]) -> None:
        self.sparkSession = session
        self._tasks = tasks

    def mapInArrow(self, function: Callable[..., Iterator[pa.RecordBatch]], schema: object) -> "Frame":
        def tasks() -> list[list[pa.RecordBatch]]:
            before = self.sparkSession.shuffled(self._tasks())
            return [list(function(iter(batches))) for batches in before]

        return Frame(self.sparkSession, tasks)

    def repartition(self, count: int, key: str) -> "Frame":
        def tasks() -> list[list[pa.RecordBatch]]:
            groups = defaultdict(list)
            for batch in (batch for batches in self._tasks() for batch in batches):
                groups[batch[key][0].as_py()].append(batch)
            return [self.sparkSession.shuffled(batches) for batches in groups.values()]

        return Frame(self.sparkSession, tasks)

    def collect(self) -> list[Row]:
        return [Row(row) for batches in self._tasks() for batch in batches for row in batch.to_pylist()]


class InlineSession:
    """The session."""

    def __init__(self) -> None:
        self._draw = random.Random(random.SystemRandom().random())
        self.conf = self

    def range(self, first: int, last: int, step: int, tasks: int) -> Frame:
        assert (first, step, tasks) == (0, 1, last), "a number a task"
        return Frame(self, lambda: [[pa.RecordBatch.from_pydict({"id": [number]})] for number in range(last)])

    def shuffled(self, items: list[Any]) -> list[Any]:
        return self._draw.sample(items, len(items))

    def get(self, key: str, default: str | None = None) -> str | None:
        return default

    def set(self, key: str, value: str) -> None:
        pass

    def unset(self, key: str) -> None:
        pass
