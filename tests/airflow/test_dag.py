"""What Airflow reads in the DAG's file, and what a task does with an exit code or a signal."""

import itertools
import json
from pathlib import Path

import pytest
from airflow_home import DAG_FILE, ROOT, AirflowHome, guide_commands, guide_dags, needs_airflow, write_dag

from w2vspark.cli.pages import commands
from w2vspark.methods import load_config

pytestmark = [pytest.mark.slow, needs_airflow]

DESCRIBE = """
import json, sys
from datetime import timedelta
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization

def described(folder):
    bag = DagBag(dag_folder=folder)
    for dag in bag.dags.values():
        DagSerialization.serialize_dag(dag)
    assert "w2vspark" not in sys.modules
    return {"errors": bag.import_errors, "dags": {dag.dag_id: {
        "edges": sorted([task.task_id, below] for task in dag.tasks for below in task.downstream_task_ids),
        "kinds": {task.task_id: type(task).__bases__[0].__name__ for task in dag.tasks},
        "retries": {task.task_id: task.retries for task in dag.tasks},
        "delays": {task.task_id: task.retry_delay.total_seconds() for task in dag.tasks},
        "limits": {task.task_id: (task.execution_timeout or timedelta()).total_seconds() for task in dag.tasks},
        "outlets": {task.task_id: [asset.name for asset in task.outlets] for task in dag.tasks if task.outlets},
        "schedule": dag.schedule if isinstance(dag.schedule, str) else [asset.name for asset in dag.schedule],
        "runs": dag.max_active_runs, "catchup": dag.catchup, "params": dag.params.dump(),
    } for dag in bag.dags.values()}}
"""
TASKS = ["prepare", "train", "gate", "promote", "retention"]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> AirflowHome:
    folder = tmp_path_factory.mktemp("airflow")
    write_dag(folder / "dags")
    write_dag(folder / "cluster", SPARK="spark_default", INCREMENTAL=True)
    (folder / "guide").mkdir()
    for number, text in enumerate(guide_dags()):
        (folder / "guide" / f"{number}.py").write_text(text)
    return AirflowHome(folder, {})


@pytest.fixture(scope="module")
def read(home: AirflowHome) -> dict[str, dict[str, object]]:
    """What Airflow reads in the file as it is, in the file for a cluster with incremental runs, and in the guide."""
    return home.python(f"{DESCRIBE}\nprint(json.dumps([described(each) for each in ('dags', 'cluster', 'guide')]))")


def test_the_file_is_short():
    assert len(DAG_FILE.read_text("utf-8").splitlines()) <= 200


def test_the_tasks_follow_each_other_and_each_has_retries_and_a_limit(read):
    for found in read[:2]:
        assert found["errors"] == {}
        for dag in found["dags"].values():
            assert dag["edges"] == sorted(map(list, itertools.pairwise(TASKS)))
            assert all(dag["retries"][task] >= 3 and dag["delays"][task] >= 60 for task in TASKS)
            assert all(0 < dag["limits"][task] <= 24 * 3600 for task in TASKS)
            assert (dag["runs"], dag["catchup"]) == (1, False)


def test_the_corpus_starts_the_dag_and_the_promotion_alone_updates_the_vectors(read):
    here, cluster = (found["dags"] for found in read[:2])
    assert list(here) == ["w2vspark"] and sorted(cluster) == ["w2vspark", "w2vspark_weekly"]
    for dag in (here["w2vspark"], cluster["w2vspark"]):
        assert dag["schedule"] == ["lake_text"]
    assert cluster["w2vspark_weekly"]["schedule"] == "@weekly"
    for dag in (*here.values(), *cluster.values()):
        assert dag["outlets"] == {"promote": ["lake_vectors"]}
    expected = {"date": None, "config": "word2vec", "incremental": False}
    assert here["w2vspark"]["params"] == cluster["w2vspark_weekly"]["params"] == expected
    assert cluster["w2vspark"]["params"] == expected | {"incremental": True}


def test_the_dags_of_the_guide_write_and_read_the_same_assets(read):
    assert read[2]["errors"] == {}
    dags = read[2]["dags"]
    assert sorted(dags) == ["index", "text"]
    assert dags["text"]["outlets"] == {"write": read[0]["dags"]["w2vspark"]["schedule"]}
    assert dags["index"]["schedule"] == read[0]["dags"]["w2vspark"]["outlets"]["promote"]


def test_the_commands_of_the_guide_are_those_of_airflow(home):
    lines = [words[1:] for words in guide_commands() if words[0] == "airflow"]
    assert len(lines) >= 8
    code = f"""
import json
from airflow.cli.cli_parser import get_parser
for words in {lines!r}:
    get_parser().parse_args(words)  # ends the program if it knows a word not
print(json.dumps(True))
"""
    assert home.python(code)
    (packages,) = [words[2:] for words in guide_commands() if words[0] == "airflow-env/bin/pip"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert f"AIRFLOW_PACKAGES := {' '.join(packages)}\n" in makefile


def test_work_is_done_on_the_worker_or_by_spark_submit(read):
    here, cluster = (found["dags"]["w2vspark"]["kinds"] for found in read[:2])
    assert here == dict.fromkeys(TASKS, "BaseOperator")
    assert cluster == dict.fromkeys(TASKS, "SparkSubmitOperator") | {"retention": "BaseOperator"}


def test_the_command_line_follows_the_parameters_and_the_days(home):
    code = """
import json
from datetime import datetime
from types import SimpleNamespace as Namespace
import w2vspark_dag as dag

def words(date=None, incremental=False, updates=(), logical=datetime(2026, 10, 9)):
    params = {"date": date, "config": "corpus.toml", "incremental": incremental}
    run = Namespace(logical_date=logical, run_after=datetime(2026, 10, 12, 4))
    events = {"text": [Namespace(extra=extra) for extra in updates]}
    context = {"params": params, "dag_run": run, "triggering_asset_events": events}
    return dag.run_with("--hold")(context=context, jinja_env=None)

dag.CORPUS = "/lake/{date}"
print(json.dumps([words(), words(date="2026-01-02"), words(logical=None),
    words(incremental=True, logical=None, updates=[{"date": "2026-10-11"}, {"date": "2026-10-10"}, {}]),
    words(updates=[{"date": None}])]))
"""

    def expected(paths: str, *more: str) -> list[str]:
        settings = [f"input.path={paths}", "output.path=/lake/vectors", *more]
        return ["corpus.toml", *(word for one in settings for word in ("--set", one)), "--hold", "--json"]

    found = home.python(code)
    assert found == [
        expected('["/lake/2026-10-09"]'),
        expected('["/lake/2026-01-02"]'),
        expected('["/lake/2026-10-12"]'),
        expected(
            '["/lake/text/date=2026-10-10", "/lake/text/date=2026-10-11"]',
            "vocabulary.keep=current",
            "warm_start.path=current",
        ),
        expected('["/lake/2026-10-09"]'),
    ]
    for words in found:  # the settings exist, and do not exclude each other
        parsed = commands().choices["run"].parse_args(words)
        load_config(None, parsed.overrides)


def test_an_exit_code_decides_whether_the_task_is_tried_again(home, tmp_path):
    command = script(tmp_path, 'echo "a line of the log" >&2\necho "{\\"error\\": \\"why $1\\"}"\nexit "$1"')
    code = f"""
import json
import w2vspark_dag as dag
from airflow.sdk.exceptions import AirflowFailException
dag.COMMAND = {str(command)!r}

def outcome(*arguments):
    try:
        return dag.Command(task_id="one", arguments=arguments).execute({{}})
    except Exception as error:
        return [isinstance(error, AirflowFailException), str(error)]

found = {{code: outcome(str(code)) for code in (0, 1, 2, 3, 4, 5, 6, 7, 130, 143)}}
dag.COMMAND = "/not/there/w2vspark"
print(json.dumps([found, outcome("0")]))
"""
    found, missing = home.python(code)
    assert found.pop("0") == {"error": "why 0"}
    again = ", ".join(code for code, (at_once, _) in found.items() if not at_once)
    stop = ", ".join(code for code, (at_once, _) in found.items() if at_once)
    page = (ROOT / "docs" / "reference" / "exit-codes.md").read_text("utf-8")
    assert f"try again after {again}; stop after {stop}." in page
    for number, (_, text) in found.items():
        assert text.startswith(f"exit code {number}: ") and text.endswith(f". why {number}")
    assert missing[0] and "/not/there/w2vspark" in missing[1] and "COMMAND" in missing[1]


def test_the_exit_code_of_spark_submit_decides_too(home, tmp_path):
    script(tmp_path, 'echo "the log: $*"\nexit "${@: -1}"').rename(tmp_path / "spark-submit")
    write_dag(tmp_path / "dags", SPARK="lake", COMMAND=str(tmp_path / "w2vspark"), SPARK_CONF={"spark.one": "two"})
    code = f"""
import json, sys
sys.path.insert(0, {str(tmp_path / "dags")!r})
import w2vspark_dag as dag
from airflow.sdk.exceptions import AirflowFailException

def outcome(code):
    task = dag.task("gate")
    task.application_args = [code]
    try:
        return task.execute({{}})
    except Exception as error:
        return [isinstance(error, AirflowFailException), str(error)]

print(json.dumps([outcome(code) for code in ("0", "7", "143")]))
"""
    done, gate, killed = AirflowHome(home.folder, {"AIRFLOW_CONN_LAKE": "spark://127.0.0.1:7077"}).python(code)
    assert done is None
    assert gate[0] and gate[1].startswith("exit code 7: the gate failed") and "the log: --master spark://" in gate[1]
    assert "--conf spark.one=two" in gate[1]
    assert not killed[0] and killed[1].startswith("exit code 143: a retry may help")


def test_an_update_tells_of_each_version_once(home, tmp_path):
    versions = [{"version": "000003", "made": "noon", "scores": [], "state": "candidate: is held back by --hold"}]
    versions.append({"version": "000002", "made": "dawn", "scores": [{"task": "pairs"}], "state": "current"})
    answer = json.dumps({"output": "/lake/vectors", "current": "000002", "versions": versions})
    command = script(tmp_path, f"test \"$*\" = 'versions /lake/vectors --json' && echo '{answer}'")
    code = f"""
import json
from types import SimpleNamespace as Namespace
import w2vspark_dag as dag
from airflow.sdk.exceptions import AirflowSkipException
dag.COMMAND = {str(command)!r}

class Updates(list):
    def ascending(self, first):
        assert not first
        return self

    def limit(self, count):
        return self[-count:]

def said(*before):
    outlet, pushed = Namespace(extra=None), {{}}
    context = {{"inlet_events": {{dag.VECTORS: Updates(Namespace(extra=extra) for extra in before)}},
               "outlet_events": {{dag.VECTORS: outlet}}, "ti": Namespace(xcom_push=pushed.__setitem__)}}
    try:
        dag.announce(context)
    except AirflowSkipException:
        assert outlet.extra is None and pushed == {{}}
        return "skipped"
    return outlet.extra, pushed

same = {{"output": "/lake/vectors", "version": "000002", "made": "dawn"}}
print(json.dumps([said(), said(same), said(same, same | {{"version": "000001"}}), said(same | {{"output": "/other"}}),
    said(same | {{"made": "last year"}})]))
"""
    told = [{"output": "/lake/vectors", **versions[1]}, {"version": "000002", "scores": [{"task": "pairs"}]}]
    assert home.python(code) == [told, "skipped", told, told, told]


def test_a_task_that_is_killed_or_takes_too_long_ends_the_command_with_all_that_it_started(home, tmp_path):
    # The command and its child each write a file when SIGTERM reaches them.
    child = '(trap "touch $1.child; exit" TERM; touch $1; sleep 60 & wait) &'
    body = f'trap "touch $1.command; exit 143" TERM\n{child}\nwait'
    command = script(tmp_path, body)
    code = f"""
import json, pathlib, threading, time
import w2vspark_dag as dag
from airflow.sdk.exceptions import AirflowFailException
dag.COMMAND = {str(command)!r}
started = pathlib.Path({str(tmp_path / "started")!r})
task = dag.Command(task_id="one", arguments=[str(started)])

def kill():
    while not started.exists():
        time.sleep(0.05)
    time.sleep(0.2)
    task.on_kill()

threading.Thread(target=kill).start()
try:
    task.execute({{}})
except Exception as error:
    print(json.dumps([isinstance(error, AirflowFailException), str(error)]))
"""
    assert home.python(code) == [False, "exit code 143: a retry may help. The log says more."]
    assert (tmp_path / "started.command").exists() and (tmp_path / "started.child").exists()


def script(folder: Path, body: str) -> Path:
    """A program that does this in bash, in place of w2vspark."""
    path = folder / "w2vspark"
    path.write_text(f"#!/usr/bin/env bash\n{body}\n")
    path.chmod(0o755)
    return path
