"""GloVe: vectors whose products approximate the logarithms of counts (Pennington, Socher & Manning 2014)."""

from dataclasses import asdict, replace
from functools import partial
from typing import Any

import pyarrow as pa

from w2vspark.base.schemas import BIASES, VECTORS, VECTORS_AND_CONTEXT, WORDS
from w2vspark.config.config import Config
from w2vspark.flow.costs import MODEL, Cost
from w2vspark.flow.measuring import THREADS
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Method, Needed, Step, Table
from w2vspark.methods import corpus, kept_words
from w2vspark.methods.corpus import chosen, target_settings, words_count
from w2vspark.methods.costs import cooccurrences_cost, corpus_costs, count_files, guessed_entries, version_cost
from w2vspark.methods.counts import COOCCURRENCES_STEP, COOCCURRENCES_TABLE
from w2vspark.methods.gate import SCORES_TABLE, VECTORS_GATE
from w2vspark.methods.next_commands import of_words
from w2vspark.methods.report import LOOK
from w2vspark.methods.rounds import METRICS_TABLE, round_done, rounds_summary, training_memory
from w2vspark.methods.sample import sample
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import TaskRows, write_listed
from w2vspark.stages.cooccurrences import CooccurrencesConfig
from w2vspark.stages.vectors import RowSource, matrix_rows, summed_rows, vectors
from w2vspark.training.glove.biases import biases
from w2vspark.training.glove.plan import GloveConfig, GloveJob, GloveRound, glove_worker_bytes, resolve_glove
from w2vspark.training.glove.rounds import run_glove
from w2vspark.training.glove.strata import StrataJob, context_rows, grid_of, row_ranges, strata
from w2vspark.training.settings import RoundsTraining

# The steps: the settings of each, and the function that makes its table.


def strata_settings(config: Config) -> Chosen:
    """Settings: the grid of strata."""
    return chosen(config[RoundsTraining], "shards", "lanes") | target_settings(config)


def make_strata(run: Run) -> dict[str, Any]:
    """Cut the counts into strata. The record has the number of entries of each stratum."""
    uri, entries = run.uri("cooccurrences"), run.records["cooccurrences"]["entries"]
    training, _ = resolved_settings(run)
    count = int(training.shards) * int(training.lanes)
    ranges = row_ranges(uri, words_count(run), entries, count)
    job = StrataJob(uri, run.uri("strata"), ranges, training.cpu_target)
    written = write_listed(strata(run.session(), job), job.table_uri)
    return {"ranges": ranges, "grid": grid_of(written, ranges)}


def rounds_settings(config: Config) -> Chosen:
    """Settings: how the vectors are learned."""
    names = ("dimensions", "epochs", "learning_rate", "shards", "lanes", "seed")
    own = chosen(config[RoundsTraining], *names) | chosen(config[GloveConfig], "x_max", "alpha")
    return own | target_settings(config)


def make_rounds(run: Run) -> dict[str, Any]:
    """Train. The record has the place of the last round's parameters, and the metrics of all rounds."""
    training, glove = resolved_settings(run)
    run.log_resolved(training, glove)
    record = run.records["strata"]
    job = GloveJob(
        training=training,
        glove=glove,
        round=GloveRound(1, 0, 0),
        words=words_count(run),
        ranges=tuple((first, last) for first, last in record["ranges"]),
        strata_uri=run.uri("strata"),
        parameters_uri=None,
        table_uri="",
        threads=1,
    )
    run.progress.unit = "records"
    own = run.fingerprints["rounds"]
    uri, metrics = run_glove(run.session(), run.staging, own, job, record["grid"], round_done(run))
    found = {"at": run.staging.relative(uri), "metrics": metrics}
    return found | {"training": asdict(training), "glove": asdict(glove)}


def resolved_settings(run: Run) -> tuple[RoundsTraining, GloveConfig]:
    """The settings without `auto`, once the counts are made."""
    tokens, records = run.records["vocabulary"]["tokens"], run.records["cooccurrences"]["entries"]
    return resolve_glove(run.config[RoundsTraining], run.config[GloveConfig], tokens, records)


# The published tables.


def trained(run: Run) -> RoundsTraining:
    """The settings with which the rounds were trained."""
    return RoundsTraining(**run.records["rounds"]["training"])


def _sources(run: Run, columns: int) -> tuple[RowSource, RowSource]:
    """The first `columns` columns of the words' rows, and of the contexts' rows."""
    training, uri = trained(run), run.uri("rounds")
    grid_columns = int(training.shards) * int(training.lanes)
    of_contexts = partial(context_rows, uri=uri, words=words_count(run), grid_columns=grid_columns, columns=columns)
    return matrix_rows(uri, WORDS, columns), of_contexts


def _vectors(run: Run, rows: RowSource, beside: RowSource | None = None) -> TaskRows:
    return vectors(run.session(), rows, run.uri("vocabulary"), words_count(run), trained(run).dimensions, beside)


def vector_settings(config: Config) -> Chosen:
    """Settings: which vectors the table has."""
    return {"vectors": config[GloveConfig].vectors}


def vector_schema(config: Config) -> pa.Schema:
    """The columns of table vectors. With glove.vectors = "both", `context` is one of them."""
    return VECTORS_AND_CONTEXT if config[GloveConfig].vectors == "both" else VECTORS


def vector_rows(run: Run) -> TaskRows:
    """The vectors: the sums of word and context vectors, the word vectors alone, or both in two columns."""
    of_words, of_contexts = _sources(run, trained(run).dimensions)
    asked = run.config[GloveConfig].vectors
    if asked == "both":
        return _vectors(run, of_words, of_contexts)
    return _vectors(run, summed_rows([of_words, of_contexts]) if asked == "sum" else of_words)


def side_rows(run: Run) -> TaskRows:
    """The context vectors."""
    return _vectors(run, _sources(run, trained(run).dimensions)[1])


def bias_rows(run: Run) -> TaskRows:
    """The biases, which follow the vectors in the rows."""
    sides = _sources(run, trained(run).dimensions + 1)
    return biases(run.session(), *sides, run.uri("vocabulary"), words_count(run))


# What a run reports.


def resolved(run: Run) -> Config:
    """The settings without `auto`, once the tables are made."""
    x_max = run.records["rounds"]["glove"]["x_max"]
    return corpus.resolved(run).replaced(trained(run), replace(run.config[GloveConfig], x_max=x_max))


def summary(version: Version) -> list[str]:
    """Lines about the corpus and the training."""
    shards = version.manifest["config"]["training"]["shards"]
    return [*corpus.summary(version), rounds_summary(version, rounds_of_epoch=shards)]


def needed(run: Run) -> Needed:
    """The settings and the memory for the size of the corpus."""
    tokens, words, source = corpus.guessed_size(run)
    records = guessed_entries(run, tokens)
    training, glove = resolve_glove(run.config[RoundsTraining], run.config[GloveConfig], tokens, records)
    model, worker = 2 * words * 4 * 2 * (training.dimensions + 1), glove_worker_bytes(training, words, records)
    memory = training_memory(model, worker, int(training.shards))
    return Needed(run.config.replaced(training, glove), corpus.memory_of(tokens, words, source, memory), worker)


def costs(run: Run) -> list[Cost]:
    """What the steps cost: the text's, the counts', and the training's records and copies of the model."""
    tokens, words, _ = corpus.guessed_size(run)
    records, training = guessed_entries(run, tokens), needed(run).config[RoundsTraining]
    shards, rounds = int(training.shards), int(training.epochs) * int(training.shards)
    values = records * int(training.epochs) * training.dimensions / 1e9
    model = 2 * words * 4 * 2 * (training.dimensions + 1) / 1e6
    return [
        *corpus_costs(run, tokens),
        cooccurrences_cost(run, tokens),
        Cost("strata", "strata", records / 1e6, "M records", count_files(run, tokens), queries=1),
        Cost("rounds", training.method, values, "G values", shards, int(training.lanes), queries=rounds),
        Cost("rounds", MODEL, rounds * model, "MB of rows", shards),
        version_cost(model, len(list(run.work.tables(run.config)))),
    ]


def small_sample(run: Run) -> None:
    """A sample corpus with many records for each word, and settings that train its counts a few times."""
    sample(run, words=10_000, tokens=150_000 * THREADS)
    run.config = run.config.replaced(replace(run.config[RoundsTraining], epochs=4))


def tiny(run: Run) -> None:
    """As corpus.tiny, with few dimensions and one epoch."""
    corpus.tiny(run)
    run.config = run.config.replaced(replace(run.config[RoundsTraining], dimensions=8, epochs=1))


GLOVE = Method(
    name="glove",
    help="GloVe: vectors fitted to the logarithms of co-occurrence counts",
    settings=(*corpus.SETTINGS, RoundsTraining, CooccurrencesConfig, GloveConfig, *corpus.LAST_SETTINGS),
    sources=corpus.sources,
    asked=corpus.ASKED,
    steps=(
        *kept_words.STEPS,
        COOCCURRENCES_STEP,
        Step("strata", ("vocabulary", "cooccurrences"), strata_settings, make_strata, kernels=True),
        Step("rounds", ("vocabulary", "strata"), rounds_settings, make_rounds, kernels=True),
    ),
    publishes=(
        Table("vectors", vector_schema, "a word's vector", vector_rows, words_count, settings=vector_settings),
        Table("context", VECTORS, "a word's vector as a context", side_rows, words_count),
        Table("biases", BIASES, "a word's two biases", bias_rows, words_count),
        corpus.PHRASES_TABLE,
        COOCCURRENCES_TABLE,
        corpus.VOCABULARY_TABLE,
        kept_words.UNITS_TABLE,
        SCORES_TABLE,
        *LOOK,
        METRICS_TABLE,
    ),
    resolved=resolved,
    facts=corpus.facts,
    summary=summary,
    next_commands=of_words,
    gate=VECTORS_GATE,
    needed=needed,
    costs=costs,
    sample=small_sample,
    tiny=tiny,
    auto={
        "training.epochs": "25",
        "training.learning_rate": "0.075",
        "training.shards": "the square root of (entries of the counts / 20 million), from 1 to 32",
        "training.lanes": "8 / shards, at least 1",
    },
    warm_up={"training.epochs": 1},
)
