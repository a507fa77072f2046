"""A standalone Spark cluster on this machine: a master and workers in processes of their own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyspark

SPARK_CLASS = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
START_SECONDS = 60


@contextmanager
def standalone_cluster(folder: Path, workers: int = 1, hidden: Path | None = None) -> Iterator[str]:
    """Yields the master's URL. hidden: a folder that the workers see empty, as a machine without that disk would."""
    with ExitStack() as stack:
        deploy = "org.apache.spark.deploy"
        master = ["master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
        url = stack.enter_context(_process(folder / "master", deploy, master, r"Starting Spark master at (\S+)"))
        for number in range(workers):
            own = folder / f"worker-{number}"
            words = ["worker.Worker", "--host", "127.0.0.1", "--webui-port", "0", "--cores", "1", "--memory", "1g"]
            words += ["--work-dir", str(own), url]
            stack.enter_context(_process(own, deploy, words, r"(Successfully registered)", hidden))
        yield url


def can_hide_folders() -> bool:
    """Whether this system lets a process have its own view of the disks."""
    unshare = shutil.which("unshare")
    return unshare is not None and subprocess.run([unshare, "-rm", "true"], capture_output=True).returncode == 0


@contextmanager
def _process(
    folder: Path, package: str, words: Sequence[str], started: str, hidden: Path | None = None
) -> Iterator[str]:
    folder.mkdir(parents=True)
    log = folder / "log"
    command = [SPARK_CLASS, f"{package}.{words[0]}", *words[1:]]
    if hidden:
        command = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(hidden), *command]
    environment = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with log.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (found := re.search(started, log.read_text())):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.05)
        yield found[1]
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
