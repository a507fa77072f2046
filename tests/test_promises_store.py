"""A whole run whose output lies in an S3 bucket: published, found again, resumed, rolled back and read."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import planted
import pyarrow.parquet as pq
import pytest
from commands import digests, options, run_here, run_several
from stores import new_bucket, s3_server
from test_promises_fencing import started

from w2vspark import storage
from w2vspark.output.claims import ENVIRONMENT
from w2vspark.output.publish import resolve
from w2vspark.vectors import load_vectors

QUICK: dict[str, object] = {
    "training__dimensions": 8,
    "training__shards": 2,
    "training__epochs": 3,
    "training__rounds_per_epoch": 2,
    "subwords__enabled": True,
    "subwords__buckets": 500,
    "spark__master": "local[2]",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return planted.write_lines(tmp_path_factory.mktemp("store") / "corpus", planted.documents(60, seed=5))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket; the environment names its server, for this process and those that it starts."""
    with s3_server() as environment:
        before = {name: os.environ.get(name) for name in environment}
        os.environ.update(environment)
        try:
            yield new_bucket(environment)
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value


def command(corpus: Path, output: str, **settings: object) -> list[str]:
    return ["run", *options(**(QUICK | {"input__path": corpus, "output__path": output} | settings))]


def test_a_run_killed_in_a_round_goes_on_in_a_store_with_the_same_bytes(corpus, bucket, tmp_path):
    output, local = f"s3://{bucket}/out", tmp_path / "local"
    words = command(corpus, output)
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")} | {ENVIRONMENT: "6"}
    with started(*words, log=tmp_path / "log", **environment) as first:
        first.wait_for("event=end round=3 of")
        first.send(signal.SIGKILL)
        first.end()
    runs = [words, words, command(corpus, output, training__seed=2), command(corpus, str(local))]
    done = run_several(runs, environment).assert_done()
    rounds = [int(number) for number in re.findall(r"event=end round=(\d) of", done.err)]
    resumed, whole = rounds[:-12], rounds[-12:]
    assert resumed and resumed == [4, 5, 6][-len(resumed) :] and whole == [*range(1, 7)] * 2
    assert done.out.count("nothing to do") == 1

    run_here("rollback", output).assert_done()
    states = json.loads(run_here("versions", output, "--json").assert_done().out)
    assert [row["state"] for row in states["versions"]] == ["was current", "current"]
    version = resolve(output)
    for table in digests(local):
        fs, path = storage.filesystem(version.table(table))
        found, expected = pq.read_table(path, filesystem=fs), pq.read_table(resolve(str(local)).table(table))
        keys = [(name, "ascending") for name in ("bucket", "id") if name in found.column_names]
        assert found.sort_by(keys).equals(expected.sort_by(keys)), table
    names = [name.rpartition("/")[2] for name in files_below(version.folder)]
    assert all(re.fullmatch(r"part-\d{5}\.parquet|manifest\.json|report\.html", name) for name in names), names
    assert load_vectors(output).vector("countrymen").shape == (8,)


def files_below(uri: str) -> list[str]:
    names = [storage.join(uri, name) for name in storage.file_sizes(uri)]
    return names + [name for folder in storage.list_folders(uri) for name in files_below(storage.join(uri, folder))]
