"""The rates that `w2vspark warm-up` measured on this machine, in a file in the user's cache."""

import hashlib
import json
import math
import os
import platform
from collections.abc import Mapping
from pathlib import Path

from w2vspark import __version__
from w2vspark.base.errors import EnvironmentFailure
from w2vspark.fingerprints.fingerprint import library_versions
from w2vspark.spark.class_archive import cache_folder

FIX = "run w2vspark warm-up first, which measures this machine"
_PACKAGES = ("numba", "numpy", "pyarrow", "pyspark")


def rates_path() -> Path:
    """The file's path."""
    return cache_folder() / "rates.json"


def write_rates(rates: Mapping[str, float]) -> None:
    """Replace the file. Raises EnvironmentFailure if it cannot be written."""
    content = {"machine": _machine(), "rates": dict(rates)}
    path = rates_path()
    new = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(json.dumps(content | {"sha256": _digest(content)}, indent=2) + "\n", encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise EnvironmentFailure(
            f"{path} cannot be written ({error}); set XDG_CACHE_HOME to a folder that can be written"
        ) from error


def read_rates() -> dict[str, float]:
    """The rates by name.

    Raises EnvironmentFailure if the file is missing or damaged, or was measured on another machine or with other
    versions.
    """
    path = rates_path()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest, machine, rates = content.pop("sha256"), content["machine"], content["rates"]
        whole = digest == _digest(content) and all(math.isfinite(rate) and rate > 0 for rate in rates.values())
    except FileNotFoundError as error:
        raise EnvironmentFailure(f"{path}: there are no measured rates; {FIX}") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EnvironmentFailure(f"{path}: is damaged; {FIX}") from error
    if not whole:
        raise EnvironmentFailure(f"{path}: is damaged; {FIX}")
    here = _machine()
    other = sorted(name for name in here if machine.get(name) != here[name])
    if other:
        raise EnvironmentFailure(f"{path}: was measured with another {' and '.join(other)}; {FIX}")
    return {name: float(rate) for name, rate in rates.items()}


def _digest(content: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _machine() -> dict[str, str]:
    return {"cpu": _cpu(), "cores": str(os.cpu_count()), "w2vspark": __version__} | library_versions(_PACKAGES)


def _cpu() -> str:
    """The CPU's model."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else f"{platform.machine()} {platform.processor()}".strip()
