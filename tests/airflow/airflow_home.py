"""A real Airflow in an environment of its own, and the DAG's file with the lines at its top edited as a user would."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).parents[2]
DAG_FILE = ROOT / "conf" / "airflow" / "w2vspark_dag.py"
GUIDE = ROOT / "docs" / "guides" / "airflow.md"
PYTHON = Path(os.environ.get("W2VSPARK_AIRFLOW", ROOT / ".airflow" / "bin" / "python"))
RUN_SECONDS = 900
needs_airflow = pytest.mark.skipif(
    not PYTHON.exists(), reason="needs Airflow: `make .airflow/installed`, or its Python's path in W2VSPARK_AIRFLOW"
)


def guide_commands() -> list[list[str]]:
    """The words of each line of the guide's blocks of commands."""
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def guide_dags() -> list[str]:
    """The guide's DAGs of those who write the text, and who read the vectors."""
    return re.findall(r"^```py\n(.*?)^```$", GUIDE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def write_dag(folder: Path, **settings: object) -> None:
    """Copy the DAG's file to a folder; settings: new values of the lines to edit, by the names there."""
    text = DAG_FILE.read_text("utf-8")
    for name, value in settings.items():
        text, count = re.subn(
            rf"^({name}(?:: [^=]+)?) = [^#\n]*",
            lambda found, value=value: f"{found[1]} = {value!r}  ",
            text,
            flags=re.MULTILINE,
        )
        assert count == 1, f"{DAG_FILE} sets {name} {count} times"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DAG_FILE.name).write_text(text, "utf-8")


@dataclass(frozen=True)
class Outcome:
    """How `airflow …` ended."""

    code: int
    said: str  # its output and its log


@dataclass(frozen=True)
class AirflowHome:
    """A folder AIRFLOW_HOME with a SQLite database."""

    folder: Path
    more: Mapping[str, str]  # variables of the environment

    @property
    def dags(self) -> Path:
        """Where the DAGs' files are."""
        return self.folder / "dags"

    def environment(self) -> dict[str, str]:
        """As in an activated environment of Airflow. Nothing of Spark's is taken along but the JVM's options."""
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("AIRFLOW", "PYSPARK"))}
        own = {
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "PATH": f"{PYTHON.parent}:{os.environ['PATH']}",
        }
        return kept | own | self.more

    def command(self, *words: str) -> list[str]:
        """`airflow …` as a list of words."""
        return [str(PYTHON.with_name("airflow")), *words]

    def run(self, *words: str) -> Outcome:
        """Run `airflow …`."""
        with self.started(*words) as (process, log):
            return Outcome(process.wait(timeout=RUN_SECONDS), log.read_text("utf-8"))

    @contextmanager
    def started(self, *words: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
        """`airflow …` as a process, and the file with what it prints. All that it started ends with the block."""
        log = self.folder / f"{uuid.uuid4().hex}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                self.command(*words), env=self.environment(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=stream,
                stderr=stream,
            )  # fmt: skip
        try:
            yield process, log
        finally:
            if process.poll() is None:
                family = [*psutil.Process(process.pid).children(recursive=True), process]
                for each in family:  # commands have sessions of their own
                    with suppress(psutil.NoSuchProcess):
                        each.kill()
                process.wait()

    def python(self, code: str) -> Any:
        """What code prints last, as JSON. Airflow's Python runs it; it can import the DAG's file, but not w2vspark."""
        environment = self.environment() | {"PYTHONPATH": str(self.dags)}
        done = subprocess.run(
            [str(PYTHON), "-c", code], env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120,
            check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def rows(self, query: str) -> list[Sequence[Any]]:
        """The rows of a query of Airflow's database."""
        with sqlite3.connect(self.folder / "airflow.db") as database:
            return database.execute(query).fetchall()

    def states(self) -> dict[str, str]:
        """The state of each task in the run that began last."""
        last = "(select run_id from dag_run order by id desc limit 1)"
        return dict(self.rows(f"select task_id, state from task_instance where run_id = {last}"))

    def updates(self) -> list[dict[str, Any]]:
        """What each update of the vectors' asset says, the oldest first."""
        found = self.rows("select extra from asset_event where source_task_id = 'promote' order by id")
        return [json.loads(extra) for (extra,) in found]


def make_home(folder: Path, **more: str) -> AirflowHome:
    """Make the folder and the database."""
    home = AirflowHome(folder, more)
    home.dags.mkdir(parents=True)
    done = home.run("db", "migrate")
    assert done.code == 0, done.said
    return home
