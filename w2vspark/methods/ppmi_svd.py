"""PPMI and SVD: a singular value decomposition of words' pointwise mutual information (Levy, Goldberg & Dagan 2015)."""

from typing import Any

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.base.schemas import LEFT, RIGHT, VECTORS
from w2vspark.config.config import Config
from w2vspark.flow.costs import Cost
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Method, Needed, Step, Table
from w2vspark.methods import corpus, kept_words
from w2vspark.methods.corpus import chosen, target_settings, words_count
from w2vspark.methods.costs import (
    cooccurrences_cost,
    corpus_costs,
    count_files,
    guessed_entries,
    svd_cost,
    version_cost,
)
from w2vspark.methods.counts import COOCCURRENCES_STEP, COOCCURRENCES_TABLE
from w2vspark.methods.decomposed import (
    AUTO,
    SINGULAR_VALUES_TABLE,
    decomposed,
    facts,
    needed_with,
    resolved,
    rows_of_words,
    small_sample,
    svd_settings,
    svd_summary,
    tiny,
)
from w2vspark.methods.gate import SCORES_TABLE, VECTORS_GATE
from w2vspark.methods.next_commands import of_words
from w2vspark.methods.report import LOOK
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import TaskRows, write_listed
from w2vspark.stages.cooccurrences import CooccurrencesConfig
from w2vspark.stages.ppmi import PPMI, PpmiConfig, PpmiJob, column_sums, ppmi
from w2vspark.stages.sparse_rows import block_entries
from w2vspark.training.settings import TrainingConfig
from w2vspark.training.svd.plan import SvdConfig

EXPONENT = 0.5  # svd.exponent for `auto` (tests/bench/svd.py)


def ppmi_settings(config: Config) -> Chosen:
    """Settings: how pointwise mutual information is computed from the counts."""
    return chosen(config[PpmiConfig], "smoothing", "shift", "positive") | target_settings(config)


def make_ppmi(run: Run) -> dict[str, Any]:
    """Compute the pointwise mutual information from the counts."""
    symmetric = run.config[CooccurrencesConfig].direction == "symmetric"
    config, uri = run.config[PpmiConfig], run.uri("ppmi")
    job = PpmiJob(
        config=config,
        cpu_target=run.config[TrainingConfig].cpu_target,
        words=words_count(run),
        counts_uri=run.uri("cooccurrences"),
        columns_uri="" if symmetric else storage.join(uri, "columns"),
        table_uri=uri,
    )
    if job.columns_uri:
        write_listed(column_sums(run.session(), job), job.columns_uri)
    write_listed(ppmi(run.session(), job), job.table_uri)
    if job.columns_uri:
        run.staging.delete_files(job.columns_uri)
    entries = int(block_entries(job.table_uri, PPMI)[1].sum())
    if not entries:
        raise InputError(
            f"no two words stand together more often than ppmi.shift = {config.shift:g} times chance; "
            "lower ppmi.shift, set ppmi.positive to false, or give more text"
        )
    return {"entries": entries}


def make_svd(run: Run) -> dict[str, Any]:
    """Decompose the table ppmi."""
    return decomposed(run, "ppmi", PPMI, words_count(run), EXPONENT)


def vector_settings(config: Config) -> Chosen:
    """Settings: whether context vectors are added."""
    return chosen(config[PpmiConfig], "add_context")


def vector_rows(run: Run) -> TaskRows:
    """The word vectors, or the sums of word and context vectors."""
    return rows_of_words(run, [LEFT, RIGHT] if run.config[PpmiConfig].add_context else [LEFT])


def context_rows(run: Run) -> TaskRows:
    """The context vectors."""
    return rows_of_words(run, [RIGHT])


def summary(version: Version) -> list[str]:
    """Lines about the corpus and the decomposition."""
    return [*corpus.summary(version), svd_summary(version)]


def needed(run: Run) -> Needed:
    """The settings and the memory for the size of the corpus."""
    return needed_with(run, EXPONENT)


def costs(run: Run) -> list[Cost]:
    """What the steps cost: the text's, the counts', and the decomposition's. Every entry may have a positive PMI."""
    tokens, words, _ = corpus.guessed_size(run)
    counted, entries = corpus.counted_record(run, "ppmi"), guessed_entries(run, tokens)
    positive, dimensions = counted["entries"] if counted else entries, run.config[TrainingConfig].dimensions
    svd = needed(run).config[SvdConfig]
    return [
        *corpus_costs(run, tokens),
        cooccurrences_cost(run, tokens),
        Cost("ppmi", "ppmi", entries / 1e6, "M entries", count_files(run, tokens), queries=1),
        svd_cost(words, words, positive, dimensions + int(svd.oversampling), svd),
        version_cost(2 * words * dimensions * 4 / 1e6, len(list(run.work.tables(run.config)))),
    ]


PPMI_SVD = Method(
    name="ppmi-svd",
    help="SVD of positive pointwise mutual information: for ten million words or more, trained in a minute",
    settings=(*corpus.SETTINGS, TrainingConfig, CooccurrencesConfig, PpmiConfig, SvdConfig, *corpus.LAST_SETTINGS),
    sources=corpus.sources,
    asked=corpus.ASKED,
    steps=(
        *kept_words.STEPS,
        COOCCURRENCES_STEP,
        Step("ppmi", ("vocabulary", "cooccurrences"), ppmi_settings, make_ppmi, kernels=True),
        Step("svd", ("vocabulary", "ppmi"), svd_settings, make_svd, kernels=True),
    ),
    publishes=(
        Table("vectors", VECTORS, "a word's vector", vector_rows, words_count, settings=vector_settings),
        Table("context", VECTORS, "a word's vector as a context", context_rows, words_count),
        SINGULAR_VALUES_TABLE,
        corpus.PHRASES_TABLE,
        COOCCURRENCES_TABLE,
        corpus.VOCABULARY_TABLE,
        kept_words.UNITS_TABLE,
        SCORES_TABLE,
        *LOOK,
    ),
    resolved=resolved,
    facts=facts,
    summary=summary,
    next_commands=of_words,
    gate=VECTORS_GATE,
    needed=needed,
    costs=costs,
    sample=small_sample,
    tiny=tiny,
    auto=AUTO | {"svd.exponent": str(EXPONENT)},
    warm_up={},
)
