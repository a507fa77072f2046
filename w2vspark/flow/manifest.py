"""What a published version says of itself: enough to make it again, and to know what it is."""

import platform
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from w2vspark import __version__
from w2vspark.base.cpu_target import llvm_name
from w2vspark.base.redaction import redacted
from w2vspark.config.config import Config, used_settings
from w2vspark.fingerprints.fingerprint import package_fingerprint


def manifest(
    config: Config,
    run_id: str,
    fingerprints: dict[str, str],
    records: dict[str, dict[str, Any]],
    trained: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of a version, without its tables and files. trained: the record of the step that made the vectors,
    with its resolved settings. Settings that are for other methods are left out."""
    parts = {
        name: type(getattr(config, name))(**trained[name]) for name in ("training", "glove", "svd") if name in trained
    }
    resolved = used_settings(replace(config, **parts))
    resolved["encoded"]["buckets"] = records["encoded"]["buckets"]
    if "warm_start" in resolved:  # the rate is the training's now; without an earlier model the format says nothing
        resolved["warm_start"]["learning_rate"] = resolved["training"]["learning_rate"]
        if "earlier" not in records or records["earlier"]["is_run"]:
            resolved["warm_start"]["format"] = "w2vspark"
    return {
        "run_id": run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": redacted(resolved),
        "corpus": {key: value for key, value in records["word_counts"].items() if key != "seconds"},
        "vocabulary": {key: records["vocabulary"][key] for key in ("words", "tokens")},
        **({"documents": _documents(records["term_document"])} if "term_document" in records else {}),
        **({"movement": trained["movement"]} if "movement" in trained else {}),
        "fingerprints": fingerprints,
        "seconds": {table: record["seconds"] for table, record in records.items()},
        **made_with(config.training.cpu_target),
    }


def _documents(record: dict[str, Any]) -> dict[str, int]:
    """Of lsa: documents that are in the tables, and those that could not be."""
    return {"with_vector": record["documents"], "without_known_words": record["without_known_words"]}


def made_with(cpu_target: str) -> dict[str, Any]:
    """The code, and what it ran on."""
    return {
        "code": package_fingerprint(),
        "cpu_target": llvm_name(cpu_target) or "host",
        "versions": {
            "w2vspark": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("pyspark", "numba", "llvmlite", "numpy", "pyarrow")},
        },
    }
