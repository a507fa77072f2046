"""The earlier model is found once: a run reads this version, whatever is published meanwhile."""

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from outputs import publish_version

from w2vspark.base import schemas
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.training.word2vec.earlier import (
    carries_subwords,
    earlier,
    earlier_vocabulary,
    find_earlier,
    identity,
    reading,
)
from w2vspark.training.word2vec.settings import SubwordsConfig, WarmStartConfig

NO_OUTPUT = ""  # of the run itself: it is for warm_start.path = "current"


def publish_model(output: Path, version: str, words: list[str], value: float, **config: object) -> Path:
    """Vectors and context of 2 dimensions with this value, and the vocabulary."""
    ids, counts = np.arange(len(words), dtype=np.int32), np.arange(len(words), 0, -1)
    rows = pa.table([ids, words, counts, [[value, value]] * len(words)], schema=schemas.VECTORS)
    vocabulary = rows.select(schemas.VOCABULARY.names)
    return publish_version(
        output, version, {"vectors": rows, "context": rows, "vocabulary": vocabulary}, config=config, run_id=version
    )


def test_rows_words_and_subwords_are_of_the_version_that_was_found(spark, tmp_path):
    publish_model(tmp_path, "000001", ["a", "b"], 1.0)
    model = find_earlier(WarmStartConfig(path=str(tmp_path)), NO_OUTPUT)
    rows = earlier(spark, model, "auto", with_subwords=False)
    subwords = {"enabled": True, "min_length": 2, "max_length": 3, "buckets": 50}
    publish_model(tmp_path, "000002", ["c"], 2.0, subwords=subwords)
    assert identity(model) == {"run": "000001", "version": "000001"}
    assert not carries_subwords(model, SubwordsConfig(enabled=True))
    with reading(model):
        words = [row["word"] for row in earlier_vocabulary(spark, model, "").orderBy("id").collect()]
        found = [(row["matrix"], row["key"], row["vector"]) for row in rows.collect()]
    assert words == ["a", "b"]
    assert sorted(found) == [(matrix, word, [1.0, 1.0]) for matrix in ("context", "words") for word in "ab"]
    newer = find_earlier(WarmStartConfig(path=str(tmp_path)), NO_OUTPUT)
    assert identity(newer) == {"run": "000002", "version": "000002"}
    with pytest.raises(ConfigError, match=r"the n-grams of .*/versions/000002 are .*set them to that"):
        carries_subwords(newer, SubwordsConfig(enabled=True))


def test_a_versions_own_folder_is_a_beginning_too(tmp_path):
    first = publish_model(tmp_path, "000001", ["a"], 1.0)
    publish_model(tmp_path, "000002", ["a"], 2.0)
    assert identity(find_earlier(WarmStartConfig(path=str(first)), NO_OUTPUT))["version"] == "000001"


@pytest.mark.parametrize(
    ("newer", "message"),
    [(True, r"version 000001 was deleted .*; run again"), (False, r"000001/manifest\.json: is missing.*rollback")],
    ids=["after a newer one was published", "while it is current"],
)
def test_a_version_that_is_deleted_while_it_is_read_is_an_error_that_says_so(newer, message, spark, tmp_path):
    first = publish_model(tmp_path, "000001", ["a"], 1.0)
    model = find_earlier(WarmStartConfig(path=str(tmp_path)), NO_OUTPUT)
    if newer:
        publish_model(tmp_path, "000002", ["a"], 2.0)
    with pytest.raises(OutputError, match=message), reading(model):
        rows = earlier(spark, model, "auto", with_subwords=False)
        shutil.rmtree(first)
        rows.collect()


@pytest.mark.parametrize("table", ["vectors", "context", "vocabulary"])
def test_a_missing_table_is_named_with_the_commands_that_mend_it(spark, tmp_path, table):
    folder = publish_model(tmp_path, "000001", ["a"], 1.0)
    shutil.rmtree(folder / table)
    model = find_earlier(WarmStartConfig(path=str(tmp_path)), NO_OUTPUT)
    message = rf"{table}: part-00000\.parquet is missing or is not what was written; run the command again"
    with pytest.raises(OutputError, match=message) as caught:
        earlier(spark, model, "auto", with_subwords=False)
        earlier_vocabulary(spark, model, "")
    assert f"w2vspark rollback {tmp_path}" in str(caught.value)


def test_a_missing_version_is_named_with_the_commands_that_mend_it(tmp_path):
    shutil.rmtree(publish_model(tmp_path, "000001", ["a"], 1.0))
    with pytest.raises(OutputError, match=r"000001/manifest\.json: is missing.*w2vspark rollback"):
        find_earlier(WarmStartConfig(path=str(tmp_path)), NO_OUTPUT)


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path):
    file = tmp_path / "vectors.txt"
    file.write_text("a 1 2\n")
    model = find_earlier(WarmStartConfig(path=str(file)), NO_OUTPUT)
    with reading(model):
        pass
    with pytest.raises(InputError, match=r"vectors\.txt: changed while it was read; run again"), reading(model):
        file.write_text("a 1 2\nb 3 4\n")
