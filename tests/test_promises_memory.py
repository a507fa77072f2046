"""Memory of training a large model, and of publishing a model with subwords: the benchmarks, as tests."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).with_name("bench") / "memory.py"
PUBLISHING = Path(__file__).with_name("bench") / "subword_publishing.py"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_model_of_more_than_a_gigabyte_needs_little_memory_on_the_driver(tmp_path: Path) -> None:
    figures = tmp_path / "memory.json"
    # It runs with spark.driver.maxResultSize=10m and fails when more than 10 MB of results reach the driver.
    command = [sys.executable, str(BENCHMARK), "--only", "large", "--json", str(figures)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert figures.exists(), run.stdout + run.stderr
    (tables,) = json.loads(figures.read_text())["tables"].values()
    (row,) = tables
    assert row["model"] > 1000
    assert row["driver"] < 400
    assert 0 < row["worker"] <= (row["lanes"] + 2) * row["model"] + 2 * 4e-6 * row["tokens"] + 400
    assert abs(row["estimate"] / row["worker"] - 1) <= 0.25
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_task_that_publishes_a_model_with_subwords_keeps_to_its_estimate(tmp_path: Path) -> None:
    figures = tmp_path / "publishing.json"
    # 100,000 words and 200,000 buckets, with a tenth of the memory bounds.
    command = [sys.executable, str(PUBLISHING), "--scale", "10", "--json", str(figures)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    (tables,) = json.loads(figures.read_text())["tables"].values()
    (row,) = tables
    assert row["words"] == 100_000 and row["buckets in use"] > 190_000
    assert 0 < row["worker, MB"] <= row["estimate, MB"]
