"""The session: Java, settings, slots."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from w2vspark.base.errors import ConfigError, EnvironmentFailure
from w2vspark.base.redaction import REDACTED
from w2vspark.spark.class_archive import archive_path
from w2vspark.spark.secret_settings import secrets_file
from w2vspark.spark.session import (
    JAVA_OPTIONS,
    VALIDATE_SCHEMA,
    SparkConfig,
    build_session,
    java_options,
    require_java,
    runtime_settings,
    task_slots,
)

SECRET = r"#geheim = \u0041: é!"  # has what a file of properties must escape
LOCAL_RUN = """
import os
from w2vspark.spark.session import SparkConfig
from w2vspark.spark.session import build_session, task_slots
options = {"spark.sql.shuffle.partitions": "7"}
if secret := os.environ.pop("TEST_SECRET", ""):
    options |= {"spark.hadoop.fs.s3a.secret.key": secret, "spark.hadoop.fs.azure.account.key.name": secret}
session = build_session(SparkConfig(master="local[3,2]", driver_memory="600m", options=options), "x")
settings = ["spark.driver.memory", "spark.sql.session.timeZone", "spark.sql.shuffle.partitions", "spark.ui.enabled"]
print(task_slots(session), *map(session.conf.get, settings))
session.range(2).mapInArrow(lambda batches: batches, "id long").collect()
"""
LOG_ERROR = """
java = session._jvm.java
error = java.lang.RuntimeException("the reason\\nand more", java.io.IOException("its cause"))
session._jvm.org.apache.logging.log4j.LogManager.getLogger("a.Logger").error("what failed\\nand where", error)
"""
SHOW_SECRETS = """
import json, psutil
hadoop = session.sparkContext._jsc.hadoopConfiguration()
java = [process for process in psutil.Process().children(recursive=True) if process.name() == "java"]
print(json.dumps({
    "values": [hadoop.get("fs.s3a.secret.key"), hadoop.get("fs.azure.account.key.name")],
    "processes": len(java),
    "words": [word for process in java for word in [*process.cmdline(), *process.environ().values()]],
    "left": [name for name in os.listdir(os.environ["TMPDIR"]) if name.startswith("w2vspark-")],
    "arguments": os.environ.get("PYSPARK_SUBMIT_ARGS"),
}))
"""


def fake_java(folder: Path, version: str, status: int = 0) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho '{version}' >&2\nexit {status}\n")
    java.chmod(0o755)
    return java


def without_spark_variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))}


def test_a_missing_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailure, match=r"needs Java and there is none on the PATH; install OpenJDK 17"):
        require_java()


@pytest.mark.parametrize(
    ("version", "number"), [('java version "1.8.0_392"', 8), ('openjdk version "11.0.22" 2024-01-16', 11)]
)
def test_an_old_java_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, number: int
) -> None:
    java = fake_java(tmp_path, version)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(java.parent))
    with pytest.raises(
        EnvironmentFailure, match=rf"needs Java 17 or newer and {java} is Java {number}; install OpenJDK"
    ):
        require_java()


def test_java_home_comes_before_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(fake_java(tmp_path / "old", 'openjdk version "11.0.22"').parent))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "new"))
    with pytest.raises(EnvironmentFailure, match=r"JAVA_HOME=.*cannot be run"):
        require_java()
    fake_java(tmp_path / "new", 'openjdk version "21" 2023-09-19')
    require_java()


def test_a_java_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake_java(tmp_path, "Unable to locate a Java Runtime.", status=1)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(EnvironmentFailure, match="cannot be run"):
        require_java()


def test_a_local_run_has_the_configured_settings_a_quiet_terminal_and_no_secret_that_others_see(tmp_path: Path) -> None:
    environment = without_spark_variables() | {"TEST_SECRET": SECRET, "TMPDIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", LOCAL_RUN + SHOW_SECRETS + LOG_ERROR], capture_output=True, text=True, cwd=tmp_path,
        env=environment,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    settings, secrets = run.stdout.splitlines()
    assert settings.split() == ["3", "600m", "UTC", "7", "false"]
    found = json.loads(secrets)
    words = found.pop("words")
    assert found == {"values": [SECRET] * 2, "processes": 1, "left": [], "arguments": None}
    assert "spark.driver.memory=600m" in words and not any("geheim" in word for word in words)
    # The JVM's own line about a module that Spark asks for cannot be turned off.
    lines = [line for line in run.stderr.splitlines() if "incubator modules" not in line]
    assert [line[20:] for line in lines] == ["ERROR Logger: what failed: java.lang.RuntimeException: the reason"]


def test_secrets_go_by_a_private_file_that_keeps_the_users_own_properties(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.conf"
    own.write_text("spark.mine 1")
    given = f"--packages a:b:1 --properties-file {own} pyspark-shell"
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", given)
    with pytest.raises(ValueError, match="inside"), secrets_file({"spark.x.password": "a b"}):
        option, name, *rest = os.environ["PYSPARK_SUBMIT_ARGS"].split()
        assert (option, rest) == ("--properties-file", ["--packages", "a:b:1", "pyspark-shell"])
        assert Path(name).read_text() == "spark.mine 1\nspark.x.password=a\\ b\n"
        assert stat.S_IMODE(os.stat(name).st_mode) == 0o600
        raise ValueError("inside")
    assert not Path(name).exists() and os.environ["PYSPARK_SUBMIT_ARGS"] == given
    monkeypatch.delenv("PYSPARK_SUBMIT_ARGS")
    with secrets_file({"spark.x.password": "a"}):
        assert os.environ["PYSPARK_SUBMIT_ARGS"].split()[2:] == ["--load-spark-defaults", "pyspark-shell"]
    with secrets_file({}):
        assert "PYSPARK_SUBMIT_ARGS" not in os.environ


def test_a_redacted_option_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SparkSession, "getActiveSession", lambda: None)
    for name in ("PYSPARK_GATEWAY_PORT", "SPARK_REMOTE", "PYSPARK_SUBMIT_ARGS"):
        monkeypatch.delenv(name, raising=False)
    options = {"spark.hadoop.fs.s3a.secret.key": REDACTED}
    with pytest.raises(ConfigError, match=r"^spark\.options\.spark\.hadoop\.fs\.s3a\.secret\.key = .*give it again"):
        build_session(SparkConfig(options=options), "x")


def test_the_archive_that_a_warm_up_made_with_this_java_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    usual, other = 'version "17.0.1"\nOpenJDK 64-Bit Server VM (build 17)', 'version "17"\nEclipse OpenJ9 VM'
    archive = archive_path(usual)
    assert archive != archive_path(usual.replace("17.0.1", "17.0.2")) and archive.is_relative_to(tmp_path)
    config = SparkConfig(options={JAVA_OPTIONS: "-Dmine=1"})
    without = java_options(config, usual)
    assert "-XX:Tier4" in without and without.endswith("-Dmine=1") and "Shared" not in without
    archive.parent.mkdir()
    archive.touch()
    assert f'"-XX:SharedArchiveFile={archive}"' in java_options(config, usual)
    assert "Shared" not in java_options(SparkConfig(options={JAVA_OPTIONS: "-XX:ArchiveClassesAtExit=x"}), usual)
    assert "-XX:Tier4" not in java_options(config, other) and "Shared" not in java_options(config, other)
    assert "ParallelGC" not in java_options(SparkConfig(options={JAVA_OPTIONS: "-XX:+UseG1GC"}), usual)


def test_under_spark_submit_the_master_and_options_of_the_cluster_stand(tmp_path: Path) -> None:
    script = tmp_path / "job.py"
    script.write_text(LOCAL_RUN)
    submit = Path(sys.modules["pyspark"].__file__ or "").parent / "bin" / "spark-submit"
    environment = without_spark_variables() | {"PYSPARK_PYTHON": sys.executable}
    run = subprocess.run(
        [
            submit,
            "--master",
            "local[1]",
            "--conf",
            "spark.driver.memory=700m",
            "--conf",
            "spark.ui.enabled=false",
            script,
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
    )
    assert run.returncode == 0, run.stderr
    # spark-submit sends Python's warnings to standard output as well.
    slots, memory, _, partitions, _ = next(line for line in run.stdout.splitlines() if "700m" in line).split()
    assert (slots, memory, partitions) == ("1", "700m", "200")


def test_slots_are_those_of_a_local_master_and_unknown_on_a_cluster(spark: SparkSession) -> None:
    assert task_slots(spark) == 2

    class Stub:
        def __init__(self, master: str) -> None:
            self.conf = {"spark.master": master}
            self.range = spark.range

    for master, slots in [("local", 1), ("local[5]", 5), ("local[4, 2]", 4), ("local[*]", 2), ("local[*,3]", 2)]:
        assert task_slots(Stub(master)) == slots, master  # type: ignore[arg-type]
    for master in ["yarn", "spark://host:7077", "k8s://https://host", "local-cluster[2,1,1024]"]:
        assert task_slots(Stub(master)) is None, master  # type: ignore[arg-type]


def test_runtime_settings_last_for_the_block_alone(spark: SparkSession) -> None:
    key, unset = "spark.sql.shuffle.partitions", "spark.sql.sources.partitionColumnTypeInference.enabled"
    with pytest.raises(ValueError, match="inside"), runtime_settings(spark, **{key: "5", unset: "false"}):
        assert (spark.conf.get(key), spark.conf.get(unset)) == ("5", "false")
        raise ValueError("inside")
    assert (spark.conf.get(key), spark.conf.get(unset, None)) == ("2", None)


def test_settings_that_this_spark_does_not_know_are_left_out(spark: SparkSession) -> None:
    with runtime_settings(spark, **{"spark.sql.no.such.setting": "1", VALIDATE_SCHEMA: "true"}):
        assert spark.conf.get("spark.sql.no.such.setting", None) is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="from Python 3.12 on an archive is read again only when needed")
def test_a_worker_does_not_read_archives_again_before_each_task(spark: SparkSession) -> None:
    def lists_kept(_: object) -> Iterator[bool]:
        import importlib
        import zipimport

        archives = [each for each in sys.path_importer_cache.values() if isinstance(each, zipimport.zipimporter)]
        before = [archive._files for archive in archives]
        importlib.invalidate_caches()  # as a worker of Spark 4.0 does
        yield from (archive._files is files for archive, files in zip(archives, before, strict=True))

    found = spark.sparkContext.parallelize([0], 1).mapPartitions(lists_kept).collect()
    assert found and all(found)
