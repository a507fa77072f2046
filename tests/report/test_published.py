"""The page and the map of a real run: they are made from the candidate, with its scores, and never change."""

import json
from pathlib import Path

import planted
import pyarrow.parquet as pq
from commands import current, manifest, options, run_here, version_folder
from reading import Page

from w2vspark.base import schemas


def command(corpus: Path, output: Path, **settings: object) -> list[str]:
    quick = {"training__dimensions": 8, "training__epochs": 2, "vocabulary__min_count": 1}
    return ["run", *options(**({"input__path": corpus, "output__path": output} | quick | settings))]


def test_a_version_has_its_page_and_its_map_and_the_next_one_is_compared_with_it(spark, umap, tmp_path):
    corpus = planted.write_lines(tmp_path / "corpus", planted.documents(60, seed=5))
    output = tmp_path / "out"
    done = run_here(*command(corpus, output)).assert_done()
    folder = version_folder(output)
    assert f"look at     {folder}/artefacts/report.html" in done.out and "scores,map}" in done.out
    places = pq.read_table(folder / "map")
    assert places.schema.equals(schemas.MAP) and places.num_rows == manifest(output)["tables"]["vocabulary"]
    first = Page((folder / "artefacts" / "report.html").read_bytes())
    assert first.data["previous"] is None and "missing" not in first.data["map"]
    assert {row["metric"] for row in first.data["scores"]} == {row["metric"] for row in manifest(output)["scores"]}

    run_here(*command(corpus, output, training__seed=2, report__map=False)).assert_done()
    folder = version_folder(output)
    assert current(output)["version"] == "000002" and not (folder / "map").exists()
    second = Page((folder / "artefacts" / "report.html").read_bytes())
    assert second.data["previous"]["version"] == "000001" and "missing" in second.data["map"]
    assert "missing" not in second.data["drift"]

    run_here(*command(corpus, output, training__seed=3, report__page=False)).assert_done()
    assert "artefacts" not in manifest(output) and not (version_folder(output) / "artefacts").exists()
    told = json.loads(run_here("report", str(output), "--out", str(tmp_path / "page.html"), "--json").out)
    assert (told["version"], told["compared_with"]) == ("000003", "000002")
