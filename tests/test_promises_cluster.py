"""The promises on executors of their own: Spark's local-cluster, and a standalone master with its workers."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

import planted
import psutil
import pytest
from commands import (
    COMMAND,
    PYTHON,
    digests,
    options,
    run_command,
    run_here,
    run_several,
    stack_lines,
    wait_for_all,
)
from standalone import can_hide_folders, standalone_cluster
from test_promises_identity import COUNTED, VARIANTS, command

CLUSTER = "local-cluster[2,1,1024]"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("cluster") / "corpus", planted.documents(150, seed=5))


@pytest.mark.slow
def test_two_executors_give_the_same_bytes_as_this_process(spark, corpus, tmp_path):
    names = [*VARIANTS, *COUNTED]
    run_several([command(name, corpus, tmp_path / name, spark__master=CLUSTER) for name in names]).assert_done()
    check_here(names, corpus, tmp_path)


def check_here(names: Iterable[str], corpus: Path, folder: Path) -> None:
    """Every variant, trained in this process, has the bytes of the run in the folder of its name."""
    for name in names:
        run_here(*command(name, corpus, folder / "here" / name)).assert_done()
        assert digests(folder / name) == digests(folder / "here" / name)


def is_executor(process: psutil.Process) -> bool:
    try:
        return any("CoarseGrainedExecutorBackend" in word for word in process.cmdline())
    except psutil.Error:  # it has ended
        return False


@pytest.mark.slow
def test_an_executor_that_dies_while_it_trains_changes_no_byte(spark, corpus, tmp_path):
    settings = {"training__epochs": 4}
    words = command("4x2", corpus, tmp_path / "cluster", spark__master=CLUSTER, **settings)
    log = tmp_path / "log"
    with log.open("w") as stream:
        process = subprocess.Popen([COMMAND, *words], stderr=stream, stdout=stream, start_new_session=True)
    try:
        deadline = time.monotonic() + 200
        while "event=end round=1 " not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.02)
        family = psutil.Process(process.pid).children(recursive=True)
        executors = [child for child in family if is_executor(child)]
        assert len(executors) == 2
        executors[0].kill()
        assert process.wait(timeout=200) == 0, log.read_text()[-4000:]
        wait_for_all(family)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text()
    assert "Lost executor" in said and stack_lines(said) == [], said[-4000:]
    assert said.count(" ERROR ") < 6, said[-4000:]
    run_here("run", *words[1:], *options(output__path=tmp_path / "here")).assert_done()
    assert digests(tmp_path / "cluster") == digests(tmp_path / "here")


def on_cluster(url: str) -> list[str]:
    return [*options(spark__master=url), "--set", 'spark.options={"spark.driver.host" = "127.0.0.1"}']


@pytest.mark.slow
def test_a_standalone_cluster_gives_the_same_bytes(spark, corpus, tmp_path):
    with standalone_cluster(tmp_path / "spark", workers=2) as url:
        runs = [[*command(name, corpus, tmp_path / name), *on_cluster(url)] for name in VARIANTS]
        run_several(runs, {"PYSPARK_PYTHON": PYTHON}).assert_done()
    check_here(VARIANTS, corpus, tmp_path)


@pytest.mark.slow
@pytest.mark.skipif(not can_hide_folders(), reason="this system allows no mount namespaces")
def test_an_output_folder_that_executors_cannot_reach_is_one_error(corpus, tmp_path):
    output = tmp_path / "disk" / "vectors"
    output.parent.mkdir()
    with standalone_cluster(tmp_path / "spark", hidden=output.parent) as url:
        outcome = run_command(*command("4x2", corpus, output), *on_cluster(url), environment={"PYSPARK_PYTHON": PYTHON})
    outcome.assert_one_error(
        5, "executor on", "cannot read", str(output), "output.path must be storage that the driver"
    )
    assert not (output / "current.json").exists()
