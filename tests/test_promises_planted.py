"""A corpus whose structure is known by construction gives the neighbours and analogies that it must give."""

import itertools
from pathlib import Path

import planted
import pytest
from commands import options, run_here

from w2vspark.vectors import WordVectors, analogy, load_vectors, similar

SETTINGS: dict[str, object] = {"training__dimensions": 32, "training__epochs": 10, "training__subsample": 0.01}
REPLICAS: dict[str, dict[str, object]] = {
    "one shard": {},
    "4 shards x 2 lanes": {
        "training__shards": 4, "training__lanes": 2, "training__rounds_per_epoch": 1,
        "training__lane_merge_tokens": 2000,
    },
    "skipgram-hs": {"training__method": "skipgram-hs"},
    "skipgram-softmax": {"training__method": "skipgram-softmax"},
    "cbow-ns": {"training__method": "cbow-ns"},
    "cbow-hs": {"training__method": "cbow-hs"},
    "cbow-softmax": {"training__method": "cbow-softmax"},
    "adagrad": {"training__optimizer": "adagrad"},
}  # fmt: skip


@pytest.fixture(scope="module", params=REPLICAS)
def vectors(spark: object, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> WordVectors:
    folder = tmp_path_factory.mktemp("planted")
    corpus: Path = planted.write_lines(folder / "corpus", planted.documents(600, seed=1))
    chosen = {"input__path": corpus, "output__path": folder / "output"} | SETTINGS | REPLICAS[request.param]
    run_here("run", *options(**chosen)).assert_done()
    return load_vectors(str(folder / "output"))


def test_the_nearest_words_are_those_that_stand_in_the_same_frames(vectors):
    for kind in range(planted.KINDS):
        for word in planted.members(kind):
            nearest = {found.word for found in similar(vectors, word, planted.MEMBERS - 1)}
            assert nearest == set(planted.members(kind)) - {word}


def test_capitals_answer_the_analogies_of_their_countries(vectors):
    pairs = list(itertools.permutations(range(planted.PAIRS), 2))
    right = sum(
        analogy(vectors, planted.country(a), planted.capital(a), planted.country(b), 1)[0].word == planted.capital(b)
        for a, b in pairs
    )
    assert right >= 0.98 * len(pairs), f"{right} of {len(pairs)}"
