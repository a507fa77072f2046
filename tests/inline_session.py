"""The session that runs tasks in this process, in a new random order at each call: no result may depend on it."""

import random

from w2vspark.spark.in_process import InProcessSession, T


class InlineSession(InProcessSession):
    """The session."""

    def __init__(self) -> None:
        super().__init__()
        self._draw = random.Random(random.SystemRandom().random())

    def range(self, first: int, last: int, step: int, tasks: int):
        assert (first, step, tasks) == (0, 1, last), "a number a task"
        return super().range(first, last, step, tasks)

    def ordered(self, items: list[T]) -> list[T]:
        return self._draw.sample(items, len(items))
