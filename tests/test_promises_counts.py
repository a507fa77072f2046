"""Promise 1 for the methods that train on counts: one slot or two executors give the bytes of two slots."""

from pathlib import Path

import planted
import pytest
from commands import digests, options, run_here, run_several

METHODS: dict[str, dict[str, object]] = {
    "glove": {
        "training__method": "glove",
        "training__shards": 2,
        "training__epochs": 2,
        "cooccurrences__subsample": 0.01,
    },
    "ppmi-svd": {"training__method": "ppmi-svd", "cooccurrences__direction": "left", "cooccurrences__window": 25},
    "lsa": {"training__method": "lsa"},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("counts") / "corpus", planted.documents(150, seed=3), files=4)


def command(method: str, corpus: Path, output: Path, **settings: object) -> list[str]:
    chosen = {"input__path": corpus, "output__path": output, "training__dimensions": 12} | METHODS[method]
    return ["run", *options(**(chosen | settings))]


MASTERS = {"slot": "local[1]", "cluster": "local-cluster[2,1,1024]"}  # in place of this process's local[2]


@pytest.mark.slow
def test_one_slot_and_two_executors_give_the_same_bytes_and_another_seed_others(spark, corpus, tmp_path):
    for place, master in MASTERS.items():
        run_several(
            [command(name, corpus, tmp_path / place / name, spark__master=master) for name in METHODS]
        ).assert_done()
    for name in METHODS:
        run_here(*command(name, corpus, tmp_path / name)).assert_done()
        expected = digests(tmp_path / name)
        for place in MASTERS:
            assert digests(tmp_path / place / name) == expected, (name, place)
        run_here(*command(name, corpus, tmp_path / name, training__seed=2)).assert_done()
        assert digests(tmp_path / name)["vectors"] != expected["vectors"]
