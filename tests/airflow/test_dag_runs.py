"""`airflow dags test` to the end: on a cluster, with a training that is killed, with nothing to do, with a gate that
fails. The runs share one Airflow."""

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import planted
import psutil
import pytest
from airflow_home import ROOT, RUN_SECONDS, AirflowHome, guide_commands, make_home, needs_airflow, write_dag
from commands import COMMAND, current, digests, manifest
from standalone import standalone_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * RUN_SECONDS), needs_airflow]

CONFIG = """
[vocabulary]
min_count = 2
[training]
dimensions = 20
epochs = 3
shards = 2
rounds_per_epoch = 2
[gate]
pairs = ["{pairs}"]
floors = {{ pairs = -1.0 }}
[spark]
master = "local[2]"
"""
ROUNDS = 6
DATE = "2026-10-09"
SOON = {"retries": 2, "retry_delay": 1}
DONE = dict.fromkeys(["prepare", "train", "gate", "promote", "retention"], "success")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowHome]:
    """Airflow with two DAGs, w2vspark for the command line and on_cluster for a cluster, which have the same corpus."""
    folder = tmp_path_factory.mktemp("airflow")
    planted.write_lines(folder / "text" / f"date={DATE}", planted.documents(150, seed=5))
    (folder / "pairs.tsv").write_text("country0\tcapital0\t9\ncountry1\tfiller1\t1\ncountry2\tcapital2\t8\n")
    (folder / "corpus.toml").write_text(CONFIG.format(pairs=folder / "pairs.tsv"))
    with standalone_cluster(folder / "spark") as url:
        # Spark listens on loopback alone.
        home = make_home(folder / "home", AIRFLOW_CONN_LAKE=url, SPARK_LOCAL_IP="127.0.0.1")
        lines = {"COMMAND": COMMAND, "CONFIG": str(folder / "corpus.toml"), "RETRIES": SOON}
        lines["CORPUS"] = str(folder / "text" / "date={date}")
        write_dag(home.dags, **lines, OUTPUT=str(folder / "vectors"))
        write_dag(
            home.folder / "cluster_dags",
            **lines,
            OUTPUT=str(folder / "cluster"),
            SPARK="lake",
            TRAIN=str(ROOT / "jobs" / "train.py"),
        )
        yield home


def test_on_a_cluster_the_dag_ends_with_a_current_version_and_says_so(home):
    output = home.folder.parent / "cluster"
    done = on_cluster(home).run("dags", "test", "w2vspark", DATE)
    assert done.code == 0 and home.states() == DONE, done.said[-6000:]
    assert done.said.count("Spark-Submit cmd: spark-submit --master spark://127.0.0.1:") == 4
    check_update(home, output)


def test_a_training_that_is_killed_is_tried_again_and_ends_with_the_same_bytes(home):
    output = home.folder.parent / "vectors"
    with home.started("dags", "test", "w2vspark", DATE) as (process, log):
        kill_training(process, log)
        assert process.wait(timeout=RUN_SECONDS) == 0, log.read_text()[-6000:]
        said = log.read_text()
    assert "exit code -9: a retry may help" in said
    tried = dict(home.rows("select task_id, try_number from task_instance where task_id in ('train', 'gate')"))
    assert home.states() == DONE and tried == {"train": 2, "gate": 1}
    trained = [int(number) for number in re.findall(r"stage=round event=end round=(\d+)", said)]
    assert trained == list(range(1, ROUNDS + 1))  # no round was trained twice
    check_update(home, output)
    assert digests(output) == digests(home.folder.parent / "cluster")


def test_a_second_run_of_the_same_day_finds_nothing_to_do_and_updates_nothing(home):
    output = home.folder.parent / "vectors"
    before, updates = current(output), home.updates()
    done = home.run("dags", "test", "w2vspark", DATE)
    assert done.code == 0 and home.states() == DONE | {"promote": "skipped"}, done.said[-6000:]
    assert current(output) == before and home.updates() == updates


def test_a_gate_that_fails_stops_the_run_at_once_and_the_old_version_stays(home):
    output = home.folder.parent / "vectors"
    before, updates = current(output), home.updates()
    config = home.folder.parent / "corpus.toml"
    other = config.with_name("strict.toml")
    other.write_text(config.read_text().replace("pairs = -1.0", "pairs = 1.0").replace("epochs = 3", "epochs = 1"))
    done = home.run("dags", "test", "w2vspark", DATE, "--conf", json.dumps({"config": str(other)}))
    assert done.code != 0
    expected = DONE | {"gate": "failed", "promote": "upstream_failed", "retention": "upstream_failed"}
    assert home.states() == expected, done.said[-6000:]
    assert re.search(r"exit code 7: the gate failed.* pairs spearman .* below gate.floors.pairs = 1", done.said)
    assert home.rows("select try_number from task_instance where task_id = 'gate' and state = 'failed'") == [(1,)]
    assert current(output) == before and home.updates() == updates

    (clear,) = [words for words in guide_commands() if words[:3] == ["airflow", "tasks", "clear"]]
    assert home.run(*clear[1:]).code == 0
    cleared = dict.fromkeys(["gate", "promote", "retention"])
    assert home.states() == DONE | cleared


def on_cluster(home: AirflowHome) -> AirflowHome:
    """The same Airflow, with the DAG for the cluster in place of the other one."""
    return AirflowHome(home.folder, {**home.more, "AIRFLOW__CORE__DAGS_FOLDER": str(home.folder / "cluster_dags")})


def check_update(home: AirflowHome, output: Path) -> None:
    """The last update of the vectors' asset, and what the promotion returns, say what is current."""
    update = home.updates()[-1]
    assert (update["output"], update["version"]) == (str(output), current(output)["version"])
    assert {(score["task"], score["metric"]): score["passed"] for score in update["scores"]}["pairs", "spearman"]
    assert update["scores"] == manifest(output)["scores"]
    query = "select key, value from xcom where task_id = 'promote' and key in ('version', 'scores')"
    said = {key: json.loads(value) for key, value in home.rows(query)}
    assert said == {"version": update["version"], "scores": update["scores"]}


def kill_training(process: subprocess.Popen[bytes], log: Path) -> None:
    """SIGKILL the command of the task `train` when it has trained its second round."""
    deadline = time.monotonic() + RUN_SECONDS
    while "stage=round event=end round=2 " not in log.read_text():
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-6000:]
        time.sleep(0.02)
    children = psutil.Process(process.pid).children(recursive=True)
    (command,) = [child for child in children if {"run", "candidate"} <= set(words_of(child)) and is_python(child)]
    os.kill(command.pid, 9)


def words_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:  # it has ended
        return []


def is_python(process: psutil.Process) -> bool:
    try:
        return process.name().startswith(("python", "w2vspark"))
    except psutil.Error:
        return False
