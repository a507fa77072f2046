"""The flow of a run: which table is made from which, in one list; a table that is there already is not made again."""

from w2vspark import storage
from w2vspark.base.errors import ConfigError
from w2vspark.config.config import Config, used_settings
from w2vspark.fingerprints.fingerprint import fingerprint, maker_fingerprint, maker_versions
from w2vspark.flow.engine import Step, forced_stages, names_of, run_steps
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.methods import settings
from w2vspark.methods.counted import (
    make_cooccurrences,
    make_glove,
    make_ppmi,
    make_strata,
    make_svd,
    make_term_document,
)
from w2vspark.methods.published import publish_vectors
from w2vspark.methods.text import (
    make_bucket_counts,
    make_earlier,
    make_encoded,
    make_initial,
    make_ngram_buckets,
    make_phrases,
    make_rounds,
    make_vocabulary,
    make_word_counts,
)
from w2vspark.output.marker import check_output
from w2vspark.output.staging import Staging
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.earlier import carries_subwords, find_earlier, identity

FLOW = (
    Step(
        "phrases",
        ("corpus",),
        settings.of_phrases,
        make_phrases,
        lambda config: bool(config.phrases.thresholds),
    ),
    Step("word_counts", ("corpus", "phrases"), settings.of_word_counts, make_word_counts),
    Step(
        "earlier",
        ("earlier model",),
        settings.of_earlier,
        make_earlier,
        lambda config: bool(config.warm_start.path),
    ),
    Step("vocabulary", ("word_counts", "earlier"), settings.of_vocabulary, make_vocabulary),
    Step("encoded", ("corpus", "phrases", "vocabulary"), settings.of_encoded, make_encoded),
    Step("bucket_counts", ("encoded",), settings.of_bucket_counts, make_bucket_counts),
    Step(
        "ngram_buckets",
        ("vocabulary",),
        settings.of_ngram_buckets,
        make_ngram_buckets,
        lambda config: config.subwords.enabled,
    ),
    Step(
        "initial",
        ("vocabulary", "ngram_buckets", "earlier"),
        settings.of_initial,
        make_initial,
        lambda config: bool(config.warm_start.path),
    ),
    Step(
        "cooccurrences",
        ("vocabulary", "encoded", "bucket_counts"),
        settings.of_cooccurrences,
        make_cooccurrences,
        lambda config: config.training.method in ("glove", "ppmi-svd"),
    ),
    Step(
        "rounds",
        ("vocabulary", "encoded", "bucket_counts", "ngram_buckets", "initial"),
        settings.of_word2vec_rounds,
        make_rounds,
        lambda config: config.training.family == "word2vec",
    ),
    Step(
        "strata",
        ("vocabulary", "cooccurrences"),
        settings.of_strata,
        make_strata,
        lambda config: config.training.family == "glove",
    ),
    Step(
        "rounds",
        ("vocabulary", "strata"),
        settings.of_glove_rounds,
        make_glove,
        lambda config: config.training.family == "glove",
    ),
    Step(
        "ppmi",
        ("vocabulary", "cooccurrences"),
        settings.of_ppmi,
        make_ppmi,
        lambda config: config.training.method == "ppmi-svd",
    ),
    Step(
        "term_document",
        ("vocabulary", "encoded", "bucket_counts"),
        settings.of_term_document,
        make_term_document,
        lambda config: config.training.method == "lsa",
    ),
    Step(
        "svd",
        ("vocabulary", "ppmi", "term_document"),
        settings.of_svd,
        make_svd,
        lambda config: config.training.family == "svd",
    ),
    Step("vectors", ("vocabulary", "rounds", "svd"), settings.of_vectors, publish_vectors),
)


def flow(config: Config) -> tuple[Step, ...]:
    """The steps that a run of this configuration has."""
    return tuple(step for step in FLOW if step.wanted(config))


def steps_until(config: Config, last: str | None, hold: bool = False) -> tuple[Step, ...]:
    """The steps of a run; with `last`, that one and those that it needs.

    Raises ConfigError for a name that is none, and where a version is to be held back that these steps do not make.
    """
    steps = flow(config)
    if last is None:
        return steps
    if last not in [step.table for step in steps]:
        raise ConfigError(f"--until {last}: is no stage of this run; they are {names_of(steps)}")
    wanted = {last}
    for step in reversed(steps):
        if step.table in wanted:
            wanted.update(step.needs)
    if hold and "vectors" not in wanted:
        raise ConfigError(f"--hold: with --until {last} nothing is published; leave one of the two out")
    return tuple(step for step in steps if step.table in wanted)


def run_flow(
    config: Config, progress: Progress, force_from: str | None = None, until: str | None = None, hold: bool = False
) -> Run:
    """Make and publish what is not there yet, under a claim on the output folder.

    force_from: a stage that is made again, with all after it. until: the stage after which nothing more is made; its
    table stays in staging. hold: the new version stays a candidate, until somebody promotes it. Raises the errors of
    base.errors; what was published before stays as it is then.
    """
    steps = steps_until(config, until, hold)
    forced = forced_stages(steps, force_from)
    output = storage.absolute_uri(config.output.path)
    check_output(output, "method")
    run = Run(config, output, progress, Staging(output), last="vectors", hold=hold)
    run.fingerprints = fingerprints(run)
    run_steps(run, "method", steps, forced)
    return run


def fingerprints(run: Run) -> dict[str, str]:
    """The fingerprint of every table: what it is made from, its settings, the code that makes it and its libraries.

    "request" is that of the corpus and the settings: what a user asks for, whatever code answers.
    """
    config = run.config
    found = {"corpus": corpus_version(config.input, run.session)}
    asked = {table: keys for table, keys in used_settings(config).items() if table not in ("output", "spark")}
    found["request"] = fingerprint(corpus=found["corpus"], settings=asked)
    if config.warm_start.path:
        run.earlier = find_earlier(config.warm_start)
        with_ngrams = carries_subwords(run.earlier, config.subwords)
        found["earlier model"] = fingerprint(model=identity(run.earlier), with_ngrams=with_ngrams)
    for step in flow(config):
        found[step.table] = fingerprint(
            table=step.table,
            made_from=[found[table] for table in step.needs if table in found],
            settings=step.settings(config),
            code=maker_fingerprint(step.make),
            versions=maker_versions(step.make, jieba=config.tokens.tokenizer == "jieba"),
        )
    return found
