"""What the report says of a run: corpus, stages, rounds, scores and settings, from the manifest and small tables."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.redaction import redacted
from w2vspark.config.values import toml_value
from w2vspark.output.publish import Version
from w2vspark.output.scores import OF_TEST_SETS

AUTO = "auto"  # the value of a setting that the run chooses
_FIGURES = {
    "documents": "documents",
    "tokens": "tokens",
    "empty_documents": "empty documents",
    "null_documents": "documents without text",
    "malformed_rows": "malformed rows",
    "duplicate_ids": "ids that occur more than once",
    "invalid_utf8": "documents with invalid UTF-8",
}


def about(version: Version) -> dict[str, Any]:
    """What made a version: method, time, size of its corpus and model. A figure that the manifest lacks is null."""
    manifest = version.manifest
    config, vocabulary = manifest.get("config", {}), manifest.get("vocabulary", {})
    return {
        "version": version.name,
        "made_by": manifest.get("method") or config.get("training", {}).get("method", "unknown"),
        "made": manifest.get("created"),
        "documents": manifest.get("corpus", {}).get("documents"),
        "tokens": manifest.get("corpus", {}).get("tokens"),
        "known_tokens": vocabulary.get("tokens"),
        "words": vocabulary.get("words", manifest["tables"].get("vectors")),
        "seconds": sum(manifest.get("seconds", {}).values()) or None,
    }


def corpus(version: Version) -> list[list[Any]]:
    """Rows of a figure of the corpus, and its number; figures about mistakes that are 0 are left out."""
    found = version.manifest.get("corpus", {})
    always = ("documents", "tokens")
    return [[name, found[key]] for key, name in _FIGURES.items() if found.get(key) or (key in always and key in found)]


def details(version: Version) -> list[list[str]]:
    """Rows of a name and a text: where the run read and wrote, and with which software and code."""
    manifest = version.manifest
    paths = manifest.get("config", {}).get("input", {}).get("path", [])
    rows = [
        ["input", ", ".join(paths) if isinstance(paths, list) else str(paths)],
        ["version's folder", version.folder],
        ["run", version.run_id],
        ["CPU target", manifest.get("cpu_target", "")],
        ["code", manifest.get("code", "")],
        *([f"fingerprint of {name}", text] for name, text in manifest.get("fingerprints", {}).items()),
        *([package, number] for package, number in manifest.get("versions", {}).items()),
    ]
    return [[name, str(text)] for name, text in rows if text]


def stages(version: Version) -> list[list[Any]]:
    """Rows of a stage, and the seconds that it took, in the order of the run."""
    return [[name.replace("_", " "), seconds] for name, seconds in version.manifest.get("seconds", {}).items()]


def tables(version: Version) -> list[list[Any]]:
    """Rows of a published table, its rows, and its bytes."""
    rows, files = version.manifest["tables"], version.manifest["files"]
    return [[name, count, sum(file["size"] for file in files[name])] for name, count in rows.items()]


def rounds(version: Version) -> dict[str, Any] | None:
    """The training by rounds: round, loss, learning rate, items per second of one shard; None without table metrics.

    The loss of a round is the mean over the items that its shards trained on. Learning rates of shards are equal.
    """
    if not version.has("metrics"):
        return None
    with version.reading("run the command again"):
        table = storage.read_table(version.table("metrics"))
    number = table["round"].to_numpy()
    order = np.unique(number)
    tokens, seconds = table["tokens"].to_numpy().astype(np.float64), table["seconds"].to_numpy()
    sums = np.zeros((4, len(order)))
    at = np.searchsorted(order, number)
    for total, values in zip(sums, (tokens, table["loss"].to_numpy() * tokens, seconds), strict=False):
        np.add.at(total, at, values)
    np.maximum.at(sums[3], at, table["learning_rate"].to_numpy())
    # A method with this table of settings trains on counts of pairs.
    item = "counts" if "cooccurrences" in version.manifest.get("config", {}) else "words"
    return {
        "round": order.tolist(),
        "loss": _rounded(sums[1] / np.maximum(sums[0], 1)),
        "speed": _rounded(sums[0] / np.where(sums[2] > 0, sums[2], np.nan)),
        "learning_rate": _rounded(sums[3]),
        "shards": len(np.unique(table["shard"].to_numpy())),
        "item": item,
    }


def scores(version: Version, previous: Version | None) -> list[dict[str, Any]] | None:
    """The rows of table scores, those of test sets first, each with the previous version's value as `before`.

    None without this table.
    """
    now = _score_rows(version)
    if now is None:
        return None
    earlier = (_score_rows(previous) if previous is not None else None) or []
    before = {(row["task"], row["metric"]): row["value"] for row in earlier}
    rows = [
        row | {"before": before.get((row["task"], row["metric"])), "more_is_better": row["metric"] in OF_TEST_SETS}
        for row in now
    ]
    return sorted(rows, key=lambda row: not row["more_is_better"])


def _score_rows(version: Version) -> list[dict[str, Any]] | None:
    if not version.has("scores"):
        return None
    columns = ["task", "metric", "value", "covered", "total", "threshold", "passed"]
    with version.reading("run the command again"):
        table: pa.Table = storage.read_table(version.table("scores"), columns)
    return [{name: _finite(value) for name, value in row.items()} for row in table.to_pylist()]


def settings(version: Version, defaults: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Rows of a setting that differs from its default, its value, and the default, as TOML; secrets are hidden.

    defaults: the settings of the version's method at their defaults, as config.to_dict gives them. A setting without a
    default there (of an older release) has the default "".
    """
    rows = []
    for table, keys in redacted(version.manifest.get("config", {})).items():
        for key, value in keys.items():
            default = defaults.get(table, {}).get(key)
            if value != default:
                rows.append([f"{table}.{key}", toml_value(value), "" if default is None else toml_value(default)])
    return rows


def _rounded(values: np.ndarray) -> list[float | None]:
    """Six significant digits, which is more than a chart shows; null for what is not finite."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values.tolist()]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
