"""Promise 1: training is a pure function of corpus, configuration and seed, whatever runs it."""

import os
from pathlib import Path

import planted
import pytest
from commands import digests, options, run_here, run_several

# Once as a user gets it, once with all that could go out of order: shards, lanes, several merges, several rounds.
VARIANTS: dict[str, dict[str, object]] = {
    "default": {},
    "4x2": {
        "training__shards": 4,
        "training__lanes": 2,
        "training__rounds_per_epoch": 1,
        "training__epochs": 2,
        "training__lane_merge_tokens": 500,
        "training__dimensions": 20,
        "training__subsample": 0.01,
    },
}
# The methods that train on counts.
COUNTED: dict[str, dict[str, object]] = {
    "glove": {
        "training__method": "glove",
        "training__shards": 2,
        "training__epochs": 2,
        "training__dimensions": 12,
        "cooccurrences__subsample": 0.01,
    },
    "ppmi-svd": {
        "training__method": "ppmi-svd",
        "training__dimensions": 12,
        "cooccurrences__direction": "left",
        "cooccurrences__window": 25,
    },
    "lsa": {"training__method": "lsa", "training__dimensions": 12},
}

# Put on the workers' path as sitecustomize.py: what a task calls fails twice in each of the two rounds, half way
# through its output and when its files are written, by an error or by the death of its process.
FAILING_TASKS = """
import functools, importlib.abc, importlib.machinery, os, signal, sys

def once(name):
    try:
        os.close(os.open(os.path.join(os.environ["FAILURES"], name), os.O_CREAT | os.O_EXCL))
        return True
    except FileExistsError:
        return False

def fail(name, job):
    if once(f"{name} {job.round.number} of {job.trainer.shards} shards"):
        if job.round.number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(f"{name} fails on purpose in round {job.round.number}")

def failing(name, function):
    @functools.wraps(function)
    def wrapped(batches, job, **more):
        for number, batch in enumerate(function(batches, job, **more)):
            yield batch
            if number == 1:
                fail(f"half of {name}", job)
        fail(f"end of {name}", job)
    return wrapped

class Loader(importlib.abc.Loader):
    def __init__(self, loader):
        self.loader = loader
    def create_module(self, spec):
        return self.loader.create_module(spec)
    def exec_module(self, module):
        self.loader.exec_module(module)
        for name in ("train_shards", "want_rows", "send_wanted_rows", "train_sent_rows", "combine_shards"):
            setattr(module, name, failing(name, getattr(module, name)))

class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "w2vspark.training.tasks":
            spec = importlib.machinery.PathFinder.find_spec(name, path)
            spec.loader = Loader(spec.loader)
            return spec

sys.meta_path.insert(0, Finder())
"""


@pytest.fixture(scope="module")
def lines() -> list[str]:
    """Documents of one piece, and one of several."""
    return [*planted.documents(150, seed=3), " ".join(planted.documents(25, seed=4))]


@pytest.fixture(scope="module")
def corpus(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("identity") / "corpus", lines)


@pytest.fixture(scope="module")
def expected(spark: object, corpus: Path) -> dict[str, dict[str, str]]:
    """The bytes of every variant and counted method at local[2], in this process."""
    found = {}
    for name in VARIANTS | COUNTED:
        output = corpus.parent / f"expected-{name}"
        run_here(*command(name, corpus, output)).assert_done()
        found[name] = digests(output)
    return found


def command(variant: str, corpus: Path, output: Path, **settings: object) -> list[str]:
    """`w2vspark run` of a variant."""
    chosen = {"input__path": corpus, "output__path": output} | (VARIANTS | COUNTED)[variant] | settings
    return ["run", *options(**chosen)]


def test_the_two_variants_are_different_trainings(expected):
    assert expected["default"]["vectors"] != expected["4x2"]["vectors"]
    assert expected["4x2"]["vectors"] != expected["4x2"]["context"]


@pytest.mark.parametrize("master", ["local[1]", pytest.param("local[3]", marks=pytest.mark.slow)])
def test_any_number_of_slots_and_threads_gives_the_same_bytes(master, corpus, expected, tmp_path):
    # The one shard of the default gets all slots as threads; the four shards run one after another, or three at once.
    runs = [command(name, corpus, tmp_path / name, spark__master=master) for name in expected]
    run_several(runs).assert_done()
    assert {name: digests(tmp_path / name) for name in expected} == expected


@pytest.mark.slow
@pytest.mark.parametrize("method", COUNTED)
def test_another_seed_gives_other_vectors_where_counts_are_trained_on(method, corpus, expected, tmp_path):
    run_here(*command(method, corpus, tmp_path / "output", training__seed=2)).assert_done()
    assert digests(tmp_path / "output")["vectors"] != expected[method]["vectors"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_input_in_sixteen_files_gives_the_same_bytes_as_in_one(variant, lines, expected, tmp_path):
    corpus = planted.write_lines(tmp_path / "corpus", lines[::-1], files=16)
    run_here(*command(variant, corpus, tmp_path / "output")).assert_done()
    assert digests(tmp_path / "output") == expected[variant]


@pytest.mark.parametrize("variant", ["4x2", pytest.param("default", marks=pytest.mark.slow)])
def test_one_seed_gives_the_same_bytes_twice_and_another_seed_gives_others(variant, corpus, expected, tmp_path):
    run_here(*command(variant, corpus, tmp_path / "output")).assert_done()
    assert digests(tmp_path / "output") == expected[variant]
    run_here(*command(variant, corpus, tmp_path / "output", training__seed=2)).assert_done()
    again = digests(tmp_path / "output")
    assert again["vectors"] != expected[variant]["vectors"]
    assert again["context"] != expected[variant]["context"]


def test_tasks_that_fail_and_are_retried_give_the_same_bytes(corpus, expected, tmp_path):
    (tmp_path / "failures").mkdir()
    (tmp_path / "sitecustomize.py").write_text(FAILING_TASKS)
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    pool = {"training__negative_pool": 300}
    run_here(*command("4x2", corpus, tmp_path / "rows read", **pool)).assert_done()
    slots = {"spark__master": "local[2,6]"}
    runs = [command(name, corpus, tmp_path / name, **slots) for name in VARIANTS]
    runs.append(command("4x2", corpus, tmp_path / "rows sent", training__rows="slice", **pool, **slots))
    run_several(runs, {"PYTHONPATH": path, "FAILURES": str(tmp_path / "failures")}).assert_done()
    happened = sorted(file.name for file in (tmp_path / "failures").iterdir())
    of_four = ("combine_shards", "send_wanted_rows", "train_sent_rows", "train_shards", "want_rows")
    steps = ["train_shards 1 of 1", *(f"{task} {number} of 4" for task in of_four for number in (1, 2))]
    assert happened == sorted(f"{place} of {step} shards" for place in ("end", "half") for step in steps)
    assert {name: digests(tmp_path / name) for name in VARIANTS} == {name: expected[name] for name in VARIANTS}
    assert digests(tmp_path / "rows sent") == digests(tmp_path / "rows read")
