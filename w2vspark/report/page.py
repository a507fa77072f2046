"""The report: one HTML page with its data, its script and its style, which asks nothing of any network."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark import __version__
from w2vspark.output.publish import Version
from w2vspark.report import facts
from w2vspark.report.drift import drift_of
from w2vspark.report.frequency import read_frequency
from w2vspark.report.frequent import SHOWN, TOP, Frequent, read_frequent
from w2vspark.report.word_map import cluster_names, why_no_map
from w2vspark.vectors.nearest import nearest_rows

LARGEST = 3_000_000  # bytes of a page
LONGEST = 60  # characters of a word; the rest is cut
COSINE = 10_000  # cosines are whole multiples of 1 / COSINE
_ESCAPED = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&'\u2028\u2029"}


def make_report(
    version: Version,
    previous: Version | None = None,
    map_rows: pa.Table | None = None,
    defaults: Mapping[str, Mapping[str, Any]] | None = None,
) -> bytes:
    """The report of a version, UTF-8 HTML of at most LARGEST bytes.

    previous: the version to compare with. map_rows: the rows of table `map` (make_map); without rows, the page has no
    map. defaults: the settings of the version's method at their defaults, as config.to_dict gives them. Reads the rows
    of the most frequent words and small tables, and needs memory for these alone. Raises OutputError when the version
    has no table of word vectors, or when a table is damaged or was deleted.
    """
    frequent = read_frequent(version)
    earlier = read_frequent(previous) if previous is not None and previous.has("vectors") else None
    data = _about_run(version, previous, defaults or {})
    data["frequency"] = _frequency(version)
    data["drift"] = _drift(frequent, earlier, previous)
    shown = min(SHOWN, len(frequent.words))
    while True:
        page = _page(data | _about_words(frequent, shown, map_rows))
        if len(page) <= LARGEST or shown < 2:  # words are cut, so that the rest of the page is never so large
            return page
        shown //= 2


def _about_run(version: Version, previous: Version | None, defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    same = previous is not None and facts.about(previous)["made_by"] == facts.about(version)["made_by"]
    return {
        "about": facts.about(version),
        "previous": facts.about(previous) if previous is not None else None,
        "corpus": facts.corpus(version),
        "details": facts.details(version),
        "stages": facts.stages(version),
        "tables": facts.tables(version),
        "rounds": facts.rounds(version),
        # Losses of two methods are different quantities.
        "previous_rounds": facts.rounds(previous) if previous is not None and same else None,
        "scores": facts.scores(version, previous),
        "settings": facts.settings(version, defaults),
        "made_with": f"w2vspark {__version__}",
    }


def _frequency(version: Version) -> dict[str, Any]:
    found = read_frequency(version)
    shares = [round(share, 5) for share in found.shares.tolist()]
    return {"rank": found.ranks.tolist(), "count": found.counts.tolist(), "share": shares}


def _drift(frequent: Frequent, earlier: Frequent | None, previous: Version | None) -> dict[str, Any]:
    if previous is None:
        return {"missing": "There is no earlier version to compare with."}
    if earlier is None:
        return {"missing": f"Version {previous.name} has no word vectors to compare with."}
    found = drift_of(earlier, frequent)
    if found is None:
        return {"missing": f"Version {previous.name} has too few frequent words in common with this one."}
    for changed in found["changed"]:
        changed["word"] = cut(changed["word"])
        for key in ("before", "after"):
            changed[key] = [cut(word) for word in changed[key]]
    return found


def _about_words(frequent: Frequent, shown: int, map_rows: pa.Table | None) -> dict[str, Any]:
    """The first words with their neighbours and places. Words that are neighbours only follow them."""
    found, cosines = nearest_rows(frequent.unit, np.arange(shown), TOP)
    others = np.unique(found[found >= shown])
    place = np.arange(len(frequent.words))
    place[others] = shown + np.arange(len(others))
    rows = np.concatenate([np.arange(shown), others])
    return {
        "among": len(frequent.words),
        "examples": examples(frequent, shown),
        "words": [cut(frequent.words[row]) for row in rows.tolist()],
        "counts": frequent.counts[rows].tolist(),
        "neighbours": {
            "words": shown,
            "top": int(found.shape[1]),
            "ids": _packed(place[found], "<u2"),
            "cosines": _packed(np.rint(cosines * COSINE), "<i2"),
            "cosine": COSINE,
        },
        "map": _map(frequent, shown, map_rows),
    }


def _map(frequent: Frequent, shown: int, map_rows: pa.Table | None) -> dict[str, Any]:
    if map_rows is None or not len(map_rows):
        return {"missing": why_no_map(frequent) or "This report was made without a map."}
    places_of_ids = {number: row for row, number in enumerate(frequent.ids.tolist())}
    order = [places_of_ids.get(number, len(places_of_ids)) for number in map_rows["id"].to_pylist()]
    map_rows = map_rows.take(np.argsort(order, kind="stable"))  # as the words of the page
    clusters = map_rows["cluster"].fill_null(-1).to_numpy().astype(np.int32)
    of_map = frequent.rows(slice(0, len(clusters)))
    names = cluster_names(of_map, clusters)
    places = np.stack([map_rows[name].to_numpy() for name in ("x", "y")])[:, :shown].astype(np.float64)
    low, span = places.min(axis=1, keepdims=True), max(float(np.ptp(places, axis=1).max()), 1e-9)
    whole = np.rint((places - low) / span * 65535)
    return {
        "x": _packed(whole[0], "<u2"),
        "y": _packed(whole[1], "<u2"),
        "cluster": _packed(clusters[:shown], "<i2"),
        "clusters": [
            [cut(name, 3 * LONGEST), int(size)]
            for name, size in zip(names, np.bincount(clusters[clusters >= 0], minlength=len(names)), strict=True)
        ],
    }


def examples(frequent: Frequent, shown: int, count: int = 8) -> list[int]:
    """Rows of words to begin with: of middle frequency, as far apart as their ranks allow, the longer words first."""
    parts = np.array_split(np.arange(shown // 20, max(shown // 4, shown // 20 + 1)), count)
    return [max(part.tolist(), key=lambda row: min(len(frequent.words[row]), 8)) for part in parts if len(part)]


def cut(word: str, longest: int = LONGEST) -> str:
    """A word, cut if it has more than `longest` characters."""
    return word if len(word) <= longest else word[: longest - 1] + "…"


def _packed(values: NDArray[Any], kind: str) -> str:
    """Whole numbers as base64 text of little-endian values."""
    return base64.b64encode(np.ascontiguousarray(values.astype(kind)).tobytes()).decode("ascii")


def _page(data: Mapping[str, Any]) -> bytes:
    """The page. Every text of the run is in its data; the script puts them into the page as texts, never as HTML."""
    folder = files(__package__).joinpath("page_files")
    style, frame = (folder.joinpath(name).read_text("utf-8") for name in ("style.css", "frame.html"))
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".js")), key=lambda file: file.name)
    script = "".join(file.read_text("utf-8") for file in scripts)
    about = data["about"]
    parts = {
        "policy": "; ".join(
            [
                "default-src 'none'",
                f"script-src '{_digest(script)}'",
                f"style-src '{_digest(style)}'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        "title": html.escape(f"{about['made_by']}, version {about['version']}: report of w2vspark"),
        "style": style,
        "script": script,
        "data": json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_ESCAPED),
    }
    return re.sub(r"{{(\w+)}}", lambda found: parts[found[1]], frame).encode("utf-8", "replace")


def _digest(text: str) -> str:
    """The hash by which a content security policy knows an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
