"""Which tables of the job clusters are made again."""

from dataclasses import replace

import pytest
from fingerprinting import fingerprints_of, made_anew, source_of, with_changed

from w2vspark.jobs import JOBS, clusters, from_dict
from w2vspark.output.publish import Version

MODEL = Version("/model", "1", {})


def clustering(monkeypatch: pytest.MonkeyPatch, model: Version = MODEL, **settings: int) -> dict[str, str]:
    """The fingerprints of a run of the job."""
    with monkeypatch.context() as patch:
        patch.setattr(clusters.publish, "resolve", lambda output: model)
        patch.setattr(clusters, "Vectors", type("Vectors", (), {"of": staticmethod(lambda version: None)}))
        config = from_dict(JOBS["clusters"], {"output": {"path": "/nowhere"}, "clusters": settings})
        return fingerprints_of((JOBS["clusters"], config), model="/model")


@pytest.mark.parametrize(
    ("name", "anew"),
    [
        ("w2vspark.jobs.clusters.cluster_rows", {"version"}),
        ("w2vspark.stages.centroids.centroids", {"centroids", "version"}),
        ("w2vspark.vectors.k_means.moved_centroids", {"centroids", "version"}),
        ("w2vspark.stages.folded.folded", set()),
        ("w2vspark.report.word_map.make_map", set()),
    ],
)
def test_changed_code_clusters_or_publishes_anew(name, anew, monkeypatch):
    before = clustering(monkeypatch)
    module, _, definition = name.rpartition(".")
    with source_of(monkeypatch, module, with_changed(module, definition)):
        assert made_anew(before, clustering(monkeypatch)) == anew


def test_another_model_or_setting_is_clustered_anew(monkeypatch):
    before = clustering(monkeypatch)
    others = [{"count": 7}, {"iterations": 3}, {"seed": 2}]
    for after in (
        clustering(monkeypatch, replace(MODEL, run_id="2")),
        *(clustering(monkeypatch, **other) for other in others),
    ):
        assert made_anew(before, after) == {"centroids", "version"} and before["request"] != after["request"]
