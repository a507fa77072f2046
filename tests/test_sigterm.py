"""The real command under SIGTERM, as Kubernetes, YARN and Airflow send it."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import planted
import psutil
import pytest
from commands import ACTIVATED, COMMAND, options


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("sigterm") / "corpus", planted.documents(60, seed=8))


@pytest.mark.parametrize("moment", ["starting Spark", "round=2 "])
def test_a_terminated_run_ends_with_143_and_one_line_and_leaves_no_process(
    corpus: Path, tmp_path: Path, moment: str
) -> None:
    output, log = tmp_path / "output", tmp_path / "log"
    words = options(
        input__path=corpus, output__path=output, training__dimensions=8, training__epochs=40, training__lanes=2,
        training__rounds_per_epoch=4, vocabulary__min_count=2, spark__master="local[2]",
    )  # fmt: skip
    with log.open("w") as stream:
        process = subprocess.Popen(
            [COMMAND, "run", *words], stdout=stream, stderr=stream, start_new_session=True, env=ACTIVATED
        )
    family: list[psutil.Process] = []
    try:
        first, deadline = psutil.Process(process.pid), time.monotonic() + 200
        while not (family if moment == "starting Spark" else f"event=end {moment}" in log.read_text()):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-4000:]
            family = first.children(recursive=True)
            time.sleep(0.01)
        family = first.children(recursive=True)
        assert any("java" in each.name() for each in family) or moment == "starting Spark"
        process.send_signal(signal.SIGTERM)  # to this process alone, as most schedulers do
        assert process.wait(timeout=60) == 143, log.read_text()[-4000:]
        _, alive = psutil.wait_procs(family, timeout=30)
        assert alive == []
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    said = log.read_text()
    assert said.count("w2vspark: terminated; the same command goes on after the last complete round\n") == 1
    assert "Traceback" not in said and re.search(r"^w2vspark: error", said, re.MULTILINE) is None, said[-4000:]
    assert not (output / "lock.json").exists() and not (output / "current.json").exists()
    for claim in (output / "claims").glob("*.json"):
        assert json.loads(claim.read_text())["released"] is True
