"""The step and the published table cooccurrences, for methods that train on counts of neighbours."""

from typing import Any

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.base.schemas import COOCCURRENCES
from w2vspark.config.config import Config
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, StagedRows, Step, Table
from w2vspark.methods.advice import short_documents
from w2vspark.methods.corpus import bucket_tokens, chosen, target_settings
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages.cooccurrence_rows import scan_row_entries
from w2vspark.stages.cooccurrences import COUNTS, CooccurrencesConfig, cooccurrences, count_job
from w2vspark.training.settings import TrainingConfig


def cooccurrences_settings(config: Config) -> Chosen:
    """Settings: how neighbours are counted. The seed counts only with subsampling, which draws random numbers."""
    counts = config[CooccurrencesConfig]
    seed = {"seed": config[TrainingConfig].seed} if counts.subsample else {}
    return chosen(counts, "window", "weighting", "direction", "subsample") | seed | target_settings(config)


def make_cooccurrences(run: Run) -> dict[str, Any]:
    """Count how often words stand near each other."""
    uris = {
        "encoded_uri": run.uri("encoded"),
        "vocabulary_uri": run.uri("vocabulary"),
        "table_uri": run.uri("cooccurrences"),
        "partial_uri": storage.join(run.uri("cooccurrences"), "partial"),
    }
    training = run.config[TrainingConfig]
    job = count_job(run.config[CooccurrencesConfig], training.seed, training.cpu_target, bucket_tokens(run), uris)
    write_listed(cooccurrences(run.session(), job), job.table_uri)
    run.staging.delete_files(job.partial_uri)
    entries = sum(int(sizes.sum()) for _, sizes in scan_row_entries(job.table_uri))
    if entries == 0:
        raise InputError(
            "no two words of the vocabulary stand near each other, so there is nothing to train on; give longer "
            "documents, lower vocabulary.min_count or raise cooccurrences.window"
        )
    return {"entries": entries}


COOCCURRENCES_STEP = Step(
    "cooccurrences",
    ("vocabulary", "encoded", "bucket_counts"),
    cooccurrences_settings,
    make_cooccurrences,
    advice=short_documents,
    kernels=True,
)


def are_published(config: Config) -> bool:
    """Whether the counts are a published table."""
    return config[CooccurrencesConfig].publish


def cooccurrence_rows(run: Run) -> StagedRows:
    """The counts, as in staging."""
    return StagedRows(run.uri("cooccurrences"), COUNTS)


COOCCURRENCES_TABLE = Table(
    "cooccurrences",
    COOCCURRENCES,
    "how often two words stand near each other",
    cooccurrence_rows,
    wanted=are_published,
    when="`cooccurrences.publish` is true",
)
