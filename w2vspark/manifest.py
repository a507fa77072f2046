"""What a published version says of itself: enough to make it again, and to know what it is."""

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from w2vspark import __version__
from w2vspark.base.config import Config, to_dict
from w2vspark.base.config_checks import FOR_METHODS, OF_TRAINING
from w2vspark.base.cpu_target import llvm_name
from w2vspark.base.fingerprint import code_fingerprint


def manifest(
    config: Config,
    run_id: str,
    fingerprints: dict[str, str],
    records: dict[str, dict[str, Any]],
    tables: dict[str, int],
    trained: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of a version. tables: rows of each published table. trained: the record of the step that made the
    vectors, with its resolved settings. Settings that are for other methods are left out."""
    resolved = to_dict(config)
    resolved["encoded"]["buckets"] = records["encoded"]["buckets"]
    for table in ("training", "glove", "svd"):
        resolved[table] = trained.get(table, resolved[table])
    for table, methods in FOR_METHODS.items():
        if config.training.method not in methods:
            del resolved[table]
    if config.training.family in OF_TRAINING:
        resolved["training"] = {key: resolved["training"][key] for key in sorted(OF_TRAINING[config.training.family])}
        del resolved["subwords"], resolved["warm_start"]
    else:  # the rate is the training's now; without an earlier model the format says nothing
        resolved["warm_start"]["learning_rate"] = resolved["training"]["learning_rate"]
        if "earlier" not in records or records["earlier"]["is_run"]:
            resolved["warm_start"]["format"] = "w2vspark"
    return {
        "run_id": run_id,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "config": resolved,
        "tables": tables,
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
        "code": code_fingerprint(),
        "cpu_target": llvm_name(cpu_target) or "host",
        "versions": {
            "w2vspark": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in ("pyspark", "numba", "llvmlite", "numpy", "pyarrow")},
        },
    }
