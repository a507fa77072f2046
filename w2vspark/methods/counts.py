"""The step and the published table cooccurrences, for methods that train on counts of neighbours."""

from typing import Any

import numpy as np
import pyarrow.compute as pc

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.base.schemas import COOCCURRENCES
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import code_of, fingerprint, versions_of
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, StagedRows, Step, Table
from w2vspark.methods.advice import short_documents
from w2vspark.methods.corpus import bucket_tokens, chosen, target_settings, words_count
from w2vspark.methods.encoded_units import list_groups
from w2vspark.methods.partial_counts import paths_of
from w2vspark.output.staging import PARTIAL, Staged
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages.cooccurrence_rows import scan_row_entries
from w2vspark.stages.cooccurrences import (
    COUNTS,
    CooccurrencesConfig,
    CountJob,
    cooccurrences,
    count_job,
    exact_sums,
    with_earlier,
)
from w2vspark.storage.listed import listed_files, read_listed, scan_listed, write_list
from w2vspark.training.settings import TrainingConfig

NAME = PARTIAL + "cooccurrences"


def cooccurrences_settings(config: Config) -> Chosen:
    """Settings: how neighbours are counted. The seed counts only with subsampling, which draws random numbers."""
    counts = config[CooccurrencesConfig]
    seed = {"seed": config[TrainingConfig].seed} if counts.subsample else {}
    return chosen(counts, "window", "weighting", "direction", "subsample") | seed | target_settings(config)


def make_cooccurrences(run: Run) -> dict[str, Any]:
    """Count how often words stand near each other. With kept words, only in text that is new."""
    if _adds_up(run):
        return _count_new_groups(run)
    job = _job(run, run.uri("encoded"), run.uri("cooccurrences"), bucket_tokens(run))
    return _counted(run, job)


def _job(run: Run, encoded_uri: str, table_uri: str, tokens: np.ndarray, earlier: Staged | None = None) -> CountJob:
    """The job that counts some encoded text. tokens: of each bucket. earlier: counts of other text to add."""
    uris = {
        "encoded_uri": encoded_uri,
        "vocabulary_uri": run.uri("vocabulary"),
        "table_uri": table_uri,
        "partial_uri": storage.join(table_uri, "partial"),
    }
    config, training = run.config[CooccurrencesConfig], run.config[TrainingConfig]
    job = count_job(config, training.seed, training.cpu_target, tokens, uris)
    return job if earlier is None else with_earlier(job, earlier.uri, words_count(run))


def _counted(run: Run, job: CountJob) -> dict[str, Any]:
    write_listed(cooccurrences(run.session(), job), job.table_uri)
    run.staging.delete_files(job.partial_uri)
    entries = sum(int(sizes.sum()) for _, sizes in scan_row_entries(job.table_uri))
    if entries == 0:
        raise InputError(
            "no two words of the vocabulary stand near each other, so there is nothing to train on; give longer "
            "documents, lower vocabulary.min_count or raise cooccurrences.window"
        )
    return {"entries": entries}


def _adds_up(run: Run) -> bool:
    """Whether counts of parts of the corpus add up to its counts. Subsampling depends on the whole corpus."""
    config = run.config[CooccurrencesConfig]
    return "groups" in run.records["encoded"] and not config.subsample and exact_sums(config, _most(run))


def _most(run: Run) -> int:
    """The tokens of the most frequent word."""
    return max(pc.max(batch["count"]).as_py() or 0 for batch in scan_listed(run.uri("vocabulary"), ["count"]))


def _count_new_groups(run: Run) -> dict[str, Any]:
    """Count the groups of units that the last counts in staging do not have, and add those counts.

    The counts are kept with the list of their groups. If a group is gone, everything is counted.
    """
    makers = (make_cooccurrences,)
    own = fingerprint(settings=cooccurrences_settings(run.config), code=code_of(*makers), versions=versions_of(*makers))
    groups = [(attempt, number) for attempt, number in run.records["encoded"]["groups"]]
    wanted = set(groups)
    attempts = run.staging.find_all(NAME, own)
    earlier = next((one for one in attempts if {tuple(group) for group in one.record["groups"]} <= wanted), None)
    there = {tuple(group) for group in earlier.record["groups"]} if earlier is not None else set()
    new = [group for group in groups if group not in there]
    get_logger().info(key_values(stage=NAME, event="units", groups=len(groups), new=len(new), fingerprint=own))
    uri = run.staging.begin(NAME, own)
    text = storage.join(uri, "text")
    try:
        write_list(text, list_groups(run, text, new))
        tokens = np.zeros(run.records["encoded"]["buckets"], np.int64)
        for attempt, number in new:
            for file in listed_files(run.staging.absolute(attempt), f"buckets-{number}"):
                rows = read_listed(run.staging.absolute(attempt), files=[file])
                np.add.at(tokens, rows["bucket"].to_numpy(), rows["tokens"].to_numpy())
        record = _counted(run, _job(run, text, uri, tokens, earlier))
        run.staging.delete_files(text)
        units = read_listed(storage.join(run.uri("vocabulary"), "units"), ["name", "identity"])
        keys = list(zip(units["name"].to_pylist(), units["identity"].to_pylist(), strict=True))
        of_all = record | {"groups": groups, "units": keys, "paths": paths_of(run)}
        made = run.staging.complete(uri, of_all, [uri])
    except BaseException:
        run.staging.give_up(uri)
        raise
    for staged in run.staging.find_all(NAME, own):
        if staged.uri != made.uri:
            run.staging.discard_attempt(staged.uri)
    run.staging.discard_others(NAME, own)
    return record | {"at": run.staging.relative(uri)}


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
