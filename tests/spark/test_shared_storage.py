"""What an executor answers when it is asked whether it fits."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from w2vspark.fingerprints.fingerprint import library_versions, package_fingerprint
from w2vspark.spark.shared_storage import answer

VERSIONS = library_versions(["llvmlite", "numba", "numpy", "pyarrow"])


@pytest.mark.parametrize(
    ("probe", "code", "versions", "problem"),
    [
        ("probe", "", {}, ""),
        (
            "missing",
            "",
            {},
            "cannot read .*missing; output.path must be storage that the driver and all execu",
        ),
        ("probe", "another", {}, "runs another version of w2vspark than the driver"),
        ("probe", "", {"numpy": "0.1"}, f"has numpy {VERSIONS['numpy']}, the driver 0.1; ship one environment"),
        ("probe", "", {"llvmlite": "0.1"}, f"has llvmlite {VERSIONS['llvmlite']}, the driver 0.1"),
    ],
)
def test_an_executor_says_what_it_lacks(probe, code, versions, problem, tmp_path: Path):
    (tmp_path / "probe").write_text("")
    batch = pa.RecordBatch.from_pydict({"id": [0]})
    asked = {"probe": str(tmp_path / probe), "code": code or package_fingerprint(), "versions": VERSIONS | versions}
    (row,) = next(answer(iter([batch]), **asked)).to_pylist()
    assert re.match(problem or "$", row["problem"])
