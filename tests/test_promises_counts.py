"""Promise 1 for the methods that train on counts: one slot gives the bytes of two, and another seed gives others."""

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


@pytest.mark.slow
def test_any_number_of_slots_gives_the_same_bytes_and_another_seed_others(spark, corpus, tmp_path):
    for slots in "13":
        runs = [command(name, corpus, tmp_path / slots / name, spark__master=f"local[{slots}]") for name in METHODS]
        run_several(runs).assert_done()
    for name in METHODS:
        run_here(*command(name, corpus, tmp_path / name)).assert_done()
        expected = digests(tmp_path / name)
        for slots in "13":
            assert digests(tmp_path / slots / name) == expected, (name, slots)
        run_here(*command(name, corpus, tmp_path / name, training__seed=2)).assert_done()
        assert digests(tmp_path / name)["vectors"] != expected["vectors"]
