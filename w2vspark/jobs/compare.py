"""The job compare: how far each word moved between two versions of an output, and how many neighbours it kept."""

from dataclasses import dataclass
from typing import Any

from w2vspark.base.schemas import DRIFT
from w2vspark.base.wording import counted
from w2vspark.config.config import Config
from w2vspark.config.keys import Settings, key
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import NO_SETTINGS, Chosen, Job, Needed, StagedRows, Step, Table
from w2vspark.output.publish import Version
from w2vspark.output.settings import OutputConfig
from w2vspark.output.versions import two_versions
from w2vspark.spark.listed_files import write_table
from w2vspark.spark.session import PROCESS_BYTES, SparkConfig
from w2vspark.stages.movement import drift, rotation, version_pairs
from w2vspark.stages.movement import summary as movement_summary
from w2vspark.stages.version_scores import shares_by_spark


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareConfig(Settings):
    """Which versions are compared."""

    section = "compare"

    versions: tuple[str, ...] = key(
        (),
        rule=(lambda names: len(names) in (0, 2), "must name two versions, the older one first"),
        why='The numbers of two versions, as in ["000001", "000002"]; without them, the current version and the one '
        "before it.",
    )


def sources(run: Run) -> dict[str, str]:
    """The fingerprints of both versions. Raises OutputError when one of them is missing or has no vectors."""
    old, new = run.found["versions"] = two_versions(run.model, run.config[CompareConfig].versions)
    for version in (old, new):
        version.table("vectors")
    return {"old version": fingerprint(run_id=old.run_id), "new version": fingerprint(run_id=new.run_id)}


def drift_settings(_: Config) -> Chosen:
    """No settings: the versions are sources."""
    return NO_SETTINGS


def make_drift(run: Run) -> dict[str, Any]:
    """Rotate the old vectors onto the new ones, and write each word's drift."""
    session, uri, (old, new) = run.session(), run.uri("drift"), run.found["versions"]
    with old.reading("run again"), new.reading("run again"):
        shares = shares_by_spark(session, old, new)
        both = version_pairs(session, old, new)
        rows = write_table(drift(both, rotation(both, dimensions_of(old)), shares), uri, DRIFT)
    moved = movement_summary(uri)
    return {
        "rows": rows,
        "only_old": old.manifest["tables"]["vectors"] - rows,
        "only_new": new.manifest["tables"]["vectors"] - rows,
        "mean_cosine": moved["mean_cosine"],
        "shared_neighbours": sum(shares.values()) / len(shares) if shares else None,
        "farthest": moved["farthest"],
    }


def dimensions_of(version: Version) -> int:
    """The length of a version's vectors."""
    return int(version.manifest["config"]["training"]["dimensions"])


def drift_rows(run: Run) -> StagedRows:
    """The drift, as in staging."""
    return StagedRows(run.uri("drift"))


def drift_count(run: Run) -> int:
    """The number of words that both versions have."""
    return int(run.records["drift"]["rows"])


def facts(run: Run) -> dict[str, Any]:
    """For the manifest: both versions, and the figures of the comparison."""
    old, new = run.found["versions"]
    record = {key: value for key, value in run.records["drift"].items() if key not in ("seconds", "rows")}
    return {
        "model": {"output": run.model, "version": new.name, "run_id": new.run_id},
        "compared": {"old": old.name, "new": new.name, "words": run.records["drift"]["rows"], **record},
    }


def summary(version: Version) -> list[str]:
    """Lines for the user: the words of both versions, how much they agree, and the words that moved farthest."""
    found = version.manifest["compared"]
    shared = (
        "" if found["shared_neighbours"] is None else f"; {found['shared_neighbours']:.1%} of neighbours are shared"
    )
    return [
        f"compared    {found['old']} with {found['new']}: {counted(found['words'], 'word')} in both, "
        f"{found['only_old']:,} in the older one only, {found['only_new']:,} in the newer one only",
        f"drift       mean cosine {found['mean_cosine']:.4f} after the rotation{shared}",
        f"farthest    {', '.join(found['farthest']) or 'no word is frequent enough to tell'}",
    ]


def needed(run: Run) -> Needed:
    """The memory that a worker needs: for the process, and for the frequent words of both versions."""
    rows = sum(version.manifest["tables"]["vectors"] for version in run.found["versions"])
    return Needed(run.config, f"for {rows:,} words:\n  a worker {(PROCESS_BYTES + 2e8) / 1e6:,.0f} MB of Python memory")


COMPARE = Job(
    name="compare",
    help="compare two versions: how far words moved, and which neighbours they kept",
    settings=(CompareConfig, OutputConfig, SparkConfig),
    sources=sources,
    steps=(Step("drift", ("old version", "new version"), drift_settings, make_drift),),
    publishes=(Table("drift", DRIFT, "a word of both versions, and how far it moved", drift_rows, drift_count),),
    facts=facts,
    summary=summary,
    needed=needed,
    model="the output folder of a run",
)
