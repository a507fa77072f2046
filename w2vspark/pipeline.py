"""The flow of a run: which table is made from which, in one list; a table that is there already is not made again."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession

from w2vspark.base import publish, staging, storage
from w2vspark.base.config import Config, TrainingConfig
from w2vspark.base.errors import ConfigError, InputError
from w2vspark.base.fingerprint import code_fingerprint, fingerprint
from w2vspark.base.lock import OutputLock
from w2vspark.base.log import log_end, log_start
from w2vspark.base.schemas import (
    ADAGRAD,
    BUCKET_COUNTS,
    CODES,
    CONTEXT,
    EARLIER,
    ENCODED,
    METRICS,
    MOVEMENT,
    NGRAM_BUCKETS,
    NGRAMS,
    NODE_VECTORS,
    PAIR_COUNTS,
    PARAMETERS,
    PHRASES,
    VECTORS,
    VECTORS_OF_WORDS,
    VOCABULARY,
    WORD_COUNTS,
    WORDS,
)
from w2vspark.manifest import manifest
from w2vspark.progress import Progress
from w2vspark.stages import encoded as encoding
from w2vspark.stages.adagrad import adagrad
from w2vspark.stages.codes import codes
from w2vspark.stages.corpus import count_duplicate_ids, read_corpus
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.earlier import carries_subwords, check_dimensions, earlier, earlier_vocabulary, is_run, version_of
from w2vspark.stages.movement import movement, pairs, rotation
from w2vspark.stages.movement import summary as movement_summary
from w2vspark.stages.ngrams import SubwordTables, ngram_buckets, ngrams
from w2vspark.stages.nodes import nodes
from w2vspark.stages.phrases import pair_counts, phrases, read_pair_counts, read_phrase_table
from w2vspark.stages.session import build_session, runtime_settings
from w2vspark.stages.shared_storage import check_executors
from w2vspark.stages.table_io import write_table
from w2vspark.stages.vectors import vectors
from w2vspark.stages.vocabulary import corpus_tokens, vocabulary, vocabulary_summary
from w2vspark.stages.word_counts import read_report, word_counts
from w2vspark.stages.words import Words
from w2vspark.stages.worker_errors import worker_errors
from w2vspark.training.plan import MatrixShape, RoundJob, check_vocabulary, matrix_shapes, plan_rounds, resolve
from w2vspark.training.rounds import run_rounds
from w2vspark.training.warm_start import Start, initial_parameters

# A task sums its words in memory: some 200 MB for what 16 MB of compressed counts hold.
SUMMING = {"spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m"}


@dataclass(frozen=True, slots=True)
class Step:
    """One table of the flow."""

    table: str
    needs: tuple[str, ...]  # what it is made from; "corpus" is the input
    settings: Callable[[Config], Any]  # the part of the configuration that it depends on
    make: Callable[["Run"], dict[str, Any]]  # writes it, and returns its record: row counts and the like
    wanted: Callable[[Config], bool] = lambda config: True  # whether a run has it


@dataclass(slots=True)
class Run:
    """One run on one output: its configuration, the tables' fingerprints and records."""

    config: Config
    output: str  # absolute URI
    progress: Progress
    lock: OutputLock
    fingerprints: dict[str, str] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    started_session: SparkSession | None = None

    def session(self) -> SparkSession:
        """The Spark session, started when it is first needed; its executors must reach the output folder."""
        if self.started_session is None:
            self.progress.stage("starting Spark")
            began = time.perf_counter()
            self.started_session = build_session(self.config.spark, "w2vspark")
            log_end("session", spark=self.started_session.version, seconds=round(time.perf_counter() - began, 3))
            with worker_errors():
                check_executors(self.started_session, self.output)
        return self.started_session

    def uri(self, table: str) -> str:
        """Where an intermediate table is."""
        return staging.table_path(self.output, table, self.fingerprints[table])


def make_phrases(run: Run) -> dict[str, Any]:
    """Pairs of words that become one word, pass after pass: each pass counts text with the phrases of those before."""
    config, found = run.config.phrases, []
    corpus = read_corpus(run.session(), run.config.input, 0)
    for number in range(1, len(config.thresholds) + 1):
        run.progress.stage(f"phrases, pass {number}")
        counts = storage.join(run.uri("phrases"), f"counts-{number}")
        with runtime_settings(run.session(), **SUMMING):
            write_table(pair_counts(corpus, words_of(run, number - 1)), counts, PAIR_COUNTS)
        write_table(phrases(read_pair_counts(run.session(), counts), config, number), phrases_uri(run, number), PHRASES)
        found.append(storage.count_rows(phrases_uri(run, number)))
        storage.delete_folder(counts)
    return {"phrases": sum(found), "phrases_of_passes": found}


def make_word_counts(run: Run) -> dict[str, Any]:
    """Every word of the corpus with its count, and what was odd about the documents."""
    duplicates = count_duplicate_ids(run.session(), run.config.input)
    corpus = read_corpus(run.session(), run.config.input, duplicates)
    with runtime_settings(run.session(), **SUMMING):
        write_table(word_counts(corpus, words_of(run)), run.uri("word_counts"), WORD_COUNTS)
    report = read_report(run.uri("word_counts")) | {"duplicate_ids": duplicates}
    if report["tokens"] == 0:
        raise InputError(
            f"the corpus has no words: {report['documents']} documents, {report['null_documents']} of them without "
            f"text, {report['malformed_rows']} malformed, {report['empty_documents']} without a word; check input "
            "and tokens"
        )
    return report


def make_earlier(run: Run) -> dict[str, Any]:
    """The model that this run begins from, and its vocabulary: copied, so that it may change or go meanwhile."""
    config = run.config.warm_start
    rows, words = (storage.join(run.uri("earlier"), name) for name in ("rows", "vocabulary"))
    with_ngrams = carries_subwords(config, run.config.subwords)
    write_table(earlier(run.session(), config, with_ngrams), rows, EARLIER)
    write_table(earlier_vocabulary(run.session(), config, rows), words, VOCABULARY)
    if fingerprint(model=version_of(config)) != run.fingerprints["earlier model"]:
        raise InputError(f"{config.path}: changed while it was read; run again when nothing publishes to it")
    return {"words": storage.count_rows(words), "with_ngrams": with_ngrams, "is_run": is_run(config)}


def make_vocabulary(run: Run) -> dict[str, Any]:
    """The words that get a vector, numbered from the most frequent."""
    before = storage.join(run.uri("earlier"), "vocabulary") if run.config.warm_start.path else ""
    words = vocabulary(
        run.session(), run.uri("word_counts"), run.config.vocabulary, before, run.config.warm_start.keep_words
    )
    write_table(words, run.uri("vocabulary"), VOCABULARY)
    size, tokens = vocabulary_summary(run.uri("vocabulary"))
    if before:
        tokens = corpus_tokens(run.session(), run.uri("word_counts"), run.uri("vocabulary"))
    if tokens == 0:
        raise InputError(
            f"no word of the corpus occurs {run.config.vocabulary.min_count} times or more; "
            "lower vocabulary.min_count, or give more text"
        )
    return {"words": size, "tokens": tokens}


def make_encoded(run: Run) -> dict[str, Any]:
    """The corpus as word ids, in pieces spread over buckets."""
    buckets = run.config.encoded.buckets
    if buckets == "auto":
        buckets = encoding.auto_buckets(run.records["vocabulary"]["tokens"])
    files = encoding.file_count(run.records["vocabulary"]["tokens"], buckets)
    corpus = read_corpus(run.session(), run.config.input, run.records["word_counts"]["duplicate_ids"])
    pieces = encoding.encoded(corpus, run.uri("vocabulary"), words_of(run), run.config.encoded, buckets, files)
    write_table(pieces, run.uri("encoded"), ENCODED, **encoding.WRITE_OPTIONS)
    return {"buckets": buckets}


def make_bucket_counts(run: Run) -> dict[str, Any]:
    """Tokens of each bucket, from which shards and slices are cut."""
    counts = encoding.bucket_counts(run.session(), run.uri("encoded"), run.records["encoded"]["buckets"])
    write_table(counts, run.uri("bucket_counts"), BUCKET_COUNTS)
    tokens = int(bucket_tokens(run).sum())
    if tokens != run.records["vocabulary"]["tokens"]:
        raise InputError(
            f"the corpus changed while it was read: {run.records['vocabulary']['tokens']} tokens were counted, "
            f"{tokens} encoded; run again when nothing writes to it"
        )
    return {"tokens": tokens}


def make_ngram_buckets(run: Run) -> dict[str, Any]:
    """The buckets that the vocabulary's character n-grams fall into: rows of the model, beside the words' own."""
    uri = run.uri("ngram_buckets")
    buckets = ngram_buckets(run.session(), run.uri("vocabulary"), run.config.subwords, run.config.training.cpu_target)
    write_table(buckets, uri, NGRAM_BUCKETS)
    return {"ngrams": storage.count_rows(uri)}


def make_initial(run: Run) -> dict[str, Any]:
    """The parameters before the first round, from the earlier model."""
    training = resolved_training(run)
    check_dimensions(storage.join(run.uri("earlier"), "rows"), run.config.warm_start, training.dimensions)
    start = Start(
        training=training,
        shapes=shapes_of(run, training),
        vocabulary_uri=run.uri("vocabulary"),
        subwords=subword_tables(run),
        earlier_uri=storage.join(run.uri("earlier"), "rows"),
        earlier_vocabulary_uri=storage.join(run.uri("earlier"), "vocabulary"),
    )
    write_table(initial_parameters(run.session(), start), run.uri("initial"), PARAMETERS)
    return {}


def make_rounds(run: Run) -> dict[str, Any]:
    """The training itself: the last round's parameters, and the metrics of all."""
    counted = run.records["vocabulary"]
    training = resolved_training(run)
    log_start("rounds", **asdict(training))
    check_vocabulary(training, counted["words"])
    rounds = plan_rounds(bucket_tokens(run), training)
    job = RoundJob(
        training=training,
        round=rounds[0],
        total_tokens=counted["tokens"] * training.epochs,
        shapes=shapes_of(run, training),
        vocabulary_uri=run.uri("vocabulary"),
        subwords=subword_tables(run),
        encoded_uri=run.uri("encoded"),
        parameters_uri=run.uri("initial") if run.config.warm_start.path else None,
        changes_uri="",
        places=(),
        threads=1,
    )
    uri, metrics = run_rounds(run.session(), run.output, run.fingerprints["rounds"], rounds, job, run.progress.round)
    return {"parameters": uri, "metrics": metrics, "training": asdict(training)}


def publish_vectors(run: Run) -> dict[str, Any]:
    """The published version: vectors, context (or nodes, codes), vocabulary, metrics, manifest; then current.json."""
    version = publish.next_version(run.output)
    folder = publish.version_path(run.output, version)
    words, rounds = run.records["vocabulary"]["words"], run.records["rounds"]
    training, parameters = TrainingConfig(**rounds["training"]), rounds["parameters"]
    tables = {"vectors": words, "vocabulary": words, "metrics": len(rounds["metrics"])}
    subwords = subword_tables(run)
    of_words = {"vectors": WORDS}
    if training.loss != "hs":
        of_words["context"] = CONTEXT
    if subwords is not None:
        of_words["word_rows"] = WORDS
    for table, matrix in of_words.items():
        own = None if matrix == CONTEXT or table == "word_rows" else subwords
        rows = vectors(run.session(), matrix, parameters, run.uri("vocabulary"), words, training.dimensions, own)
        write_table(rows, storage.join(folder, table), VECTORS)
        tables[table] = words
    if subwords is not None:
        rows = ngrams(run.session(), parameters, subwords, words, training.dimensions)
        write_table(rows, storage.join(folder, "ngrams"), NGRAMS)
        tables["ngrams"] = subwords.ngrams
    if training.loss == "hs":
        rows = nodes(run.session(), parameters, words - 1, training.dimensions)
        write_table(rows, storage.join(folder, "nodes"), NODE_VECTORS)
        rows = codes(run.session(), run.uri("vocabulary"), training.cpu_target)
        write_table(rows, storage.join(folder, "codes"), CODES)
        tables |= {"nodes": words - 1, "codes": words}
    if training.optimizer == "adagrad":
        matrices = {shape.name: shape.rows for shape in shapes_of(run, training)}
        rows = adagrad(run.session(), parameters, matrices, training.dimensions)
        write_table(rows, storage.join(folder, "adagrad"), ADAGRAD)
        tables["adagrad"] = sum(matrices.values())
    if run.config.warm_start.path:
        run.records["rounds"]["movement"] = publish_movement(run, folder)
        tables["movement"] = run.records["rounds"]["movement"]["words"]
    if "phrases" in run.fingerprints:
        found = read_phrase_table(run.session(), words_of(run).passes)
        write_table(found, storage.join(folder, "phrases"), PHRASES)
        tables["phrases"] = run.records["phrases"]["phrases"]
    storage.copy_folder(run.uri("vocabulary"), storage.join(folder, "vocabulary"))
    storage.write_table(pa.Table.from_pylist(rounds["metrics"], METRICS), storage.join(folder, "metrics"))
    record = manifest(run.config, run.lock.run_id, run.fingerprints, run.records, tables)
    publish.publish(run.output, version, record, run.lock.check)
    publish.prune(run.output, run.config.output.keep_versions)
    staging.discard(run.output, "rounds", run.fingerprints["rounds"])
    return {"version": version, "path": folder}


def publish_movement(run: Run, folder: str) -> dict[str, Any]:
    """How far the earlier model's words moved: the table in a version's folder, and what it says in short."""
    uri = storage.join(folder, "movement")
    matrix = VECTORS_OF_WORDS if run.records["earlier"]["with_ngrams"] else WORDS
    joined = pairs(run.session(), storage.join(run.uri("earlier"), "rows"), matrix, storage.join(folder, "vectors"))
    write_table(movement(joined, rotation(joined)), uri, MOVEMENT)
    return movement_summary(uri)


def shapes_of(run: Run, training: TrainingConfig) -> tuple[MatrixShape, ...]:
    """The matrices of the run's method. training: resolved."""
    subwords = subword_tables(run)
    words = run.records["vocabulary"]["words"]
    return matrix_shapes(training, words, subwords.ngrams if subwords else 0)


def subword_tables(run: Run) -> SubwordTables | None:
    """What makes up each word, as workers read it; None where a word is its own row."""
    if not run.config.subwords.enabled:
        return None
    return SubwordTables(
        config=run.config.subwords,
        vocabulary_uri=run.uri("vocabulary"),
        ngram_buckets_uri=run.uri("ngram_buckets"),
        ngrams=run.records["ngram_buckets"]["ngrams"],
        cpu_target=run.config.training.cpu_target,
    )


def words_of(run: Run, passes: int | None = None) -> Words:
    """How workers turn text into words: with the phrases of so many passes, or of all."""
    config = run.config.phrases
    made = range(1, 1 + (len(config.thresholds) if passes is None else passes))
    return Words(run.config.tokens, tuple(phrases_uri(run, number) for number in made), config.connector_words)


def phrases_uri(run: Run, number: int) -> str:
    """Where a pass's phrases are."""
    return storage.join(run.uri("phrases"), f"pass-{number}")


FLOW = (
    Step(
        "phrases",
        ("corpus",),
        lambda config: (config.tokens, config.phrases),
        make_phrases,
        lambda config: bool(config.phrases.thresholds),
    ),
    Step("word_counts", ("corpus", "phrases"), lambda config: config.tokens, make_word_counts),
    Step(
        "earlier",
        ("earlier model",),
        lambda config: (config.warm_start, config.subwords),
        make_earlier,
        lambda config: bool(config.warm_start.path),
    ),
    Step("vocabulary", ("word_counts", "earlier"), lambda config: config.vocabulary, make_vocabulary),
    Step("encoded", ("corpus", "phrases", "vocabulary"), lambda config: config.encoded, make_encoded),
    Step("bucket_counts", ("encoded",), lambda config: None, make_bucket_counts),
    Step(
        "ngram_buckets",
        ("vocabulary",),
        lambda config: config.subwords,
        make_ngram_buckets,
        lambda config: config.subwords.enabled,
    ),
    Step(
        "initial",
        ("vocabulary", "ngram_buckets", "earlier"),
        lambda config: config.training,
        make_initial,
        lambda config: bool(config.warm_start.path),
    ),
    Step(
        "rounds",
        ("vocabulary", "encoded", "bucket_counts", "ngram_buckets", "initial"),
        lambda config: config.training,
        make_rounds,
    ),
    Step("vectors", ("vocabulary", "rounds"), lambda config: None, publish_vectors),
)


def flow(config: Config) -> tuple[Step, ...]:
    """The steps that a run of this configuration has."""
    return tuple(step for step in FLOW if step.wanted(config))


def run_flow(config: Config, progress: Progress, force_from: str | None = None) -> Run:
    """Make and publish what is not there yet, under the output's lock.

    force_from: a stage of STAGES that is made again, with all after it. Raises the errors of base.errors; what was
    published before stays as it is then.
    """
    output = storage.absolute_uri(config.output.path)
    publish.check_output(output)
    with OutputLock(output) as lock:
        run = Run(config, output, progress, lock)
        run.fingerprints = fingerprints(run)
        forced = forced_stages(config, force_from)
        if not forced and is_published(output, run.fingerprints["vectors"]):
            return run
        try:
            for step in flow(config):
                _make_or_find(run, step, step.table in forced)
        finally:
            progress.done()
        return run


def fingerprints(run: Run) -> dict[str, str]:
    """The fingerprint of every table: what it is made from, its settings, and the code."""
    found = {"corpus": corpus_version(run.config.input, run.session)}
    if run.config.warm_start.path:
        found["earlier model"] = fingerprint(model=version_of(run.config.warm_start))
    for step in flow(run.config):
        made_from = [found[table] for table in step.needs if table in found]
        found[step.table] = fingerprint(
            table=step.table, made_from=made_from, settings=step.settings(run.config), code=code_fingerprint()
        )
    return found


def forced_stages(config: Config, first: str | None) -> tuple[str, ...]:
    """The stages from `first` on. Raises ConfigError for a name that is no stage of this configuration."""
    if first is None:
        return ()
    stages = tuple(step.table for step in flow(config))
    if first not in stages:
        raise ConfigError(f"--from {first}: is no stage of this run; they are {', '.join(stages)}")
    return stages[stages.index(first) :]


def is_published(output: str, vectors_fingerprint: str) -> bool:
    """Whether the current version was made from just this."""
    if publish.read_current(output) is None:
        return False
    found: dict[str, str] = publish.read_manifest(output).get("fingerprints", {})
    return found.get("vectors") == vectors_fingerprint


def bucket_tokens(run: Run) -> np.ndarray:
    """int64 (buckets,): tokens of each bucket."""
    table = storage.read_table(run.uri("bucket_counts"))
    tokens = np.zeros(run.records["encoded"]["buckets"], np.int64)
    np.add.at(tokens, table["bucket"].to_numpy(), table["tokens"].to_numpy())
    return tokens


def _make_or_find(run: Run, step: Step, forced: bool) -> None:
    own = run.fingerprints[step.table]
    if forced:
        staging.discard(run.output, step.table, own)
    record = staging.find(run.output, step.table, own)
    if record is not None:
        log_end(step.table, made=False, fingerprint=own)
        run.records[step.table] = record
        return
    run.lock.check()
    run.progress.stage(step.table.replace("_", " "))
    log_start(step.table, fingerprint=own, **_shown(step.settings(run.config)))
    staging.discard_others(run.output, step.table, own)
    began = time.perf_counter()
    with worker_errors():
        record = step.make(run)
    record["seconds"] = round(time.perf_counter() - began, 3)
    run.records[step.table] = record
    run.made.append(step.table)
    if step.table != "vectors":
        staging.complete(run.output, step.table, own, record)
    figures = {key: value for key, value in record.items() if isinstance(value, str | int | float)}
    log_end(step.table, made=True, **figures)


def _shown(settings: Any) -> dict[str, Any]:
    several = settings if isinstance(settings, tuple) else (settings,)
    return {key: value for one in several if one is not None for key, value in asdict(one).items()}


def resolved_training(run: Run) -> TrainingConfig:
    """The training's settings without `auto`: from the run that this one resumes, or worked out and kept."""
    uri = storage.join(run.uri("rounds"), "_resolved.json")
    if storage.exists(uri):
        return TrainingConfig(**json.loads(storage.read_text(uri)))
    counted, config = run.records["vocabulary"], run.config
    training = resolve(config.training, counted["tokens"], counted["words"], config.warm_start, config.subwords.enabled)
    storage.write_text(uri, json.dumps(asdict(training), indent=2) + "\n")
    return training
