"""The columns of published tables are a contract: each state of them has a number."""

import pyarrow as pa
import pytest

from w2vspark.base.schemas import schema_version
from w2vspark.cli.reference import default_config
from w2vspark.config.config import Config
from w2vspark.flow.work import Table
from w2vspark.jobs import JOBS
from w2vspark.methods import METHODS, load_config

WORD = "id int32, word string, count int64"
# The columns of each published table by its schema version, as they were published first. Where a test fails: put a new
# column behind these, or raise the version in w2vspark/base/schemas.py (SCHEMA_VERSIONS), add a line here, and say in
# the guide on upgrading what readers must change.
PUBLISHED = {
    ("adagrad", 1): "matrix string, id int32, squares float",
    ("biases", 1): "id int32, word string, bias float, context_bias float",
    ("centroids", 1): "cluster int32, size int64, label string, vector list<float>",
    ("clusters", 1): "id int32, word string, cluster int32, cosine double",
    ("codes", 1): "id int32, word string, nodes list<int32>, code list<int32>",
    ("context", 1): f"{WORD}, vector list<float>",
    ("cooccurrences", 1): "row int32, col int32, weight double",
    ("documents", 1): "doc_id string, vector list<float>",
    ("drift", 1): f"{WORD}, old_id int32, old_count int64, cosine double, distance double, shared_neighbours double",
    ("map", 1): "id int32, word string, x float, y float, cluster int32",
    ("metrics", 1): "round int32, shard int32, tokens int64, loss double, seconds double, learning_rate double",
    ("movement", 1): f"{WORD}, cosine double, distance double",
    ("nodes", 1): "id int32, vector list<float>",
    ("not_folded", 1): "doc_id string, reason string",
    ("phrases", 1): "pass int32, left string, between string, right string, count int64, score double",
    ("scores", 1): (
        "task string, metric string, value double, covered int64, total int64, threshold double, passed bool"
    ),
    ("singular_values", 1): "dimension int32, value double",
    ("subwords", 1): "bucket int32, vector list<float>",
    ("term_weights", 1): f"{WORD}, documents int64, weight double",
    ("units", 1): "name string, identity string, words int32, tokens int64",
    ("vectors", 1): f"{WORD}, vector list<float>",
    ("vocabulary", 1): WORD,
    ("word_rows", 1): f"{WORD}, vector list<float>",
}
WORKS = {**METHODS, **JOBS}


def columns(schema: pa.Schema) -> str:
    kinds = [f"list<{field.type.value_type}>" if pa.types.is_list(field.type) else str(field.type) for field in schema]
    return ", ".join(f"{name} {kind}" for name, kind in zip(schema.names, kinds, strict=True))


def published() -> list[tuple[Config, Table]]:
    both = load_config(None, ["input.path=/in", "output.path=/out", "training.method=glove", "glove.vectors=both"])[1]
    found = [(default_config(work), one) for work in WORKS.values() for one in work.publishes if isinstance(one, Table)]
    return [*found, *((both, one) for one in METHODS["glove"].publishes if isinstance(one, Table))]


def test_every_published_table_has_the_columns_of_its_schema_version():
    for config, table in published():
        expected = PUBLISHED[table.name, schema_version(table.name)]
        assert columns(table.schema_of(config)).startswith(expected), f"{table.name}: see PUBLISHED"


def test_no_table_stands_here_that_is_not_published():
    assert {name for name, _ in PUBLISHED} == {table.name for _, table in published()}


@pytest.mark.parametrize("name, version", PUBLISHED)
def test_no_schema_version_is_skipped(name, version):
    assert 1 <= version <= schema_version(name)
