"""The Spark session. Local runs build it here; under spark-submit the cluster's settings apply."""

import atexit
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JError  # type: ignore[import-untyped]
from pyspark import SparkContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from w2vspark.base.errors import EnvironmentFailure
from w2vspark.base.redaction import check_given
from w2vspark.base.terminated import signals_wait
from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, key
from w2vspark.spark.class_archive import archive_path, reading_options
from w2vspark.spark.jvm_messages import noise_filtered
from w2vspark.spark.secret_settings import secret_settings, secrets_file

# local, local[4], local[*, 2], local-cluster[2, 1, 1024], yarn, or a scheme of Spark or of a cluster manager.
_MASTER = re.compile(
    r"local(\[\s*(\*|0*[1-9]\d*)\s*(,\s*\d+\s*)?\])?|local-cluster\[\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]"
    r"|[a-z][\w+.-]*://\S+|yarn"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkConfig(Settings):
    """The Spark session of a local run. Under spark-submit the cluster's settings apply."""

    section = "spark"
    of_result = False

    master: str = key(
        "local[*]",
        rule=(
            lambda master: _MASTER.fullmatch(master) is not None,
            "must be local[*], local[2] for two threads, spark://host:port, yarn or k8s://https://host:port",
        ),
        why="Where Spark runs, if the run is not started by spark-submit. Under spark-submit the cluster decides.",
    )
    driver_memory: str = key(
        "2g",
        rule=(
            lambda size: re.fullmatch(r"[1-9]\d*[kmgt]b?", size.lower()) is not None,
            "must be a size with its unit, as in 512m or 4g",
        ),
        why="Memory of the JVM in a local run.",
    )
    options: dict[str, str] = key({}, why='More settings of Spark, as in { "spark.sql.shuffle.partitions" = "64" }.')

    def problems(self, config: Config) -> Iterator[Problem]:
        """Options that are not settings of Spark."""
        for name, value in self.options.items():
            if not name.startswith("spark."):
                yield "spark.options", {name: value}, f"must begin with spark., as in spark.{name}"


JAVA_NEEDED = 17
# Without it, an Arrow column of a wrong type causes an unclear error in the JVM. Spark 4.0 does not know it.
VALIDATE_SCHEMA = "spark.sql.execution.arrow.pyspark.validateSchema.enabled"
JAVA_OPTIONS = "spark.driver.extraJavaOptions"
# Most of Spark's code runs for only a second or two here, but the optimizing compiler took a fifth of the JVM's CPU. So
# it starts some ten times later than by default. Code that runs for minutes is still optimized.
COMPILE_LATER = (
    "-XX:Tier4InvocationThreshold=60000",
    "-XX:Tier4MinInvocationThreshold=8000",
    "-XX:Tier4CompileThreshold=120000",
    "-XX:Tier4BackEdgeThreshold=400000",
)
PROCESS_BYTES = 280_000_000  # of a worker: Python with pyspark, pyarrow, numba and the compiled kernels
LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")


def build_session(config: SparkConfig, app_name: str) -> SparkSession:
    """The Spark session that runs the stages.

    If the master was chosen outside (by spark-submit, a notebook's session, or Spark Connect), ``config`` is not
    applied. Otherwise the session has ``config.master``, and our defaults, replaced by ``config.options``.

    Raises EnvironmentFailure if there is no Java that Spark can use, or if Spark does not start; ConfigError for an
    option whose value was redacted.
    """
    builder = SparkSession.builder.appName(app_name)
    ours = not _chosen_outside()
    secrets: dict[str, str] = {}
    if ours:
        check_given("spark.options", config.options)
        java_version = require_java()
        # Spark warns about the version of pandas, which does not matter here: only Arrow is used.
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        settings = _local_settings(config, java_version)
        if SparkContext._gateway is None:  # else the JVM runs already, and settings reach it through a socket
            secrets = secret_settings(settings)
        for key in settings.keys() - secrets.keys():
            builder = builder.config(key, settings[key])
        if config.master.startswith("local"):  # a worker of the system's python would miss our packages
            os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        starts_jvm = ours and SparkContext._gateway is None
        with signals_wait(), secrets_file(secrets), noise_filtered() if starts_jvm else nullcontext():
            session = builder.getOrCreate()
    except (PySparkException, Py4JError, ConnectionError) as error:  # the last two: the JVM ended while it started
        reason = " ".join(str(error).partition("\n\tat ")[0].split())
        raise EnvironmentFailure(
            f"Spark did not start: {reason}; see the messages above, and [spark] in the config"
        ) from error
    if ours and threading.current_thread() is threading.main_thread():
        # pyspark's handler calls the JVM during another call. The JVM of a local run ends with this process anyway.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if ours and config.master.startswith("local-cluster"):
        # A JVM that ends without stop() tries to start dozens of executors meanwhile, and logs each of them.
        atexit.register(_stop, session)
    return session


def require_java() -> str:
    """The output of `java -version`. Raises EnvironmentFailure unless JAVA_HOME or PATH has a Java for Spark 4."""
    fix = f"install OpenJDK {JAVA_NEEDED} or newer (17 and 21 are safe choices) or set JAVA_HOME to where it is"
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if java is None:
        raise EnvironmentFailure(f"Spark needs Java and there is none on the PATH; {fix}")
    try:
        run = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        where = f"JAVA_HOME={home}, but {java}" if home else java
        raise EnvironmentFailure(f"Spark needs Java and {where} cannot be run ({error}); {fix}") from error
    version = run.stderr + run.stdout
    found = re.search(r'version "(?:1\.)?(\d+)', version)
    if found and int(found[1]) < JAVA_NEEDED:
        raise EnvironmentFailure(f"Spark needs Java {JAVA_NEEDED} or newer and {java} is Java {found[1]}; {fix}")
    return version


def is_hotspot(java_version: str) -> bool:
    """Whether Java is HotSpot, the usual one, whose options we know. java_version: the output of `java -version`."""
    return "HotSpot" in java_version or "OpenJDK 64-Bit Server VM" in java_version


def starts_locally(config: SparkConfig) -> bool:
    """Whether build_session would start a JVM here, in which all tasks run."""
    return not _chosen_outside() and (config.master == "local" or config.master.startswith("local["))


def is_local(session: SparkSession) -> bool:
    """Whether all tasks run in one JVM on this machine, and end with it. False if the JVM has ended already."""
    try:
        master = session.conf.get("spark.master", "") or ""
    except (PySparkException, Py4JError, ConnectionError):  # the JVM has ended
        return False
    return master == "local" or master.startswith("local[")


def task_slots(session: SparkSession) -> int | None:
    """The number of tasks that a local master runs at once; None on a cluster, where it may change during the run."""
    master = session.conf.get("spark.master", "") or ""
    if master == "local":
        return 1
    local = re.fullmatch(r"local\[(\d+|\*)(?:,\s*\d+)?\]", master)
    if not local:
        return None
    if local[1] != "*":
        return int(local[1])
    # The default number of partitions is the JVM's count of processors, which respects the limits of a container.
    last = session.range(1 << 16).select(F.spark_partition_id().alias("partition")).agg(F.max("partition")).first()
    return int(last[0]) + 1 if last else 1


@contextmanager
def runtime_settings(session: SparkSession, **settings: str) -> Iterator[None]:
    """Change SQL runtime settings for a block, and restore them. Settings that this Spark lacks are skipped."""
    known = {key: value for key, value in settings.items() if _is_known(session, key)}
    before = {key: session.conf.get(key, None) for key in known}
    try:
        for key, value in known.items():
            session.conf.set(key, value)
        yield
    finally:
        for key, old in before.items():
            if old is None:
                session.conf.unset(key)
            else:
                session.conf.set(key, old)


def _chosen_outside() -> bool:
    arguments = os.environ.get("PYSPARK_SUBMIT_ARGS", "").split()
    return (
        SparkSession.getActiveSession() is not None
        or "PYSPARK_GATEWAY_PORT" in os.environ  # set by spark-submit for the Python that it starts
        or "SPARK_REMOTE" in os.environ
        or "--master" in arguments
        or "--remote" in arguments
    )


def java_options(config: SparkConfig, java_version: str) -> str:
    """The JVM's options in a local run: ours, then the user's, which win. java_version: of `java -version`."""
    given = config.options.get(JAVA_OPTIONS, "")
    options = [f"-Dlog4j2.configurationFile={LOG_SETTINGS.as_uri()}"]
    if "GC" not in given:  # the collector for throughput: the default one takes a tenth more CPU for the same work
        options.append("-XX:+UseParallelGC")
    if is_hotspot(java_version):
        options += COMPILE_LATER
        archive = archive_path(java_version)
        if os.access(archive, os.R_OK) and "ArchiveClassesAtExit" not in given:
            options += reading_options(archive)
    return " ".join([*options, given]).strip()


def _local_settings(config: SparkConfig, java_version: str) -> dict[str, str]:
    settings = {
        "spark.master": config.master,
        "spark.driver.memory": config.driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "32",  # 200 cost a second per shuffle; adaptive execution merges small ones
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    }
    if config.master.startswith("local"):  # no look-up of this machine's name, no open port
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        settings |= {"spark.executorEnv.PYTHONSAFEPATH": "1"}  # a worker must not import what is in the current folder
        settings |= {"spark.python.daemon.module": "w2vspark.spark.worker_daemon"}
    settings |= config.options
    settings[JAVA_OPTIONS] = java_options(config, java_version)  # one key has our options and the user's
    return settings


def _stop(session: SparkSession) -> None:
    try:
        session.stop()
    except (OSError, Py4JError) as error:
        logging.getLogger("w2vspark").debug("event=session_not_stopped reason=%s", error)  # the JVM ended before us


def _is_known(session: SparkSession, key: str) -> bool:
    try:
        session.conf.get(key)
    except PySparkException as error:
        if error.getCondition() != "SQL_CONF_NOT_FOUND":
            raise
        return False
    return True
