"""word2vec's six methods: skip-gram and CBOW, with negative sampling, hierarchical softmax or the full softmax."""

from dataclasses import asdict, replace
from itertools import chain
from typing import Any

from w2vspark import storage
from w2vspark.base.schemas import SUBWORD_BUCKETS
from w2vspark.config.config import Config
from w2vspark.flow.costs import MODEL, QUERY, Cost
from w2vspark.flow.measuring import THREADS
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Method, Needed, Step
from w2vspark.methods import corpus, kept_words
from w2vspark.methods.advice import idle_cores, little_text, short_documents
from w2vspark.methods.corpus import chosen, target_settings
from w2vspark.methods.costs import corpus_costs, version_cost
from w2vspark.methods.gate import VECTORS_GATE
from w2vspark.methods.next_commands import of_words
from w2vspark.methods.rounds import round_done, rounds_summary, training_memory
from w2vspark.methods.sample import sample
from w2vspark.methods.word2vec.asked import (
    has_subwords,
    is_cold,
    is_warm,
    may_be_adagrad,
    optimizer_settings,
    resolved_training,
    shapes_of,
    subword_tables,
    trained,
)
from w2vspark.methods.word2vec.tables import published
from w2vspark.methods.word2vec.warm_start import EARLIER_STEP, INITIAL_STEP, WARM_VOCABULARY_STEP, begun, sources
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import write_table
from w2vspark.stages.movement import summary as movement_summary
from w2vspark.training.rounds import run_rounds
from w2vspark.training.trainer import RoundJob
from w2vspark.training.word2vec.composed import composing_bytes
from w2vspark.training.word2vec.costs import rows_per_token
from w2vspark.training.word2vec.plan import (
    check_vocabulary,
    matrix_shapes,
    resolve,
    rounds_of,
    worker_bytes,
)
from w2vspark.training.word2vec.settings import SubwordsConfig, WarmStartConfig, Word2VecTraining
from w2vspark.training.word2vec.subwords import subword_buckets
from w2vspark.training.word2vec.trainer import Word2Vec

GUESSED_NGRAMS = 8  # different n-grams for each word of English


def subword_settings(config: Config) -> Chosen:
    """Settings: how words are cut into n-grams, and how these are hashed."""
    return {"subwords": config[SubwordsConfig]} | target_settings(config)


def make_subword_buckets(run: Run) -> dict[str, Any]:
    """List the buckets of the vocabulary's character n-grams. Each has a row of the model, after the words' rows."""
    target = run.config[Word2VecTraining].cpu_target
    buckets = subword_buckets(run.session(), run.uri("vocabulary"), run.config[SubwordsConfig], target)
    return {"subwords": write_table(buckets, run.uri("subword_buckets"), SUBWORD_BUCKETS)}


def rounds_settings(config: Config) -> Chosen:
    """Settings: how vectors are learned. softmax_max_words is not among them, because it changes no result."""
    training = config[Word2VecTraining]
    names = ["method", "dimensions", "window", "subsample", "epochs", "learning_rate_floor", "shards", "lanes"]
    names += ["rounds_per_epoch", "lane_merge_tokens", "seed"]
    if training.model == "cbow":
        names.append("cbow_gradient")
    if training.loss == "ns":
        names += ["negatives", "noise_exponent", "negative_pool"]
        names += [] if has_subwords(config) else ["rows"]  # with subwords, a shard always gets all rows
    if not (training.shards == training.lanes == 1):  # several replicas change the same rows
        names.append("combine")
    if may_be_adagrad(config):
        names.append("adagrad_initial")
    warm = config[WarmStartConfig].learning_rate if is_warm(config) else None
    rate = {"learning_rate": training.learning_rate} if warm in (None, "auto") else {}
    return chosen(training, *names) | rate | {"warm_rate": warm} | optimizer_settings(config) | target_settings(config)


def make_rounds(run: Run) -> dict[str, Any]:
    """Train. The record has the place of the last round's parameters, and the metrics of all rounds."""
    counted, training = run.records["vocabulary"], resolved_training(run)
    run.log_resolved(training)
    check_vocabulary(training, counted["words"])
    rounds = rounds_of(corpus.bucket_tokens(run), training)
    trainer = Word2Vec(
        training=training,
        total_tokens=counted["tokens"] * int(training.epochs),
        shapes=shapes_of(run, training),
        vocabulary_uri=run.uri("vocabulary"),
        subwords=subword_tables(run),
        encoded_uri=run.uri("encoded"),
    )
    initial = run.uri("initial") if is_warm(run.config) else None
    job = RoundJob(trainer, rounds[0], initial, table_uri="", changes_uri="", reducers=(), threads=1)
    uri, metrics = run_rounds(run.session(), run.staging, run.fingerprints["rounds"], rounds, job, round_done(run))
    return {"at": run.staging.relative(uri), "metrics": metrics, "training": asdict(training)}


def advice(run: Run) -> list[str]:
    """Advice about settings that leave too little text to learn from, and about idle cores."""
    training, tokens = resolved_training(run), run.records["vocabulary"]["tokens"]
    epochs = int(training.epochs)
    return [
        *short_documents(run),
        *little_text(run, training.subsample, epochs),
        *idle_cores(run, tokens * epochs, int(training.shards), int(training.lanes)),
    ]


def tiny(run: Run) -> None:
    """As corpus.tiny, with a small training, without an earlier model, and with all rows in each worker."""
    corpus.tiny(run)
    training = run.config[Word2VecTraining]
    shards = training.shards if training.shards == "auto" else min(2, training.shards)
    small = replace(training, dimensions=8, epochs=1, shards=shards, rows="all", negative_pool=0)
    run.config = run.config.replaced(small, WarmStartConfig())


def is_cold_and_fresh(config: Config) -> bool:
    """Whether the words are those of this corpus alone."""
    return is_cold(config) and corpus.is_fresh(config)


def replaced(step: Step) -> tuple[Step, ...]:
    """A step that all methods have, as word2vec's methods have it."""
    if step is corpus.VOCABULARY_STEP:
        return EARLIER_STEP, replace(step, wanted=is_cold_and_fresh), WARM_VOCABULARY_STEP
    return (step,)


STEPS = (
    *chain.from_iterable(map(replaced, kept_words.STEPS)),
    Step("subword_buckets", ("vocabulary",), subword_settings, make_subword_buckets, has_subwords, kernels=True),
    INITIAL_STEP,
    Step(
        "rounds",
        ("vocabulary", "encoded", "bucket_counts", "subword_buckets", "initial"),
        rounds_settings,
        make_rounds,
        advice=advice,
        kernels=True,
    ),
)


def resolved(run: Run) -> Config:
    """The settings without `auto`. The warm start gets the training's rate, and its format only counts for a file."""
    config, training = corpus.resolved(run), trained(run)
    warm_start = replace(config[WarmStartConfig], learning_rate=training.learning_rate)
    if is_cold(config) or run.records["earlier"]["is_run"]:
        warm_start = replace(warm_start, format="w2vspark")
    return config.replaced(training, warm_start)


def facts(run: Run) -> dict[str, Any]:
    """As corpus.facts; after a warm start, with how far words moved."""
    if is_cold(run.config):
        return corpus.facts(run)
    return corpus.facts(run) | {"movement": movement_summary(storage.join(run.uri("version"), "movement"))}


def summary(version: Version) -> list[str]:
    """Lines about the corpus, the training, and how far words moved."""
    lines = [*corpus.summary(version), rounds_summary(version)]
    if moved := version.manifest.get("movement"):
        farthest = f"; frequent words that moved most: {', '.join(moved['farthest'])}" if moved["farthest"] else ""
        lines.append(f"moved       {moved['words']:,} earlier words, mean cosine {moved['mean_cosine']:.3f}{farthest}")
    return lines


def needed(run: Run) -> Needed:
    """The settings and the memory for the size of the corpus."""
    tokens, words, source = corpus.guessed_size(run)
    config = run.config
    training = resolve(config[Word2VecTraining], tokens, words, config[WarmStartConfig], has_subwords(config))
    ngrams = _guessed_ngrams(run, words)
    shapes = matrix_shapes(training, words, ngrams)
    model, worker = sum(shape.bytes for shape in shapes), worker_bytes(training, shapes, words, tokens)
    memory = training_memory(model, worker, int(training.shards))
    if has_subwords(config):
        publishing = composing_bytes(words, ngrams, training.dimensions)
        memory += f"; a task that publishes vectors {publishing / 1e6:,.0f} MB of Python memory"
    return Needed(config.replaced(training), corpus.memory_of(tokens, words, source, memory), worker)


def costs(run: Run) -> list[Cost]:
    """What the steps cost: the text's, and the training's rows and copies of the model."""
    tokens, words, _ = corpus.guessed_size(run)
    training = needed(run).config[Word2VecTraining]
    shards, lanes, epochs = int(training.shards), int(training.lanes), int(training.epochs)
    rounds = max(1, round(epochs * float(training.rounds_per_epoch)))
    subwords = has_subwords(run.config)
    rows = tokens * epochs * rows_per_token(training, words, subwords) * training.dimensions / 1e9
    model = sum(shape.bytes for shape in matrix_shapes(training, words, _guessed_ngrams(run, words))) / 1e6
    # A round of several shards also writes and reads the changes of each shard.
    copies = rounds * model * (1 if shards == 1 else 2 * shards)
    return [
        *corpus_costs(run, tokens),
        *([Cost("subword_buckets", QUERY, 0, "", queries=1)] if subwords else []),
        *([Cost("initial", MODEL, model, "MB of rows", queries=2)] if is_warm(run.config) else []),
        Cost("rounds", training.method, rows, "G values", shards, lanes, queries=rounds),
        Cost("rounds", MODEL, copies, "MB of rows", shards),
        version_cost(model, len(list(run.work.tables(run.config)))),
    ]


def small_sample(run: Run) -> None:
    """A sample corpus, and settings that train it in one round; for the full softmax, which uses all words, tiny."""
    if run.config[Word2VecTraining].loss == "softmax":
        sample(run, words=500, tokens=10_000 * THREADS)
    else:
        sample(run, tokens=300_000 * THREADS)  # some tenths of a second of training
    settings = replace(run.config[Word2VecTraining], epochs=1, shards=1, lanes=THREADS, rounds_per_epoch=1, rows="all")
    run.config = run.config.replaced(replace(settings, negative_pool=0), WarmStartConfig())


def _guessed_ngrams(run: Run, words: int) -> int:
    """The number of buckets of n-grams that have a row, counted or guessed."""
    config = run.config[SubwordsConfig]
    if not config.enabled:
        return 0
    record = corpus.counted_record(run, "subword_buckets")
    return int(record["subwords"]) if record is not None else min(config.buckets, GUESSED_NGRAMS * words)


# How the rules were found: docs/explanation/replicas.md.
AUTO = {
    "training.epochs": "5",
    "training.learning_rate": "0.025 x √(shards x lanes) for skip-gram, up to 0.1; for others see "
    "docs/explanation/replicas.md",
    "training.shards": "1 for each 1,250 million tokens of all epochs, up to 32",
    "training.lanes": "2 for one shard, else 1",
}


def _method(name: str, help: str, warm_up: dict[str, Any] | None = None) -> Method:
    return Method(
        name=name,
        help=help,
        settings=(*corpus.SETTINGS, SubwordsConfig, WarmStartConfig, Word2VecTraining, *corpus.LAST_SETTINGS),
        sources=sources,
        begun=begun,
        asked=corpus.ASKED,
        steps=STEPS,
        publishes=published(name.partition("-")[2]),
        resolved=resolved,
        facts=facts,
        summary=summary,
        next_commands=of_words,
        gate=VECTORS_GATE,
        needed=needed,
        costs=costs,
        sample=small_sample,
        tiny=tiny,
        auto=AUTO,
        family="word2vec's methods",
        warm_up=warm_up,
    )


# Two shards with two lanes also compile the kernels that combine shards and merge lanes.
WARM_UP = {"training.shards": 2, "training.lanes": 2, "training.epochs": 1, "training.rounds_per_epoch": 1}
WORD2VEC = (
    _method("skipgram-ns", "skip-gram with negative sampling: the usual choice", WARM_UP),
    _method("skipgram-hs", "skip-gram with hierarchical softmax: good for rare words"),
    _method("skipgram-softmax", "skip-gram with the full softmax: for small vocabularies"),
    _method("cbow-ns", "continuous bag of words with negative sampling: the fastest"),
    _method("cbow-hs", "continuous bag of words with hierarchical softmax"),
    _method("cbow-softmax", "continuous bag of words with the full softmax: for small vocabularies"),
)
