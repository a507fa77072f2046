"""The tasks of running queries on classic Spark. tests/flow/test_progress.py has Spark Connect's way."""

import threading
import time
from collections.abc import Iterator

import pyarrow as pa

from w2vspark.spark.task_counts import TaskCounts


def test_done_and_all_tasks_of_a_query_are_counted_while_it_runs_and_afterwards(spark, tmp_path):
    gate = tmp_path / "gate"

    def wait(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            while batch["id"][0].as_py() == 2 and not gate.exists():  # the last one of three tasks
                time.sleep(0.01)
            yield batch

    counts = TaskCounts(spark)
    assert counts.read() == (0, 0)
    counts.start()
    assert counts.read() == (0, 0)
    query = spark.range(0, 3, 1, 3).mapInArrow(wait, "id long")
    thread = threading.Thread(target=query.collect)
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while counts.read() != (2, 3):
            assert time.monotonic() < deadline, counts.read()
            time.sleep(0.02)
    finally:
        gate.touch()
        thread.join()
    while counts.read() != (3, 3):  # Spark tells of a job's end a moment later
        assert time.monotonic() < deadline
    counts.reset()
    assert counts.read() == (0, 0)
    counts.end()
    assert counts.read() == (0, 0)
