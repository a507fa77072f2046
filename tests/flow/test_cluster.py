"""The estimate of --dry-run --cluster: costs on a cluster, and what is read and printed."""

import json
from pathlib import Path

import pytest

from w2vspark.base.errors import ConfigError, EnvironmentFailure
from w2vspark.flow import rates as module
from w2vspark.flow.cluster import as_json, estimate_text, parse_cluster
from w2vspark.flow.costs import MODEL, QUERY, START, Cluster, Cost, estimated
from w2vspark.flow.rates import rates_path, read_rates, write_rates

RATES = {START: 4.0, QUERY: 0.5, MODEL: 100.0, "counting": 10.0, "training": 2.0}
COUNTING = Cost("counts", "counting", 800, "MB of text", tasks=40, queries=1)
TRAINING = Cost("rounds", "training", 80, "G values", tasks=2, threads=2, queries=10)


def test_a_cluster_is_read_from_a_text():
    assert parse_cluster("executors=20,cores=8") == Cluster(20, 8)
    assert parse_cluster(" cores = 4 , executors=1,memory=16G") == Cluster(1, 4, 16 << 30)
    assert parse_cluster("executors=1,cores=2,memory=512mb").memory == 512 << 20


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "an empty part is not known"),
        ("executors=20", "cores is missing"),
        ("cores=8", "executors is missing"),
        ("executors=20,cores=8,", "an empty part is not known"),
        ("executors=20,core=8", "core=8 is not known; did you mean cores"),
        ("executors=20,cores", "cores is not known"),
        ("executors=0,cores=8", "executors must be a whole number from 1"),
        ("executors=2.5,cores=8", "executors must be a whole number"),
        ("executors=-1,cores=8", "executors must be a whole number"),
        ("executors=²,cores=8", "executors must be a whole number"),
        ("executors=9999999999999,cores=8", "executors must be a whole number"),
        ("executors=20,cores=eight", "cores must be a whole number"),
        ("executors=20,cores=8,cores=9", "cores is given twice"),
        ("executors=20,cores=8,memory=16", "memory must be a size with its unit"),
        ("executors=20,cores=8,memory=0g", "memory must be a size with its unit"),
    ],
)
def test_a_wrong_cluster_is_one_error_that_shows_how_to_write_it(text, part):
    with pytest.raises(ConfigError) as found:
        parse_cluster(text)
    assert part in str(found.value) and "executors=20,cores=8" in str(found.value)


@pytest.mark.parametrize(
    ("slots", "cpus", "seconds"),
    [
        (1, 1, 0.5 + 80),  # 800 MB at 10 MB/s
        (40, 1, 0.5 + 2),
        (400, 1, 0.5 + 2),  # there are 40 tasks
        (30, 1, 0.5 + 4),  # two waves
        (40, 8, 0.5 + 2),  # a task has one thread
    ],
)
def test_tasks_share_the_work_in_waves(slots, cpus, seconds):
    assert COUNTING.seconds(RATES, slots, cpus) == pytest.approx(seconds)


def test_threads_queries_and_the_largest_task_count():
    assert TRAINING.seconds(RATES, 2, 1) == pytest.approx(10 * 0.5 + 20)
    assert TRAINING.seconds(RATES, 2, 4) == pytest.approx(10 * 0.5 + 10), "two threads, whatever the task has"
    uneven = Cost("counts", "counting", 100, "MB of text", tasks=4, largest=0.7)
    assert uneven.seconds(RATES, 4, 1) == pytest.approx(7.0)
    assert Cost("a", QUERY, 0, "", queries=3).seconds(RATES, 4, 1) == 1.5


def test_the_best_spark_task_cpus_weighs_training_against_counting():
    training = estimated([COUNTING, TRAINING], RATES, Cluster(2, 2), worker=0)
    assert training is not None and training.task_cpus == 1  # two cpus: 10 s less for training, 20 s more for counting
    assert training.seconds_by_cpus == pytest.approx({1: 4 + 20.5 + 25, 2: 4 + 40.5 + 15})
    assert training.seconds == pytest.approx(49.5) and training.slots == 4
    alone = estimated([TRAINING], RATES, Cluster(2, 4), worker=0)
    assert alone is not None and alone.task_cpus == 2, "more than two help nothing"


def test_memory_rules_out_tasks_that_do_not_fit_side_by_side():
    found = estimated([COUNTING], RATES, Cluster(1, 4, memory=2_000), worker=1_000)
    assert found is not None and found.task_cpus == 2 and list(found.seconds_by_cpus) == [2, 3, 4]
    assert estimated([COUNTING], RATES, Cluster(1, 4, memory=999), worker=1_000) is None


def test_the_estimate_is_a_table_with_the_reason_and_the_assumption():
    found = estimated([COUNTING, TRAINING], RATES, Cluster(2, 2), worker=0)
    assert found is not None
    assert estimate_text(found) == (
        "estimate for 2 executors with 2 cores each:\n"
        "  stage   work              tasks  a core does  seconds\n"
        f"{'  start   Spark':<52}4.0\n"
        "  counts  800.0 MB of text     40         10/s     20.5\n"
        "  rounds  80.0 G values         2          2/s     25.0\n"
        f"{'  in all':<51}49.5\n"
        "spark.task.cpus = 1: 4 tasks run at once; rounds, the longest stage, has 2 tasks of up to 2 threads each, in "
        "1 wave; with 2 the run takes 60 s\n"
        "The estimate takes each executor's cores to be like this machine's, and the network to be no limit.\n"
        "Tables that are there already count too.\n"
    )
    told = json.loads(json.dumps(as_json(found)))
    assert told["task_cpus"] == 1 and told["seconds"] == pytest.approx(49.5) and told["costs"][1]["measured_rate"] == 2


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_rates_are_read_as_they_were_written(cache):
    write_rates(RATES)
    assert read_rates() == RATES and rates_path().is_relative_to(cache)
    write_rates({START: 1.0})
    assert read_rates() == {START: 1.0}
    assert [path.name for path in rates_path().parent.iterdir()] == ["rates.json"]


def test_missing_damaged_and_foreign_rates_are_one_error_that_names_the_fix(cache, monkeypatch):
    def refused(part: str) -> None:
        with pytest.raises(EnvironmentFailure) as found:
            read_rates()
        assert part in str(found.value) and "run w2vspark warm-up first" in str(found.value)

    refused("there are no measured rates")
    write_rates(RATES)
    whole = rates_path().read_text()
    for text in (whole[:40], "", "[]", "{}", whole.replace("10.0", "11.0"), '{"sha256": 1, "machine": 2, "rates": 3}'):
        rates_path().write_text(text)
        refused("is damaged")
    write_rates(RATES | {"odd": 0.0})
    refused("is damaged")
    write_rates(RATES)
    monkeypatch.setattr(module, "_cpu", lambda: "another one")
    refused("was measured with another cpu")


def test_a_cache_that_cannot_be_written_is_one_error(cache):
    (cache / "w2vspark").touch()
    with pytest.raises(EnvironmentFailure, match="set XDG_CACHE_HOME"):
        write_rates(RATES)
