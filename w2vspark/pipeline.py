"""The flow of a run: which table is made from which, in one list; a table that is there already is not made again."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from w2vspark.base import publish, staging, storage
from w2vspark.base.config import Config
from w2vspark.base.errors import ConfigError, OutputError
from w2vspark.base.fingerprint import code_fingerprint, fingerprint
from w2vspark.base.lock import OutputLock
from w2vspark.base.log import log_end, log_start
from w2vspark.base.redaction import redacted_value
from w2vspark.counted import make_cooccurrences, make_glove, make_ppmi, make_strata, make_svd, make_term_document
from w2vspark.intermediate import (
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
from w2vspark.progress import Progress
from w2vspark.published import publish_vectors
from w2vspark.run import Run
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.earlier import version_of
from w2vspark.stages.worker_errors import worker_errors


@dataclass(frozen=True, slots=True)
class Step:
    """One table of the flow."""

    table: str
    needs: tuple[str, ...]  # what it is made from; "corpus" is the input
    settings: Callable[[Config], Any]  # the part of the configuration that it depends on
    make: Callable[[Run], dict[str, Any]]  # writes it, and returns its record: row counts and the like
    wanted: Callable[[Config], bool] = lambda config: True  # whether a run has it


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
        "cooccurrences",
        ("vocabulary", "encoded", "bucket_counts"),
        lambda config: (config.cooccurrences, {"seed": config.training.seed if config.cooccurrences.subsample else 0}),
        make_cooccurrences,
        lambda config: config.training.method in ("glove", "ppmi-svd"),
    ),
    Step(
        "rounds",
        ("vocabulary", "encoded", "bucket_counts", "ngram_buckets", "initial"),
        lambda config: config.training,
        make_rounds,
        lambda config: config.training.family == "word2vec",
    ),
    Step(
        "strata",
        ("vocabulary", "cooccurrences"),
        lambda config: {"shards": config.training.shards, "lanes": config.training.lanes},
        make_strata,
        lambda config: config.training.family == "glove",
    ),
    Step(
        "rounds",
        ("vocabulary", "strata"),
        lambda config: (config.training, {"x_max": config.glove.x_max, "alpha": config.glove.alpha}),
        make_glove,
        lambda config: config.training.family == "glove",
    ),
    Step(
        "ppmi",
        ("vocabulary", "cooccurrences"),
        lambda config: config.ppmi,
        make_ppmi,
        lambda config: config.training.method == "ppmi-svd",
    ),
    Step(
        "term_document",
        ("vocabulary", "encoded", "bucket_counts"),
        lambda config: config.lsa,
        make_term_document,
        lambda config: config.training.method == "lsa",
    ),
    Step(
        "svd",
        ("vocabulary", "ppmi", "term_document"),
        lambda config: (config.training, config.svd),
        make_svd,
        lambda config: config.training.family == "svd",
    ),
    Step(
        "vectors",
        ("vocabulary", "rounds", "svd"),
        lambda config: {
            "cooccurrences": config.cooccurrences.publish,
            "add_context": config.ppmi.add_context,
            "glove": config.glove.vectors,
        },
        publish_vectors,
    ),
)


def flow(config: Config) -> tuple[Step, ...]:
    """The steps that a run of this configuration has."""
    return tuple(step for step in FLOW if step.wanted(config))


def steps_until(config: Config, last: str | None) -> tuple[Step, ...]:
    """The steps of a run; with `last`, that one and those that it needs. Raises ConfigError for a name that is none."""
    steps = flow(config)
    if last is None:
        return steps
    if last not in [step.table for step in steps]:
        raise ConfigError(f"--until {last}: is no stage of this run; they are {_names(steps)}")
    wanted = {last}
    for step in reversed(steps):
        if step.table in wanted:
            wanted.update(step.needs)
    return tuple(step for step in steps if step.table in wanted)


def run_flow(config: Config, progress: Progress, force_from: str | None = None, until: str | None = None) -> Run:
    """Make and publish what is not there yet, under the output's lock.

    force_from: a stage that is made again, with all after it. until: the stage after which nothing more is made; its
    table stays in staging. Raises the errors of base.errors; what was published before stays as it is then.
    """
    steps = steps_until(config, until)
    forced = forced_stages(steps, force_from)
    output = storage.absolute_uri(config.output.path)
    publish.check_output(output)
    if publish.read_current(output) and "folded" in publish.read_manifest(output).get("fingerprints", {}):
        raise OutputError(f"output.path {output}: holds documents of w2vspark fold; name another folder for a run")
    with OutputLock(output) as lock:
        run = Run(config, output, progress, lock)
        run.fingerprints = fingerprints(run)
        publishes = "vectors" in [step.table for step in steps]
        if publishes and not forced and is_published(output, run.fingerprints["vectors"]):
            return run
        try:
            for step in steps:
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


def forced_stages(steps: tuple[Step, ...], first: str | None) -> tuple[str, ...]:
    """The stages from `first` on. Raises ConfigError for a name that is none of these steps'."""
    if first is None:
        return ()
    stages = tuple(step.table for step in steps)
    if first not in stages:
        raise ConfigError(f"--from {first}: is no stage of this run; they are {_names(steps)}")
    return stages[stages.index(first) :]


def is_published(output: str, vectors_fingerprint: str) -> bool:
    """Whether the current version was made from just this."""
    if publish.read_current(output) is None:
        return False
    found: dict[str, str] = publish.read_manifest(output).get("fingerprints", {})
    return found.get("vectors") == vectors_fingerprint


def _names(steps: tuple[Step, ...]) -> str:
    return ", ".join(step.table for step in steps)


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
    found: dict[str, Any] = {}
    for one in several:
        found |= asdict(one) if is_dataclass(one) and not isinstance(one, type) else one or {}
    return {key: redacted_value(value) for key, value in found.items()}
