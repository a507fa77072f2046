"""`w2vspark warm-up`: the JVM of the next run maps the archive that it left."""

from pathlib import Path

import pytest
from commands import PYTHON, run_command

MAPPED = """
import sys
from pathlib import Path
import psutil
from w2vspark.spark.session import SparkConfig
from w2vspark.spark.session import build_session
build_session(SparkConfig(master="local[1]"), "x").range(3).count()
java = next(child for child in psutil.Process().children(recursive=True) if "java" in child.name())
maps = [mapped.path for mapped in java.memory_maps()]
print(*{path for path in maps if path.startswith(sys.argv[1])})
"""


@pytest.mark.slow
def test_the_next_session_maps_the_classes_that_a_warm_up_left(tmp_path: Path) -> None:
    cache = {"XDG_CACHE_HOME": str(tmp_path / "a cache"), "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    told = run_command("warm-up", environment=cache).assert_done().out
    (archive,) = (tmp_path / "a cache" / "w2vspark").glob("spark-classes-*")
    assert str(archive) in told
    compiled = {file.name.partition(".")[0] for file in (tmp_path / "kernels").rglob("*.nbi")}
    assert {"pieces", "events", "combine", "noise", "random"} <= compiled
    found = run_command("-c", MAPPED, str(tmp_path), environment=cache, program=[PYTHON]).assert_done()
    assert found.out.split("\n")[0] == str(archive)


def test_a_warm_up_whose_cache_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    cache = {"XDG_CACHE_HOME": str(tmp_path / "file")}
    run_command("warm-up", environment=cache).assert_one_error(5, str(tmp_path / "file"), "set XDG_CACHE_HOME")


def test_a_warm_up_without_java_says_what_to_install(tmp_path: Path) -> None:
    broken = {"XDG_CACHE_HOME": str(tmp_path), "JAVA_HOME": "/nowhere"}
    run_command("warm-up", environment=broken).assert_one_error(5, "JAVA_HOME=/nowhere", "install OpenJDK")
