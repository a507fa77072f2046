"""Measure this machine's rates, for --dry-run --cluster. The process of `w2vspark warm-up` calls it."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import SparkSession

from w2vspark.base import cpu_target
from w2vspark.base.errors import EnvironmentFailure
from w2vspark.base.schemas import WORDS
from w2vspark.config.config import Config
from w2vspark.flow.costs import MODEL, QUERY
from w2vspark.flow.engine import begin
from w2vspark.flow.measuring import kernel_rates, query_seconds, text_rates
from w2vspark.flow.progress import Progress
from w2vspark.flow.work import VERSION
from w2vspark.methods import METHODS, load_config
from w2vspark.output import publish
from w2vspark.stages.parameters import scan_blocks
from w2vspark.storage.listed import write_list
from w2vspark.training.settings import TrainingConfig

TEXT, MEASURED = "text.txt", "rates.json"  # files in the warm-up's folder
COLD, PROBLEM = "cold", "problem"
TEXTS, PHRASE_TEXTS = (200_000, 2_000_000), (100_000, 500_000)  # tokens; some seconds of work
BLOCKS, BLOCK_ROWS, COLUMNS = 6, 10_000, 100  # 24 MB


def measure(folder: str) -> None:
    """Measure this machine's rates in the Spark session that is there, and write them to FOLDER/MEASURED.

    If other programs disturb the measurement, the file has only PROBLEM.
    """
    try:
        found: dict[str, Any] = _rates(Path(folder))
    except EnvironmentFailure as problem:
        found = {PROBLEM: str(problem)}
    Path(folder, MEASURED).write_text(json.dumps(found))


def _rates(folder: Path) -> dict[str, float]:
    session = SparkSession.getActiveSession()
    assert session is not None  # the runs of the warm-up have started it
    path = folder / "rates"
    path.mkdir()
    rates = {QUERY: query_seconds(session), MODEL: model_rate(path)}
    first = next(iter(METHODS.values()))
    for until, texts, settings in (("encoded", TEXTS, []), ("phrases", PHRASE_TEXTS, ["phrases.thresholds=[100]"])):

        def config_with(more: list[str], settings: list[str] = settings) -> Config:
            return load_config(None, [*settings, *more])[1]

        rates |= text_rates(first, config_with, until, texts, path, rates)
    cpu_target.pin(TrainingConfig().cpu_target)
    for method in METHODS.values():
        _, config = load_config(None, [f"training.method={method.name}", f"output.path={path}", "input.path=sample"])
        rates |= kernel_rates(method, config, path / method.name, rates)
    return rates | {COLD: cold_seconds(folder, rates)}


def cold_seconds(folder: Path, rates: dict[str, float]) -> float:
    """What the first run's steps without kernels took longer than the rates say: a JVM is slow at first.

    folder: with the text and the output of the warm-up's runs.
    """
    first, config = load_config(None, [f"input.path={folder / TEXT}", f"output.path={folder / 'cold'}"])
    run = begin(first, config, Progress(io.StringIO()))
    assert first.costs is not None
    without_kernels = {step.table for step in run.steps if not step.kernels} - {VERSION}
    expected = sum(cost.seconds(rates, 1, 1) for cost in first.costs(run) if cost.table in without_kernels)
    # The last run's manifest has them too: it used the tables of the first run.
    seconds = publish.resolve(str(folder / "output")).manifest["seconds"]
    return float(max(0.0, sum(seconds[table] for table in without_kernels) - expected))


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
