"""Vectors from each new day of text: prepare, train, gate, promote, retention.

A DAG for Airflow 3. Copy this file into the folder of your DAGs and edit the lines below. The guide about it is
docs/guides/airflow.md. The file imports Airflow alone: w2vspark may have an environment of its own.
"""

import json
import os
import re
import signal
import subprocess
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

from airflow.sdk import DAG, Asset, BaseOperator, Param
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

# ---- Edit these lines. -----------------------------------------------------------------------------------------------
COMMAND = "/opt/w2vspark/bin/w2vspark"  # the command, as it is installed on the workers of Airflow
CONFIG = "word2vec"  # a TOML file, or a ready-made configuration
CORPUS = "/lake/text/*"  # what a run reads; {date} stands for its day
OUTPUT = "/lake/vectors"
TEXT = Asset("lake_text")  # whoever writes a new day of text updates it; each update starts a run
VECTORS = Asset("lake_vectors")  # updated when a new version is current; start the DAGs of your readers by it
# True: each run reads only its day, and goes on from the current version. Once a week a run trains on all text.
INCREMENTAL = False
DAY = "/lake/text/date={date}"  # what an incremental run reads
# The id of a Spark connection runs the work on that cluster, with spark-submit. "" runs it on the workers of Airflow.
SPARK = ""
TRAIN = "/opt/w2vspark/jobs/train.py"  # jobs/train.py of w2vspark's repository, for spark-submit
SPARK_CONF: dict[str, str] = {}  # as in {"spark.executor.memoryOverhead": "8g"}
# A task that takes longer is ended by SIGTERM, and tried again. Training goes on after its last complete round.
LIMITS = {"prepare": 2, "train": 12, "gate": 1, "promote": 1, "retention": 1}  # hours
# The delay, in seconds, doubles from retry to retry, up to an hour.
RETRIES = {"retries": 5, "retry_delay": 300, "retry_exponential_backoff": 2, "max_retry_delay": 3600}
# ----------------------------------------------------------------------------------------------------------------------

# With these exit codes, the same command fails again until a person has mended something.
NOT_RETRIED = {
    2: "the command line or the configuration is wrong",
    3: "the corpus or a test set is missing, empty or malformed",
    6: "training failed, as it would again",
    7: "the gate failed; the version that was current stays current",
}


def problem(code: int, details: str) -> AirflowException:
    """The exception for an exit code. One of NOT_RETRIED fails its task at once."""
    if code in NOT_RETRIED:
        return AirflowFailException(f"exit code {code}: {NOT_RETRIED[code]}. {details}")
    return AirflowException(f"exit code {code}: a retry may help. {details}")


class Command(BaseOperator):
    """Runs w2vspark on this worker, and returns the object that --json prints. arguments: what follows w2vspark."""

    template_fields = ("arguments",)

    def __init__(self, *, arguments, **options):
        super().__init__(**options)
        self.arguments = arguments
        self.process = None

    def execute(self, context):
        """Run the command. Its log becomes the task's log."""
        words = [COMMAND, *self.arguments]
        self.log.info("%s", words)
        with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:
            # A session of its own: on_kill reaches the command with all that it starts, and nothing else.
            try:
                self.process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=answer, stderr=subprocess.PIPE, start_new_session=True,
                    encoding="utf-8", errors="replace",
                )  # fmt: skip
            except OSError as error:
                raise AirflowFailException(f"{error}; COMMAND at the top of this DAG's file is wrong") from error
            for line in self.process.stderr:
                self.log.info("%s", line.rstrip())
            code = self.process.wait()
            answer.seek(0)
            said = answer.read()
        self.log.info("%s", said)  # after a gate that failed, too: it has the scores
        if code:
            raise problem(code, json.loads(said)["error"] if said else "The log says more.")
        return json.loads(said)

    def on_kill(self):
        """End the command as Ctrl-C would: it keeps its rounds and frees the output folder."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)


if SPARK:
    from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator

    class Submit(SparkSubmitOperator):
        """Runs jobs/train.py with spark-submit; its exit code is that of w2vspark, except where YARN hides it."""

        def execute(self, context):
            """Submit the job, and wait for it."""
            try:
                return super().execute(context)
            except AirflowException as error:
                codes = [int(code) for code in re.findall(r"(?:Error|exit) code is: (-?\d+)", str(error))]
                raise problem(next((code for code in codes if code), 1), str(error)) from error


def days(context) -> list[str]:
    """The days that a run reads: the parameter `date`; or what the updates of TEXT name; or the day of the run.

    Several updates may start one run, as when an earlier run took long: then it reads all their days.
    """
    if context["params"]["date"]:
        return [context["params"]["date"]]
    events = [event for each in context["triggering_asset_events"].values() for event in each]
    named = {event.extra["date"] for event in events if event.extra.get("date")}
    run = context["dag_run"]
    return sorted(named) or [(run.logical_date or run.run_after).date().isoformat()]


def run_with(*last: str):
    """The arguments of `w2vspark run`, for a task's template field: Airflow calls the function before the task."""

    def arguments(context, jinja_env) -> list[str]:
        params = context["params"]
        template = DAY if params["incremental"] else CORPUS
        paths = json.dumps(sorted({template.format(date=day) for day in days(context)}))
        settings = [f"input.path={paths}", f"output.path={OUTPUT}"]
        if params["incremental"]:
            settings += ["vocabulary.keep=current", "warm_start.path=current"]
        return [params["config"], *(word for one in settings for word in ("--set", one)), *last, "--json"]

    return arguments


def announce(context, result=None) -> None:
    """Update VECTORS if the current version is another one than its last update said; else skip the task.

    So nothing is lost if a worker dies between a promotion and its update, and nothing is said twice.
    """
    said = subprocess.run([COMMAND, "versions", OUTPUT, "--json"], capture_output=True, text=True, check=True).stdout
    found = json.loads(said)
    current = next(version for version in found["versions"] if version["version"] == found["current"])
    now = {"output": OUTPUT, **current}
    for update in context["inlet_events"][VECTORS].ascending(False).limit(1):
        # A folder that was deleted and made again has the same numbers.
        if all(update.extra.get(key) == now[key] for key in ("output", "version", "made")):
            raise AirflowSkipException(f"version {current['version']} was current before: there was nothing to do")
    context["outlet_events"][VECTORS].extra = now
    context["ti"].xcom_push("version", current["version"])
    context["ti"].xcom_push("scores", current["scores"])


def task(name: str, *last: str, **options) -> BaseOperator:
    """A task that runs `w2vspark run … LAST`, on the cluster or on the worker."""
    options |= {"task_id": name, "execution_timeout": timedelta(hours=LIMITS[name])}
    if not SPARK:
        return Command(arguments=lambda **given: ["run", *run_with(*last)(**given)], **options)
    own = Path(COMMAND).parent  # spark-submit and Python are those of w2vspark's environment
    environment = {"PATH": f"{own}:{os.environ['PATH']}", "PYSPARK_PYTHON": f"{own}/python"}
    return Submit(
        application=TRAIN, application_args=run_with(*last), conn_id=SPARK, conf=SPARK_CONF, env_vars=environment,
        name=f"w2vspark {name}", **options,
    )  # fmt: skip


def vectors(dag_id: str, schedule, incremental: bool) -> DAG:
    """The DAG. Each task is one command that finds what earlier ones made, so each can be tried again by itself."""
    params = {
        "date": Param(None, type=["null", "string"], format="date", description="the day; else as the run is dated"),
        "config": Param(CONFIG, type="string", minLength=1, description="a TOML file, or a ready-made configuration"),
        "incremental": Param(
            incremental, type="boolean", description="read the day alone; go on from the current version"
        ),
    }
    # One run at a time. Runs of other DAGs on the same output end with exit code 4, which is retried.
    with DAG(
        dag_id, schedule=schedule, start_date=datetime(2026, 1, 1), catchup=False, max_active_runs=1, params=params,
        default_args=RETRIES, tags=["w2vspark"], doc_md=__doc__,
    ) as dag:  # fmt: skip
        prepare = task("prepare", "--until", "bucket_counts")  # text to encoded words; publishes nothing
        train = task("train", "--until", "candidate")  # writes a version that no reader sees
        gate = task("gate", "--hold")  # scores it; exit code 7 if it is worse than the configuration allows
        promote = task("promote", inlets=[VECTORS], outlets=[VECTORS], post_execute=announce)
        retention = Command(
            task_id="retention", arguments=["clean", OUTPUT, "--json"], trigger_rule="none_failed",
            execution_timeout=timedelta(hours=LIMITS["retention"]),
        )  # fmt: skip
        prepare >> train >> gate >> promote >> retention
    return dag


vectors("w2vspark", [TEXT], INCREMENTAL)
if INCREMENTAL:
    vectors("w2vspark_weekly", "@weekly", incremental=False)
