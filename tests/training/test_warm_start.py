"""The initial parameters of a run that begins from an earlier model, over several partitions and files."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from listed_tables import list_folder

from w2vspark.base import schemas
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages.parameters import scan_rows
from w2vspark.training.word2vec import slices as word2vec
from w2vspark.training.word2vec import warm_start
from w2vspark.training.word2vec.plan import matrix_shapes, resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

WORDS, KNOWN, DIMENSIONS = 9000, 6000, 12  # three blocks of each matrix


@pytest.mark.parametrize(("partitions", "files"), [(1, 2), (3, 4)])
def test_known_words_begin_where_they_were_and_others_as_in_a_new_run(partitions, files, spark, tmp_path, monkeypatch):
    training = resolve(Word2VecTraining(dimensions=DIMENSIONS), 10_000, WORDS)
    monkeypatch.setattr(warm_start, "TASK_BYTES", 2 * WORDS * DIMENSIONS * 4 // partitions)
    order = np.random.default_rng(3).permutation(WORDS)  # the id here of each word of the earlier model
    earlier = np.random.default_rng(4).normal(size=(2, KNOWN, DIMENSIONS)).astype(np.float32)
    columns = {"id": np.arange(WORDS, dtype=np.int32), "word": [""] * WORDS, "count": np.ones(WORDS, np.int64)}
    for word, place in enumerate(order):
        columns["word"][place] = f"w{word}"
    write(tmp_path / "vocabulary", pa.table(columns, schema=schemas.VOCABULARY))
    rows = [
        {"matrix": name, "key": f"w{word}", "vector": earlier[number][word].tolist(), "squares": None}
        for number, name in enumerate((schemas.WORDS, schemas.CONTEXT)) for word in range(KNOWN)
    ]  # fmt: skip
    write(tmp_path / "earlier", pa.Table.from_pylist(rows, schema=schemas.EARLIER))
    start = warm_start.Start(
        training=training, shapes=matrix_shapes(training, WORDS), subwords=None, earlier_vocabulary_uri="",
        vocabulary_uri=str(tmp_path / "vocabulary"), earlier_uri=str(tmp_path / "earlier"),
        table_uri=str(tmp_path / "new"),
    )  # fmt: skip
    write_listed(warm_start.initial_parameters(spark, start), start.table_uri)
    # Of six blocks in three partitions the second has one of each matrix.
    assert len(list((tmp_path / "new").glob("*.parquet"))) == files
    for number, shape in enumerate(start.shapes):
        expected = np.zeros((WORDS, DIMENSIONS), np.float32)
        word2vec.fill_initial(shape.name, 0, training, expected)
        expected[order[:KNOWN]] = earlier[number]
        found = list(scan_rows(start.table_uri, shape.name, 0, WORDS, DIMENSIONS))
        assert [first for first, _ in found] == [0, 4096, 8192]
        assert np.concatenate([block for _, block in found]).tobytes() == expected.tobytes()


def write(folder: Path, table: pa.Table) -> None:
    folder.mkdir()
    pq.write_table(table, folder / "part-0.parquet")
    list_folder(folder)
