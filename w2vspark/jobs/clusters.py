"""The job clusters: spherical k-means of all words of a published model."""

from dataclasses import dataclass
from typing import Any

from w2vspark.base.errors import InputError
from w2vspark.base.schemas import CENTROIDS, CLUSTERS
from w2vspark.base.wording import counted
from w2vspark.config.config import Config
from w2vspark.config.keys import Settings, at_least, between, key
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Command, Job, Needed, Step, Table
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.output.settings import OutputConfig
from w2vspark.spark.listed_files import TaskRows
from w2vspark.spark.session import PROCESS_BYTES, SparkConfig
from w2vspark.stages.centroids import MOST_CLUSTERS, ROWS, Vectors, centroid_units, centroids, clusters
from w2vspark.storage.listed import read_listed, write_small


@dataclass(frozen=True, slots=True, kw_only=True)
class ClustersConfig(Settings):
    """How words are divided into clusters."""

    section = "clusters"

    count: int = key(100, rule=between(2, MOST_CLUSTERS), why="The number of clusters.")
    iterations: int = key(
        20,
        rule=at_least(1),
        why="How often the centroids may move, each time after a pass over all words; it ends earlier once no word "
        "changes its cluster.",
    )
    seed: int = key(
        1,
        rule=between(0, 2**63 - 1),
        why="The first centroids are words that are drawn at random. The same seed gives the same clusters.",
    )


def sources(run: Run) -> dict[str, str]:
    """The fingerprint of the model. The run keeps to this version, whatever is published later.

    Raises OutputError when nothing is published in the model's folder, or a model without word vectors.
    """
    model = run.found["model"] = publish.resolve(run.model)
    Vectors.of(model)  # its errors come before anything is written
    return {"model": fingerprint(run_id=model.run_id)}


def centroids_settings(config: Config) -> Chosen:
    """Settings: all of [clusters]."""
    return {"clusters": config[ClustersConfig]}


def make_centroids(run: Run) -> dict[str, Any]:
    """Cluster the words, and write the staged table of schemas.CENTROIDS; return its record: the figures."""
    settings, model = run.config[ClustersConfig], run.found["model"]
    vectors = Vectors.of(model)
    with model.reading("run again"):
        try:
            found = centroids(run.session(), vectors, settings.count, settings.iterations, settings.seed)
        except ValueError as few:
            raise InputError(f"clusters.count = {settings.count}: of {vectors.words:,} words, {few}; lower it") from few
    write_small(found.table, run.uri("centroids"))
    return found.facts


def cluster_rows(run: Run) -> TaskRows:
    """Every word with its cluster."""
    found = centroid_units(read_listed(run.uri("centroids")))
    return clusters(run.session(), Vectors.of(run.found["model"]), found)


def word_count(run: Run) -> int:
    """The number of words of the model."""
    return Vectors.of(run.found["model"]).words


def centroid_rows(run: Run) -> Any:
    """The clusters with their sizes, labels and centroids."""
    return read_listed(run.uri("centroids"))


def centroid_count(run: Run) -> int:
    """The number of clusters."""
    return run.config[ClustersConfig].count


def facts(run: Run) -> dict[str, Any]:
    """For the manifest: the model, and how good the clusters are."""
    record, model = run.records["centroids"], run.found["model"]
    names = ("count", "iterations", "converged", "mean_cosine", "silhouette", "silhouette_words")
    return {
        "model": {"output": run.model, "version": model.name, "run_id": model.run_id},
        "clusters": {name: record[name] for name in names},
    }


def summary(version: Version) -> list[str]:
    """Lines for the user: how many clusters, and how good they are."""
    found, model = version.manifest["clusters"], version.manifest["model"]
    words = version.manifest["tables"]["clusters"]
    ended = "no word changed its cluster any more" if found["converged"] else "some words would still change clusters"
    silhouette = found["silhouette"]
    lines = [
        f"clusters    {found['count']:,} of {words:,} words of {model['output']} ({model['version']})",
        f"quality     mean cosine {found['mean_cosine']:.3f} with the centroids; {ended} "
        f"after {counted(found['iterations'], 'iteration')}",
    ]
    if silhouette is not None:
        lines.append(f"silhouette  {silhouette:.3f}, of {found['silhouette_words']:,} words")
    return lines


def next_commands(version: Version, output: str) -> list[Command]:
    """The list of versions."""
    return [("versions", output)]


def needed(run: Run) -> Needed:
    """The memory that a worker needs: for the process, and for blocks of vectors and the centroids."""
    vectors, settings = Vectors.of(run.found["model"]), run.config[ClustersConfig]
    dimensions = int(run.found["model"].manifest.get("config", {}).get("training", {}).get("dimensions", 100))
    group = max((int(file["size"]) for file in vectors.files), default=0)
    worker = PROCESS_BYTES + min(group, 64 << 20) + 8 * (ROWS * (2 * dimensions + settings.count))
    worker += 2 * 8 * settings.count * dimensions
    text = f"for {vectors.words:,} words of the model:\n  a worker {worker / 1e6:,.0f} MB of Python memory"
    return Needed(run.config, text)


CLUSTERS_JOB = Job(
    name="clusters",
    help="divide all words of a model into clusters (spherical k-means)",
    settings=(ClustersConfig, OutputConfig, SparkConfig),
    sources=sources,
    steps=(Step("centroids", ("model",), centroids_settings, make_centroids),),
    publishes=(
        Table("clusters", CLUSTERS, "a word and its cluster", cluster_rows, word_count),
        Table("centroids", CENTROIDS, "a cluster, its size and its centre", centroid_rows, centroid_count),
    ),
    facts=facts,
    summary=summary,
    next_commands=next_commands,
    needed=needed,
)
