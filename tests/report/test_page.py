import base64
import hashlib
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reading import Page, unpacked
from versions import (
    CONFIG,
    HOSTILE,
    NOTE,
    counts_of,
    matrix_of,
    metrics,
    publish,
    scores,
    vectors_of,
    words_of,
)

from w2vspark.base import schemas
from w2vspark.base.errors import OutputError
from w2vspark.report import make_report, page
from w2vspark.report.word_map import clusters_of, why_no_map
from w2vspark.vectors.drift import neighbour_overlap

DEFAULTS = {"training": {"method": "skipgram-ns", "dimensions": 100, "epochs": "auto", "shards": 2}}


def map_of(words: list[str], matrix: np.ndarray) -> pa.Table:
    """A map without UMAP: the first two coordinates."""
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9)
    clusters = clusters_of(unit)
    ids = np.arange(len(words), dtype=np.int32)
    cluster = pa.array(clusters, mask=clusters < 0)
    return pa.Table.from_arrays(
        [pa.array(ids), pa.array(words), pa.array(matrix[:, 0]), pa.array(matrix[:, 1]), cluster], schema=schemas.MAP
    )


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report") / "vectors"


@pytest.fixture(scope="module")
def made(output: Path) -> bytes:
    """A report of a version with everything, beside an earlier one with other vectors, of fewer words."""
    words, matrix = words_of(600), matrix_of(600, seed=1)
    before = publish(
        output, "000001", words[:500], matrix_of(500, seed=2), {"scores": scores(0.5), "metrics": metrics(2)}
    )
    more = {"scores": scores(0.6, threshold=0.55, passed=True), "metrics": metrics()}
    version = publish(output, "000002", words, matrix, more)
    return make_report(version, before, map_of(words, matrix), DEFAULTS)


@pytest.fixture(scope="module")
def read(made: bytes) -> Page:
    return Page(made)


def exact_neighbours(matrix: np.ndarray, row: int, top: int) -> tuple[list[int], list[float]]:
    """The nearest rows, in float64."""
    unit = matrix.astype(np.float64) / np.maximum(
        np.linalg.norm(matrix.astype(np.float64), axis=1, keepdims=True), 1e-9
    )
    cosines = unit @ unit[row]
    cosines[row] = -2
    order = np.argsort(-cosines, kind="stable")[:top].tolist()
    return order, cosines[order].tolist()


def test_neighbours_and_cosines_are_those_of_numpy(read):
    near = read.data["neighbours"]
    ids = unpacked(near["ids"], "<u2").reshape(near["words"], near["top"])
    cosines = unpacked(near["cosines"], "<i2").reshape(ids.shape) / near["cosine"]
    assert (near["words"], near["top"]) == (600, 10)
    for row in (0, 3, 77, 598):
        expected, values = exact_neighbours(matrix_of(600, seed=1), row, 10)
        assert ids[row].tolist() == expected
        np.testing.assert_allclose(cosines[row], values, atol=6e-5)


def test_words_counts_and_figures_are_those_of_the_tables(read, output):
    table = pq.read_table(output / "versions" / "000002" / "vectors")
    data = read.data
    assert data["words"] == [page.cut(word) for word in table["word"].to_pylist()]
    assert data["counts"] == table["count"].to_pylist()
    assert data["about"] == {
        "version": "000002", "made_by": "skipgram-ns", "made": "2026-03-01T10:00:00+00:00", "documents": 70,
        "tokens": 123_456, "known_tokens": 120_000, "words": 600, "seconds": 13.75,
    }  # fmt: skip
    assert data["previous"]["words"] == 500
    assert data["stages"] == [["word counts", 1.5], ["rounds", 12.25]]
    assert data["corpus"] == [["documents", 70], ["tokens", 123_456], ["empty documents", 2]]
    sizes = {name: sum(file.stat().st_size for file in (output / "versions/000002" / name).iterdir()) for name in
             ("vectors", "vocabulary", "scores", "metrics")}  # fmt: skip
    assert {name: size for name, _, size in data["tables"]} == sizes


def test_the_curve_of_counts_is_exact_at_every_point(read):
    counts, curve = counts_of(600), read.data["frequency"]
    assert curve["rank"] == sorted(curve["rank"]) and curve["rank"][-1] == 600 and len(curve["rank"]) > 110
    for rank, count, share in zip(curve["rank"], curve["count"], curve["share"], strict=True):
        if rank <= 100:
            assert count == counts[rank - 1]
            assert share == pytest.approx(counts[:rank].sum() / counts.sum(), abs=1e-5)
        else:
            assert rank == (counts >= count).sum()
            assert share == pytest.approx(counts[counts >= count].sum() / counts.sum(), abs=1e-5)


def test_loss_and_speed_of_a_round_are_means_over_what_its_shards_trained_on(read):
    rounds = read.data["rounds"]
    assert rounds["round"] == [1, 2, 3] and rounds["shards"] == 2 and rounds["item"] == "words"
    expected = [(1000 * (1 / n) + 1100 * (1 / n + 1)) / 2100 for n in (1, 2, 3)]
    assert rounds["loss"] == pytest.approx(expected, rel=1e-5)
    assert rounds["speed"] == pytest.approx([2100 / 2.0] * 3)
    assert rounds["learning_rate"] == pytest.approx([0.1, 0.05, 0.1 / 3], rel=1e-5)
    assert read.data["previous_rounds"]["round"] == [1, 2]


def test_scores_stand_beside_those_of_the_previous_version(read):
    first, second = read.data["scores"]
    assert first == {
        "task": NOTE, "metric": "spearman", "value": 0.6, "covered": 340, "total": 353, "threshold": 0.55,
        "passed": True, "before": 0.5, "more_is_better": True,
    }  # fmt: skip
    assert (second["value"], second["before"], second["passed"], second["more_is_better"]) == (None, None, None, False)


def test_settings_that_differ_are_shown_with_their_defaults_and_secrets_are_not(read, made):
    rows = {key: (value, default) for key, value, default in read.data["settings"]}
    assert rows["training.dimensions"] == ("16", "100") and rows["training.epochs"] == ("7", '"auto"')
    assert "training.shards" not in rows and "training.method" not in rows
    assert "geheim" in str(CONFIG) and b"geheim" not in made and "(redacted)" in rows["input.options"][0]
    assert ["input", f"/lake/{NOTE}, s3://bucket/text"] in read.data["details"]


def test_the_map_has_the_places_and_clusters_of_its_rows(read):
    matrix, places = matrix_of(600, seed=1), read.data["map"]
    x, y = (unpacked(places[name], "<u2").astype(float) for name in "xy")
    span = max(np.ptp(matrix[:, 0]), np.ptp(matrix[:, 1]))
    np.testing.assert_allclose(x / 65535 * span, matrix[:, 0] - matrix[:, 0].min(), atol=1e-3)
    np.testing.assert_allclose(y / 65535 * span, matrix[:, 1] - matrix[:, 1].min(), atol=1e-3)
    cluster = unpacked(places["cluster"], "<i2")
    sizes = [size for _, size in places["clusters"]]
    assert cluster[-1] == -1 and sizes == sorted(sizes, reverse=True) and sum(sizes) == 599
    assert sizes == np.bincount(cluster[:-1]).tolist()


def test_drift_is_that_of_neighbour_overlap_with_the_words_that_changed_most(read):
    drift, words = read.data["drift"], words_of(600)
    units = []
    for count, seed in ((500, 2), (600, 1)):
        matrix = matrix_of(count, seed)
        units.append(matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-9))
    common, shares = neighbour_overlap(words[:500], units[0], words, units[1], 2000, 10)
    kept = np.rint(shares * 10).astype(int)
    assert drift["words"] == drift["among"] == 500 and drift["top"] == 10
    assert drift["mean"] == pytest.approx(shares.mean(), abs=1e-4)
    assert drift["histogram"] == np.bincount(kept, minlength=11).tolist()
    shown = drift["changed"]
    assert [row["kept"] for row in shown] == sorted(kept.tolist())[: len(shown)]
    for row in shown:
        full = next(word for word in words if page.cut(word) == row["word"])
        assert kept[common.index(full)] == row["kept"] == len(set(row["before"]) & set(row["after"]))


def test_hostile_words_and_settings_are_only_texts_of_the_data(read, made):
    assert [name for name, _ in read.tags].count("script") == 2 and not [name for name, _ in read.tags if name == "img"]
    for word in HOSTILE:
        assert page.cut(word) in read.data["words"]
    assert len(re.findall(rb"</script", made)) == 2 and b"<!--" not in made and b"onerror=" in made
    assert "\u2028".encode() not in made


def test_the_title_is_escaped(tmp_path):
    made = make_report(publish(tmp_path / "o", method=NOTE))
    assert b"</title><script>" not in made and Page(made).data["about"]["made_by"] == NOTE


def test_the_policy_allows_the_pages_own_script_and_style_by_their_hashes_and_nothing_else(read):
    policy = read.policy
    assert policy["default-src"] == ["'none'"] and policy["base-uri"] == policy["form-action"] == ["'none'"]
    texts = {(tag, attributes.get("type")): text for tag, attributes, text in read.texts}
    for directive, text in (("script-src", texts["script", None]), ("style-src", texts["style", None])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[directive] == [f"'sha256-{digest}'"]
    assert "unsafe" not in str(policy)


def test_nothing_is_loaded_from_elsewhere(read):
    loading = ("src", "href", "srcset", "action", "data", "poster", "background", "formaction", "ping")
    for tag, attributes in read.tags:
        for name in loading:
            value = attributes.get(name)
            assert value is None or value in ("data:,", "#content"), f"<{tag} {name}={value}>"
        assert not [name for name in attributes if name.startswith("on") or name == "style"], tag
    for tag, attributes, text in read.texts:
        if tag != "title" and attributes.get("id") != "data":
            found = set(re.findall(r"https?://[^\"'\s)]+", text)) - {"http://www.w3.org/2000/svg"}
            assert not found and not re.search(
                r"@import|url\(|\bimport\b|\bfetch\(|XMLHttp|eval\(|innerHTML|Function\(", text
            )


def test_the_same_version_gives_the_same_bytes(output, made):
    from w2vspark.output.publish import read_version

    before, version = (read_version(str(output / "versions" / name)) for name in ("000001", "000002"))
    assert make_report(version, before, map_of(words_of(600), matrix_of(600, seed=1)), DEFAULTS) == made


def test_a_version_of_a_method_without_rounds_scores_or_an_earlier_version_says_so(tmp_path):
    data = Page(make_report(publish(tmp_path / "o", more={}), None)).data
    assert data["rounds"] is None and data["scores"] is None and data["previous"] is None
    assert data["drift"] == {"missing": "There is no earlier version to compare with."}
    assert data["map"]["missing"] == "This report was made without a map." or "umap" in data["map"]["missing"]


def test_a_version_without_word_vectors_has_no_report(tmp_path):
    tables = {"documents": pa.table([["a"], [[1.0]]], schema=schemas.DOCUMENTS)}
    from outputs import publish_version

    from w2vspark.output.publish import read_version

    folder = publish_version(tmp_path / "o", "000001", tables, job="fold")
    with pytest.raises(OutputError, match="fold has published no table of word vectors"):
        make_report(read_version(str(folder)))


def test_a_missing_id_is_damage(tmp_path):
    words = words_of(20)
    table = vectors_of(words, matrix_of(20, seed=1)).filter(pa.array([number != 7 for number in range(20)]))
    with pytest.raises(OutputError, match="19 rows have the ids of the 20 most frequent words"):
        make_report(publish(tmp_path / "o", words=words, more={"vectors": table}))


def test_kept_ids_that_do_not_follow_counts_change_nothing_but_the_ids(tmp_path):
    words, matrix = words_of(600), matrix_of(600, seed=1)
    ids = np.random.default_rng(8).permutation(600).astype(np.int32)
    plain, rows = map_of(words, matrix), vectors_of(words, matrix)
    rows = rows.set_column(2, schemas.VECTORS.field("count"), pa.array(range(2000, 1400, -1), pa.int64()))
    kept = rows.set_column(0, schemas.VECTORS.field("id"), pa.array(ids)).sort_by("id").cast(schemas.VECTORS)
    of = {name: {"vectors": table, "vocabulary": table.select(["id", "word", "count"])}
          for name, table in (("plain", rows), ("kept", kept))}  # fmt: skip
    of_kept = plain.set_column(0, schemas.MAP.field("id"), pa.array(ids)).sort_by("id").cast(schemas.MAP)
    found = Page(make_report(publish(tmp_path / "kept", more=of["kept"]), None, of_kept)).data
    expected = Page(make_report(publish(tmp_path / "plain", more=of["plain"]), None, plain)).data
    for key in ("words", "counts", "neighbours", "map", "frequency", "among", "examples"):
        assert found[key] == expected[key], key


@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_tiny_version_has_a_report(tmp_path, count):
    words = [f"w{number}" for number in range(count)]
    version = publish(tmp_path / "o", words=words, matrix=np.eye(count, 3, dtype=np.float32))
    data = Page(make_report(version, version)).data
    assert data["neighbours"]["top"] == min(10, count - 1) and len(data["words"]) == count
    assert ("missing" in data["drift"]) == (count < 2)
    assert why_no_map(page.read_frequent(version)).startswith("There is no map: it needs at least 100 words")


def test_only_the_first_words_of_a_large_version_are_shown_in_at_most_three_megabytes(tmp_path):
    words = [f"{'ü' * 70}{number}" for number in range(100_000)]
    matrix = matrix_of(100_000, seed=3, dimensions=8)
    version = publish(tmp_path / "o", words=words, matrix=matrix)
    places = map_of(words[:5000], matrix[:5000])
    made = make_report(version, version, places)
    data = Page(made).data
    assert 1_000_000 < len(made) <= 3_000_000
    assert data["neighbours"]["words"] == 5000 and data["among"] == 10_000 and data["about"]["words"] == 100_000
    assert data["frequency"]["rank"][-1] == 100_000 and len(data["frequency"]["rank"]) < 400


def test_a_page_that_would_be_too_large_shows_fewer_words(tmp_path, monkeypatch):
    words, matrix = words_of(600), matrix_of(600, seed=1)
    monkeypatch.setattr(page, "LARGEST", 80_000)
    made = make_report(publish(tmp_path / "o"), None, map_of(words, matrix))
    data = Page(made).data
    assert len(made) <= 80_000 and 1 <= data["neighbours"]["words"] < 600
    assert len(unpacked(data["map"]["x"], "<u2")) == data["neighbours"]["words"]


def test_a_cut_word_is_sixty_characters_long():
    assert page.cut("a" * 60) == "a" * 60 and page.cut("a" * 61) == "a" * 59 + "…"
