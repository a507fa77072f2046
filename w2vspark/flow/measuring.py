"""Measure this machine's rates for the costs that works state. `w2vspark warm-up` does this."""

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base.errors import EnvironmentFailure
from w2vspark.config.config import Config
from w2vspark.flow.compiling import TINY, Held, make_tiny_tables
from w2vspark.flow.costs import MODEL
from w2vspark.flow.engine import begin, perform
from w2vspark.flow.identity import steps_of
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.work import Step, Work
from w2vspark.output.staging import Staging
from w2vspark.spark.in_process import InProcessSession

THREADS = min(8, os.cpu_count() or 1)  # all cores work while a rate is measured, as in a run
QUERIES = 3
Texts = tuple[int, int]  # tokens of a smaller and of a larger text
TEXT_WORDS, LINE_TOKENS = 70_000, 500  # as many words as a text of this size has


def query_seconds(session: SparkSession) -> float:
    """The least seconds of a query with a shuffle and Python on both sides of it, and with almost no rows."""
    seconds = []
    for _ in range(QUERIES):
        began = time.perf_counter()
        session.range(0, 1, 1, 1).mapInArrow(_same, "id long").repartition(1, "id").mapInArrow(
            _same, "id long"
        ).collect()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def kernel_rates(work: Work, config: Config, folder: Path, known: Mapping[str, float]) -> dict[str, float]:
    """The rates of the steps with kernels whose rates are not known yet, from a sample that the work makes.

    The steps run in this process, without Spark. CPU seconds count, so that other programs disturb little.
    """
    if work.sample is None or work.costs is None:
        return {}
    kernels = [step.table for step in steps_of(work, config) if step.kernels]
    make_tiny_tables(work, config, kernels, str(folder / TINY))  # loads the kernels
    session = InProcessSession({"spark.task.cpus": str(THREADS)})
    staging = Staging(str(folder), Held())
    run = Run(work, config, str(folder), Progress(io.StringIO()), staging, started_session=session)  # type: ignore[arg-type]
    work.sample(run)
    steps = steps_of(work, run.config)[:-1]
    run.fingerprints = dict.fromkeys((step.table for step in steps), TINY)
    found: dict[str, float] = {}
    for step in steps:
        if not step.kernels or step.table in run.records:
            continue
        attempt = run.uris[step.table] = run.staging.begin(step.table, TINY)
        began = time.process_time()
        run.add_table(step.table, attempt, step.make(run))
        seconds = time.process_time() - began
        costs = [cost for cost in work.costs(run) if cost.table == step.table and cost.amount]
        seconds -= sum(cost.amount / known[cost.rate] for cost in costs if cost.rate == MODEL)
        found |= {cost.rate: _rate(cost.rate, cost.amount, seconds) for cost in costs if cost.rate not in known}
    return found


def text_rates(
    work: Work,
    config_with: Callable[[list[str]], Config],
    until: str,
    texts: Texts,
    folder: Path,
    known: Mapping[str, float],
) -> dict[str, float]:
    """The rates of the steps without kernels up to `until`: what the larger of two texts takes longer than the smaller.

    So the rates hold no fixed cost of Spark. Seconds are CPU seconds of this process and all that it started, where the
    system tells them, else wall seconds. config_with: the configuration with settings as "table.key=value".
    """
    assert work.costs is not None
    amounts: list[dict[str, float]] = []
    seconds: list[dict[str, float]] = []
    for number, tokens in enumerate((texts[0], *texts)):  # the first run is not measured: the JVM is slow at first
        output = folder / f"{until}-{number}"
        text = folder / f"{tokens}.txt"
        if not text.exists():
            _write_text(text, tokens)
        config = config_with([f"input.path={text}", f"output.path={output}"])
        run = begin(work, config, Progress(io.StringIO()), until=until)
        of_steps = _time_steps(run)
        perform(run)
        if not number:
            continue
        amounts.append({cost.rate: cost.amount for cost in work.costs(run) if cost.table in run.made and cost.amount})
        seconds.append({cost.rate: of_steps[cost.table] for cost in work.costs(run) if cost.table in run.made})
    found = {}
    for name in amounts[1].keys() - known.keys():
        found[name] = _rate(name, amounts[1][name] - amounts[0][name], seconds[1][name] - seconds[0][name])
    return found


def _time_steps(run: Run) -> dict[str, float]:
    """CPU seconds of the run's steps by table, once they are made."""

    def timed(step: Step) -> Step:
        def make(run: Run) -> dict[str, Any]:
            run.session()
            began = _cpu_seconds()
            record = step.make(run)
            found[step.table] = _cpu_seconds() - began
            return record

        return replace(step, make=make)

    found: dict[str, float] = {}
    run.steps = tuple(map(timed, run.steps))
    return found


def _cpu_seconds() -> float:
    """CPU seconds so far of this process and all that it started; wall seconds where there is no /proc."""
    processes = Path("/proc")
    if not (processes / "self" / "stat").exists():
        return time.perf_counter()
    parents, ticks = {}, {}
    for path in processes.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            fields = path.read_text().rpartition(")")[2].split()  # from the third field on
            parents[int(path.parent.name)] = int(fields[1])
            ticks[int(path.parent.name)] = sum(map(int, fields[11:15]))  # its own, and of ended children
    family, waiting = set(), [os.getpid()]
    while waiting:
        one = waiting.pop()
        family.add(one)
        waiting += [child for child, parent in parents.items() if parent == one]
    return sum(ticks.get(one, 0) for one in family) / os.sysconf("SC_CLK_TCK")


def _rate(name: str, amount: float, seconds: float) -> float:
    if seconds <= 0:
        raise EnvironmentFailure(
            f"the rate of {name} cannot be measured, because other programs disturb it; run w2vspark warm-up again "
            "on an idle machine"
        )
    return amount / seconds


def _write_text(path: Path, tokens: int) -> None:
    """Write a text whose words are as frequent as in a language, by Zipf's law."""
    words = np.array([f"w{number}" for number in range(TEXT_WORDS)], object)
    text = words[zipf_ids(TEXT_WORDS, tokens)].reshape(-1, LINE_TOKENS)
    path.write_text("".join(f"{' '.join(line)}\n" for line in text.tolist()))


def zipf_ids(words: int, tokens: int) -> np.ndarray:
    """Random ids of words, int64 (tokens,): word i has the share 1 / (i + 1) of word 0. The same in every call."""
    cumulative = np.cumsum(1.0 / np.arange(1, words + 1))
    drawn = np.random.default_rng(1).random(tokens) * cumulative[-1]
    return np.asarray(np.searchsorted(cumulative, drawn), np.int64)


def _same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    return batches
