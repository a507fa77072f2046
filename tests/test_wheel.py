"""The built wheel works without a clone: in a new environment, from an empty folder, after a warm-up."""

import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import planted
import psutil
import pytest

from w2vspark import __version__
from w2vspark.config import ready_made

ROOT = Path(__file__).parents[1]
PAGE = [f"w2vspark/report/page_files/{path.name}" for path in (ROOT / "w2vspark/report/page_files").iterdir()]
SESSION = """
from w2vspark.spark.session import SparkConfig, build_session
build_session(SparkConfig(master="local[1]"), "x").range(3).count()
print("started", flush=True)
input()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # a copy: what an earlier build left in the clone would go into the wheel
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("w2vspark", "conf"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    ran([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(source)], folder)
    (built,) = folder.glob("*.whl")
    return built


def ran(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """What a command printed; it must end well."""
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=500, check=False, env=environment,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.mark.slow
def test_the_wheel_holds_the_package_its_configurations_and_the_licence_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    top = f"w2vspark-{__version__}.dist-info"
    assert {name.partition("/")[0] for name in names} == {"w2vspark", top}
    for name in ready_made.names():
        assert f"w2vspark/configurations/{name}.toml" in names
    for name in (f"{top}/licenses/LICENSE", "w2vspark/py.typed", "w2vspark/spark/log4j2.properties", *PAGE):
        assert name in names
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "w2vspark").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules


def mapped_by_java(command: list[str], folder: Path, environment: dict[str, str]) -> set[str]:
    """The files that the JVM of a command has mapped. The command says that it has started, and ends with its input."""
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert "started\n" in iter(process.stdout.readline, "")
            started = psutil.Process(process.pid).children(recursive=True)
            java = next(child for child in started if "java" in child.name())
            return {mapped.path for mapped in java.memory_maps()}
        finally:
            process.communicate("\n", timeout=60)


@pytest.mark.slow
def test_a_new_environment_with_the_wheel_warms_up_and_trains_from_an_empty_folder(wheel, tmp_path):
    venv.create(tmp_path / "environment", with_pip=True)
    bin_folder, empty = tmp_path / "environment" / "bin", tmp_path / "empty"
    empty.mkdir()
    ran([str(bin_folder / "pip"), "install", "--quiet", "--disable-pip-version-check", str(wheel)], empty)
    planted.write_lines(tmp_path / "text", planted.documents(60, seed=8))
    command = str(bin_folder / "w2vspark")
    cache = tmp_path / "a cache"
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(cache)}
    told = ran([command, "warm-up"], empty, environment)
    (archive,) = (cache / "w2vspark").glob("spark-classes-*")
    assert str(archive) in told
    (package,) = (tmp_path / "environment" / "lib").glob("*/site-packages/w2vspark")
    compiled = {file.name.partition(".")[0] for file in package.rglob("*.nbi")}
    assert {"pieces", "events", "combine", "noise", "random"} <= compiled
    assert str(archive) in mapped_by_java([str(bin_folder / "python"), "-c", SESSION], empty, environment)
    assert "glove " in ran([command, "config", "list"], empty, environment)
    (empty / "my.toml").write_text(ran([command, "config", "show", "glove"], empty, environment))
    settings = ["--set", f"input.path={tmp_path / 'text'}", "--set", "vocabulary.min_count=2"]
    few = ["--set", "training.epochs=2", "--set", "training.dimensions=10", "--set", "spark.master=local[1]"]
    for method in ("cbow-hs", "glove", "ppmi-svd", "lsa"):  # with the rates that the warm-up measured
        chosen = [*settings, "--set", f"training.method={method}", "--set", "output.path=planned", "--dry-run"]
        planned = ran([command, "run", *chosen, "--cluster", "executors=2,cores=4"], empty, environment)
        assert planned.startswith("estimate for 2 executors with 4 cores each:\n") and "spark.task.cpus = " in planned
    made = ran([command, "run", "glove", *settings, *few, "--set", "output.path=vectors"], empty, environment)
    assert "try next:\n" in made and "glove, 10 dimensions" in made
    again = ran([command, "run", "my.toml", *settings, *few, "--set", "output.path=vectors"], empty, environment)
    assert again.startswith("nothing to do"), "the saved configuration is the ready-made one"
    similar = next(line.split()[1:] for line in made.splitlines() if " similar " in line)
    assert "cosine" in ran([command, *similar], empty, environment)
