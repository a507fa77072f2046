"""Measure this machine's rates, for --dry-run --cluster. The process of `w2vspark warm-up` calls it."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pyspark.sql import SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.schemas import WORDS
from w2vspark.config.config import Config
from w2vspark.flow.costs import MODEL, QUERY
from w2vspark.flow.measuring import kernel_rates, query_seconds, text_rates
from w2vspark.methods import METHODS, load_config
from w2vspark.stages.parameters import scan_blocks
from w2vspark.storage.listed import write_list
from w2vspark.training.settings import TrainingConfig

MEASURED = "rates.json"
BLOCKS, BLOCK_ROWS, COLUMNS = 6, 10_000, 100  # 24 MB


def measure(folder: str) -> None:
    """Measure this machine's rates in the Spark session that is there, and write them to FOLDER/MEASURED."""
    session = SparkSession.getActiveSession()
    assert session is not None  # the runs of the warm-up have started it
    path = Path(folder, "rates")
    path.mkdir()
    rates = {QUERY: query_seconds(session), MODEL: model_rate(path)}
    first = next(iter(METHODS.values()))
    for until, settings in (("encoded", []), ("phrases", ["phrases.thresholds=[100]"])):

        def config_with(more: list[str], settings: list[str] = settings) -> Config:
            return load_config(None, [*settings, *more])[1]

        rates |= text_rates(first, config_with, until, path, rates)
    cpu_target.pin(TrainingConfig().cpu_target)
    for method in METHODS.values():
        _, config = load_config(None, [f"training.method={method.name}", f"output.path={path}", "input.path=sample"])
        rates |= kernel_rates(method, config, path / method.name, rates)
    Path(folder, MEASURED).write_text(json.dumps(rates))


def model_rate(folder: Path) -> float:
    """Megabytes of a matrix that one core writes and reads again in a second."""
    from w2vspark.training.blocks import write_blocks

    block = np.random.default_rng(1).random((BLOCK_ROWS, COLUMNS), np.float32)

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        return ((number * BLOCK_ROWS, block) for number in range(BLOCKS))

    def write_and_read(uri: str) -> float:
        began = time.process_time()
        write_list(uri, write_blocks(uri, WORDS, blocks()).to_pylist())
        for _ in scan_blocks(uri, WORDS, 0, BLOCKS * BLOCK_ROWS):
            pass
        return time.process_time() - began

    write_and_read(str(folder / "first"))  # loads modules and kernels
    return BLOCKS * block.nbytes / 1e6 / write_and_read(str(folder / "model"))
