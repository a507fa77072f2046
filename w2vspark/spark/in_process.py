"""A substitute for a Spark session, for tasks that exchange files. They run one after another in this process."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import pyarrow as pa

T = TypeVar("T")


class Row(dict[str, Any]):
    """A collected row."""

    def asDict(self) -> dict[str, Any]:
        """The columns by name."""
        return dict(self)


class Frame:
    """A lazy frame. tasks: a function that makes the batches of each task."""

    def __init__(self, session: "InProcessSession", tasks: Callable[[], list[list[pa.RecordBatch]]]) -> None:
        self.sparkSession = session
        self._tasks = tasks

    def mapInArrow(self, function: Callable[..., Iterator[pa.RecordBatch]], _schema: object) -> "Frame":
        """A frame with what the function yields for the batches of each task."""

        def tasks() -> list[list[pa.RecordBatch]]:
            return [list(function(iter(batches))) for batches in self.sparkSession.ordered(self._tasks())]

        return Frame(self.sparkSession, tasks)

    def repartition(self, _count: int, key: str) -> "Frame":
        """A frame with a task for each value of a column. Each batch has one row."""

        def tasks() -> list[list[pa.RecordBatch]]:
            found = defaultdict(list)
            for batch in (batch for batches in self._tasks() for batch in batches):
                found[batch[key][0].as_py()].append(batch)
            return [self.sparkSession.ordered(batches) for batches in found.values()]

        return Frame(self.sparkSession, tasks)

    def collect(self) -> list[Row]:
        """All rows."""
        return [Row(row) for batches in self._tasks() for batch in batches for row in batch.to_pylist()]


class InProcessSession:
    """A session with one slot. settings: values that nothing can change."""

    def __init__(self, settings: Mapping[str, str] | None = None) -> None:
        self.conf = self
        self._settings = dict(settings or {})

    def range(self, _first: int, last: int, _step: int, _tasks: int) -> Frame:
        """A frame of numbers from 0, one for each task."""
        return Frame(self, lambda: [[pa.RecordBatch.from_pydict({"id": [number]})] for number in range(last)])

    def ordered(self, items: list[T]) -> list[T]:
        """The order in which tasks run, and in which rows reach a task. No result depends on it."""
        return items

    def get(self, key: str, default: str | None = None) -> str | None:
        """The value of a setting, or the default."""
        return self._settings.get(key, default)

    def set(self, key: str, value: str) -> None:
        """Settings change nothing."""

    def unset(self, key: str) -> None:
        """Settings change nothing."""
