"""What methods with a singular value decomposition share: the step svd, its tables, settings and reports."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import pyarrow as pa

from w2vspark.base.schemas import SINGULAR_VALUES
from w2vspark.config.config import Config
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Needed, Table
from w2vspark.methods import corpus
from w2vspark.methods.corpus import chosen, target_settings, words_count
from w2vspark.methods.sample import sample
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.vectors import matrix_rows, summed_rows, vectors
from w2vspark.training.settings import TrainingConfig
from w2vspark.training.svd.decomposition import decompose
from w2vspark.training.svd.plan import SvdConfig, SvdJob, resolved_svd, svd_worker_bytes

AUTO = {"svd.oversampling": "a tenth of the dimensions, at least 10", "svd.power_iterations": "3"}


def svd_settings(config: Config) -> Chosen:
    """Settings of the decomposition. The method decides the values of `auto`."""
    training = config[TrainingConfig]
    return chosen(training, "method", "dimensions", "seed") | {"svd": config[SvdConfig]} | target_settings(config)


def decomposed(run: Run, table: str, matrix: str, rows: int, exponent: float) -> dict[str, Any]:
    """Decompose a sparse matrix; returns the record of the step svd, with the singular values and the vectors' place.

    table, matrix: the matrix's table, and its name there. It has `rows` rows, and a column for each word. exponent: the
    value of svd.exponent for `auto`.
    """
    training = run.config[TrainingConfig]
    job = SvdJob(
        matrix_uri=run.uri(table),
        matrix=matrix,
        rows=rows,
        columns=words_count(run),
        dimensions=training.dimensions,
        settings=resolved_svd(training.dimensions, run.config[SvdConfig], exponent),
        seed=training.seed,
        cpu_target=training.cpu_target,
    )
    run.log_resolved(job.settings)

    def done(number: int, passes: int, _: dict[str, Any]) -> None:
        run.progress.part("pass", number, passes)

    uri, values = decompose(run.session(), run.staging, run.fingerprints["svd"], job, done)
    return {
        "at": run.staging.relative(uri),
        "singular_values": values,
        "width": job.width,
        "svd": asdict(job.settings),
    }


def rows_of_words(run: Run, matrices: Iterable[str]) -> TaskRows:
    """Words with their vectors: the sums of their rows in some matrices of singular vectors."""
    dimensions = run.config[TrainingConfig].dimensions
    rows = summed_rows([matrix_rows(run.uri("svd"), matrix, dimensions) for matrix in matrices])
    return vectors(run.session(), rows, run.uri("vocabulary"), words_count(run), dimensions)


def value_rows(run: Run) -> pa.Table:
    """The singular values, the largest first."""
    values = run.records["svd"]["singular_values"]
    return pa.table({"dimension": range(len(values)), "value": values}, SINGULAR_VALUES)


SINGULAR_VALUES_TABLE = Table("singular_values", SINGULAR_VALUES, "a singular value, the largest first", value_rows)


def resolved(run: Run) -> Config:
    """The settings without `auto`."""
    return corpus.resolved(run).replaced(SvdConfig(**run.records["svd"]["svd"]))


def facts(run: Run) -> dict[str, Any]:
    """As corpus.facts, with the first singular values and the width of the projection."""
    record = run.records["svd"]
    return corpus.facts(run) | {"svd": {"width": record["width"], "values": record["singular_values"][:4]}}


def svd_summary(version: Version) -> str:
    """A line about the decomposition."""
    config, found = version.manifest["config"], version.manifest["svd"]
    values, training = found["values"], config["training"]
    first = ", ".join(f"{value:.4g}" for value in values[:3]) + (", …" if len(values) > 3 else "")
    return (
        f"training    {training['method']}, {training['dimensions']} dimensions; random projection to "
        f"{found['width']}, {config['svd']['power_iterations']} power iterations, singular values {first}"
    )


def tiny(run: Run) -> None:
    """As corpus.tiny, with fewer dimensions than the tiny corpus has words."""
    corpus.tiny(run)
    run.config = run.config.replaced(replace(run.config[TrainingConfig], dimensions=4), SvdConfig())


def needed_with(run: Run, exponent: float) -> Needed:
    """The settings and the memory for the size of the corpus. exponent: the value of svd.exponent for `auto`."""
    tokens, words, source = corpus.guessed_size(run)
    dimensions = run.config[TrainingConfig].dimensions
    svd = resolved_svd(dimensions, run.config[SvdConfig], exponent)
    width = dimensions + int(svd.oversampling)
    worker = f"a worker of the SVD {svd_worker_bytes(words, width) / 1e6:,.0f} MB of Python memory"
    memory = f"model {4 * words * width / 1e6:,.0f} MB; {worker}"
    bytes_of_worker = svd_worker_bytes(words, width)
    return Needed(run.config.replaced(svd), corpus.memory_of(tokens, words, source, memory), bytes_of_worker)


def small_sample(run: Run) -> None:
    """A sample corpus, and a decomposition in two passes."""
    sample(run)
    run.config = run.config.replaced(replace(run.config[SvdConfig], power_iterations=0))
