"""Run the steps: keep the tables that are complete, make missing and damaged ones, publish the version."""

import time
from dataclasses import asdict, is_dataclass
from typing import Any

from pyspark.sql import SparkSession

from w2vspark import storage
from w2vspark.base.advice import how_to_mend
from w2vspark.base.errors import ConfigError, DamagedTable, OutputError, W2VSparkError
from w2vspark.base.log import get_logger, key_values, log_end, log_start
from w2vspark.base.redaction import redacted_value
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.compiling import Compiling
from w2vspark.flow.gate import finish
from w2vspark.flow.identity import fingerprints, forced_stages, steps_until
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.standing import finished, stands
from w2vspark.flow.work import CANDIDATE, VERSION, Job, Step, Work
from w2vspark.output.claims import Claim
from w2vspark.output.marker import check_output
from w2vspark.output.settings import OutputConfig
from w2vspark.output.staging import PARTIAL, Staging
from w2vspark.output.versions import delete_unfinished, list_versions
from w2vspark.spark.session import SparkConfig, is_local, starts_locally
from w2vspark.spark.worker_errors import worker_errors

FORCED = "forced"  # a name in staging: a record of tables that must be made again


def begin(
    work: Work,
    config: Config,
    progress: Progress,
    *,
    model: str = "",
    force_from: str | None = None,
    until: str | None = None,
    hold: bool = False,
    session: SparkSession | None = None,
) -> Run:
    """A run with its steps and fingerprints. Nothing is made yet.

    model: for a job, the model's output folder. force_from: make this stage and all later ones again. until: make only
    this stage and the stages that it needs; its table stays in staging; CANDIDATE: end with a candidate that is not
    judged yet. hold: judge the version, and leave it a candidate. session: the Spark session to use; None = one is
    started when it is needed. Raises ConfigError for an unknown stage,
    OutputError for a model that the work cannot use and for an output folder that is not ours or of another kind, and
    the errors of the sources.
    """
    output = storage.absolute_uri(config[OutputConfig].path)
    check_output(output, work.kind)
    asked, config = config, work.begun(config, output)
    unchecked = until == CANDIDATE
    steps = steps_until(work, config, None if unchecked else until, hold)
    if unchecked and hold:
        raise ConfigError(f"--hold: with --until {CANDIDATE} nothing is judged; leave one of the two out")
    forced = forced_stages(steps, force_from)
    if isinstance(work, Job):
        _check_job(output, work)
    run = Run(work, config, output, progress, Staging(output), steps, forced, hold, unchecked, model)
    run.started_session, run.asked = session, asked
    run.fingerprints = fingerprints(run)
    return run


def _check_job(output: str, job: Job) -> None:
    """Raise OutputError if another job publishes in the output folder: this job would delete its versions as old."""
    for version in list_versions(output):  # with candidates; a damaged manifest does not name its job
        other = version.manifest.get("job", job.name)
        if other != job.name:
            raise OutputError(f"{output}: holds the tables of the job {other}; name another folder for {job.name}")


def perform(run: Run) -> None:
    """Make and publish the missing tables, under a claim on the output folder. run: from `begin`.

    If there is nothing to do, no claim is made, and run.nothing_to_do says why. Raises the errors of base.errors; in
    that case the published versions stay as they are.
    """
    if run.publishes and stands(run):
        return
    single_writer = run.config[OutputConfig].single_writer
    with Claim(run.output, kind=run.work.kind, single_writer=single_writer) as claim:
        run.claim, run.staging = claim, Staging(run.output, claim)
        delete_unfinished(run.output, claim)
        try:
            if not (run.publishes and (stands(run) or finished(run))):
                _make_all(run)
                if VERSION in run.records and not run.unchecked:
                    finish(run, run.records[VERSION]["version"])
        except BaseException:
            _undo_output(run, claim)
            raise
        finally:
            if run.compiling is not None:
                run.compiling.end()


def _undo_output(run: Run, claim: Claim) -> None:
    """Delete the output folder of a run that made nothing. A failure is only logged: the first error counts."""
    # On a cluster, tasks may still write for a while after the run has ended.
    if run.made or (run.started_session is not None and not is_local(run.started_session)):
        return
    try:
        if claim.made_output:  # counts of single files are of no use without the output
            for _, _, staged in list(run.staging.partial()):
                run.staging.discard_attempt(staged.uri)
        claim.undo_output()
    except W2VSparkError as problem:
        get_logger().warning(key_values(event="output_not_undone", output=run.output, problem=problem))


def _make_all(run: Run) -> None:
    """Make the missing tables. A table in staging that turns out to be damaged is made again, once."""
    _compile_ahead(run)
    if run.forced:
        _discard_forced(run)
    damaged: set[str] = set()
    while True:
        try:
            for step in run.steps:
                _make_or_find(run, step)
            run.staging.discard_others(FORCED, "")
            return
        except DamagedTable as damage:
            attempt = run.staging.damaged(damage)
            if attempt is None:  # a published table: of the model that the run begins from, or works on
                raise OutputError(f"{damage}; {how_to_mend(str(damage).partition(': ')[0])}") from damage
            table = attempt.rpartition("/")[0]
            if table in damaged:
                raise OutputError(f"{damage}; it was made twice, so check the disk or store that holds it") from damage
            damaged.add(table)
            get_logger().warning(key_values(event="damaged", problem=damage, made_again=True))
            run.staging.discard_attempt(attempt)


def _discard_forced(run: Run) -> None:
    """Discard the tables that must be made again, unless a run with the same command has begun to and did not end well.

    Its record says so, until a run on this output ends well. What it made after the record, it made again.
    """
    own = fingerprint(stages=run.forced, tables=[run.fingerprints[table] for table in run.forced])
    if run.staging.find(FORCED, own) is not None:
        get_logger().info(key_values(event="force_continued", first=run.forced[0]))
        return
    for table in run.forced:
        run.staging.discard(table, run.fingerprints[table])
        run.staging.discard_others(PARTIAL + table, "")
    run.staging.complete(run.staging.begin(FORCED, own), {"stages": run.forced}, [])


def _compile_ahead(run: Run) -> None:
    """Start to compile the kernels for missing tables, if the tasks run on this machine."""
    if run.started_session is not None or not starts_locally(run.config[SparkConfig]):
        return
    steps = [step for step in run.steps if step.kernels]
    missing = [step for step in steps if run.staging.find(step.table, run.fingerprints[step.table]) is None]
    if missing:
        run.compiling = Compiling(run.work, run.config, tuple(missing))


def _make_or_find(run: Run, step: Step) -> None:
    own = run.fingerprints[step.table]
    step.check(run)
    for text in step.advice(run):
        run.advise(text)
    found = run.staging.find(step.table, own)
    if found is not None:
        if step.table not in run.made:
            log_end(step.table, made=False, fingerprint=own)
        run.add_table(step.table, found.uri, found.record)
        return
    if step.kernels:
        run.await_kernels()
    log_start(step.table, **{"fingerprint": own, **_shown(step.settings(run.config))})
    run.staging.discard_others(step.table, own)
    attempt = run.uris[step.table] = run.staging.begin(step.table, own)
    began, apart = time.perf_counter(), sum(run.apart.values())
    try:
        with run.progress.stage(step.table), worker_errors():
            record = step.make(run)
    except BaseException:
        run.staging.give_up(attempt)
        raise
    record["seconds"] = round(time.perf_counter() - began - (sum(run.apart.values()) - apart), 3)
    run.add_table(step.table, attempt, record)
    run.made.append(step.table)
    if step.table != VERSION:
        run.staging.complete(attempt, record, [run.uri(step.table)] if "at" in record else None)
    figures = {key: value for key, value in record.items() if isinstance(value, str | int | float)}
    log_end(step.table, **{"made": True, **figures})


def _shown(settings: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= asdict(value) if is_dataclass(value) and not isinstance(value, type) else {key: value}
    return {key: redacted_value(value) for key, value in found.items()}
