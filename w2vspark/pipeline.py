"""The flow of a run: which table is made from which, in one list; a table that is there already is not made again."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

from w2vspark import settings
from w2vspark.base import publish, storage
from w2vspark.base.claims import Claim
from w2vspark.base.config import Config, used_settings
from w2vspark.base.errors import ConfigError, DamagedTable, OutputError, W2VSparkError
from w2vspark.base.fingerprint import fingerprint, maker_fingerprint, maker_versions
from w2vspark.base.log import get_logger, key_values, log_end, log_start
from w2vspark.base.marker import check_output
from w2vspark.base.redaction import redacted_value
from w2vspark.base.staging import Staging
from w2vspark.base.versions import (
    WRITING,
    Version,
    delete_unfinished,
    list_versions,
    promote,
    prune,
    version_folder,
)
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
    settings: Callable[[Config], dict[str, Any]]  # what it depends on of the configuration, and nothing else
    make: Callable[[Run], dict[str, Any]]  # writes it, and returns its record: row counts and the like
    wanted: Callable[[Config], bool] = lambda config: True  # whether a run has it


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


def run_flow(
    config: Config, progress: Progress, force_from: str | None = None, until: str | None = None, hold: bool = False
) -> Run:
    """Make and publish what is not there yet, under a claim on the output folder.

    force_from: a stage that is made again, with all after it. until: the stage after which nothing more is made; its
    table stays in staging. hold: the new version stays a candidate, until somebody promotes it. Raises the errors of
    base.errors; what was published before stays as it is then.
    """
    steps = steps_until(config, until)
    forced = forced_stages(steps, force_from)
    output = storage.absolute_uri(config.output.path)
    check_output(output, "method")
    run = Run(config, output, progress, Staging(output), hold=hold)
    run.fingerprints = fingerprints(run)
    publishes = "vectors" in [step.table for step in steps]
    if publishes and not forced and standing(run):
        return run
    with Claim(output, kind="method", single_writer=config.output.single_writer) as claim:
        run.claim, run.staging = claim, Staging(output, claim)
        delete_unfinished(output, claim)
        try:
            if not (publishes and not forced and (standing(run) or _promoted(run))):
                _make_all(run, steps, forced)
        finally:
            progress.done()
    return run


def standing(run: Run) -> str:
    """Why there is nothing to do; "" where the run has to make or promote something."""
    current = publish.read_current(run.output) or {}
    whole = next((version for version in list_versions(run.output) if version.current and not version.problem), None)
    if whole is not None and whole.manifest["fingerprints"].get("vectors") == run.fingerprints["vectors"]:
        return f"{version_folder(run.output, whole.name)} was made from this input, configuration and code"
    if whole is not None and run.fingerprints["request"] in current.get("rolled_back", {}).get("requests", []):
        return (
            f"version {whole.name} is current by a rollback, which stays in force until the input or the configuration "
            f"changes; undo it with: w2vspark promote {run.config.output.path} {current['rolled_back']['from']}"
        )
    if run.hold and (candidate := _candidate(run)) is not None:
        return f"{version_folder(run.output, candidate.name)} is a candidate of this input, configuration and code"
    return ""


def _candidate(run: Run) -> Version | None:
    """A whole version that was made from just this and has never been current; the newest."""
    found = [
        version
        for version in list_versions(run.output)
        if version.candidate not in ("", WRITING)
        and not version.problem
        and version.manifest["fingerprints"].get("vectors") == run.fingerprints["vectors"]
    ]
    return found[-1] if found else None


def _promoted(run: Run) -> bool:
    """Whether there was a candidate of just this, which is the current version now."""
    candidate = _candidate(run)
    if candidate is None:
        return False
    promote(run.output, run.held(), candidate.name)
    prune(run.output, run.held(), run.config.output.keep_versions)
    run.promoted = candidate.name
    return True


def _make_all(run: Run, steps: tuple[Step, ...], forced: tuple[str, ...]) -> None:
    """Make the tables that are not there. A table in staging that turns out to be damaged is made again, once."""
    damaged: set[str] = set()
    while True:
        try:
            for step in steps:
                _make_or_find(run, step, step.table in forced and step.table not in run.made)
            return
        except DamagedTable as damage:
            attempt = run.staging.damaged(damage)
            if attempt is None:
                raise
            table = attempt.rpartition("/")[0]
            if table in damaged:
                raise OutputError(f"{damage}; it was made twice, so check the disk or store that holds it") from damage
            damaged.add(table)
            get_logger().warning(key_values(event="damaged", problem=damage, made_again=True))
            run.staging.discard_attempt(attempt)


def fingerprints(run: Run) -> dict[str, str]:
    """The fingerprint of every table: what it is made from, its settings, the code that makes it and its libraries.

    "request" is that of the corpus and the settings: what a user asks for, whatever code answers.
    """
    config = run.config
    found = {"corpus": corpus_version(config.input, run.session)}
    asked = {table: keys for table, keys in used_settings(config).items() if table not in ("output", "spark")}
    found["request"] = fingerprint(corpus=found["corpus"], settings=asked)
    if config.warm_start.path:
        found["earlier model"] = fingerprint(model=version_of(config.warm_start))
    for step in flow(config):
        found[step.table] = fingerprint(
            table=step.table,
            made_from=[found[table] for table in step.needs if table in found],
            settings=step.settings(config),
            code=maker_fingerprint(step.make),
            versions=maker_versions(step.make, jieba=config.tokens.tokenizer == "jieba"),
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


def _names(steps: tuple[Step, ...]) -> str:
    return ", ".join(step.table for step in steps)


def _make_or_find(run: Run, step: Step, forced: bool) -> None:
    own = run.fingerprints[step.table]
    if forced:
        run.staging.discard(step.table, own)
    found = run.staging.find(step.table, own)
    if found is not None:
        if step.table not in run.made:
            log_end(step.table, made=False, fingerprint=own)
        run.records[step.table], run.uris[step.table] = found.record, found.uri
        return
    run.progress.stage(step.table.replace("_", " "))
    log_start(step.table, fingerprint=own, **_shown(step.settings(run.config)))
    run.staging.discard_others(step.table, own)
    run.uris[step.table] = run.staging.begin(step.table, own)
    began = time.perf_counter()
    try:
        with worker_errors():
            record = step.make(run)
    except BaseException:
        _give_up(run, step.table)
        raise
    record["seconds"] = round(time.perf_counter() - began, 3)
    run.records[step.table] = record
    run.made.append(step.table)
    if step.table != "vectors":
        lists = record.pop("lists", None)
        of_output = None if lists is None else [run.staging.absolute(part) for part in lists]
        run.staging.complete(run.uris[step.table], record, of_output)
    figures = {key: value for key, value in record.items() if isinstance(value, str | int | float)}
    log_end(step.table, made=True, **figures)


def _give_up(run: Run, table: str) -> None:
    """Delete what this run has written of a table; the error that stopped it counts more than one of this."""
    try:
        run.staging.discard_attempt(run.uris[table])
    except W2VSparkError as problem:
        get_logger().warning(key_values(event="attempt_not_deleted", table=table, problem=problem))


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= asdict(value) if is_dataclass(value) and not isinstance(value, type) else {key: value}
    return {key: redacted_value(value) for key, value in found.items()}
