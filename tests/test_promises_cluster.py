"""The promises on executors of their own: Spark's local-cluster starts a JVM for each, as a cluster does."""

import os
import signal
import subprocess
import time
from pathlib import Path

import planted
import psutil
import pytest
from commands import COMMAND, digests, options, run_command, run_here
from test_promises_identity import command

CLUSTER = "local-cluster[2,1,1024]"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("cluster") / "corpus", planted.documents(150, seed=5))


@pytest.mark.parametrize("variant", ["4x2", pytest.param("default", marks=pytest.mark.slow)])
def test_two_executors_give_the_same_bytes_as_this_process(variant, spark, corpus, tmp_path):
    run_command(*command(variant, corpus, tmp_path / "cluster", spark__master=CLUSTER)).assert_done()
    run_here(*command(variant, corpus, tmp_path / "here")).assert_done()
    assert digests(tmp_path / "cluster") == digests(tmp_path / "here")


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
        while "event=progress round=1 " not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.02)
        executors = [child for child in psutil.Process(process.pid).children(recursive=True) if is_executor(child)]
        assert len(executors) == 2
        executors[0].kill()
        assert process.wait(timeout=200) == 0, log.read_text()[-4000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    run_here("run", *words[1:], *options(output__path=tmp_path / "here")).assert_done()
    assert digests(tmp_path / "cluster") == digests(tmp_path / "here")
