"""Vectors of words made of subwords, in parts: the bytes of means over the whole matrix, in bounded memory."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from listed_tables import list_folder

from w2vspark.base import schemas
from w2vspark.base.cpu_target import pin
from w2vspark.base.errors import DamagedTable
from w2vspark.storage.listed import read_list, write_list
from w2vspark.training.word2vec import composed
from w2vspark.training.word2vec import subwords as ngrams
from w2vspark.training.word2vec.composed import column_slices, composed_rows, composed_tasks, composing_bytes, word_runs
from w2vspark.training.word2vec.settings import SubwordsConfig, Word2VecTraining
from w2vspark.training.word2vec.subwords import SubwordTables, bucket_batches, read_subwords

TARGET = Word2VecTraining().cpu_target
pin(TARGET)

from w2vspark.kernels.word2vec.subwords import mean_rows, subwords_of  # noqa: E402  (after the pin)
from w2vspark.training.blocks import write_blocks  # noqa: E402

ODD = ["a", "banana", "aaaaaaa", "naïve", "東京都", "e\u0301te\u0301", "\U0001f600\U0001f600x", "b", "x" * 60]
LETTERS = list("abcdeéßж東\U0001f600")
BLOCK_ROWS = 37


@dataclass(frozen=True)
class Model:
    """A small model in a folder, and its vectors as means over the whole matrix."""

    settings: dict[str, object]  # of composed_rows
    words: list[str]
    rows: list[list[int]]  # that make up each word
    expected: np.ndarray

    def composed(self, first: int, last: int, **more: int) -> list[tuple[int, np.ndarray]]:
        return list(composed_rows(first, last, **self.settings, **more))


def model_of(folder: Path, seed: int, shortest: int = 3, longest: int = 6, dimensions: int = 20) -> Model:
    random = np.random.default_rng(seed)
    made = {"".join(random.choice(LETTERS, random.integers(1, 9))) for _ in range(300)}
    words = [str(word) for word in random.permutation(sorted(made | set(ODD)))]
    config = SubwordsConfig(enabled=True, min_length=shortest, max_length=longest, buckets=700)
    vocabulary = {"id": np.arange(len(words), dtype=np.int32), "word": words, "count": np.ones(len(words), np.int64)}
    table = pa.table(vocabulary, schema=schemas.VOCABULARY)
    for name in ("vocabulary", "buckets", "parameters"):
        (folder / name).mkdir()
    for number, rows in enumerate(np.array_split(random.permutation(len(words)), 3)):
        pq.write_table(table.take(rows), folder / "vocabulary" / f"part-{number}.parquet")
    list_folder(folder / "vocabulary")
    batches = bucket_batches(iter([None]), str(folder / "vocabulary"), config, TARGET)
    used = pa.Table.from_batches(batches)
    pq.write_table(used, folder / "buckets" / "part-0.parquet")
    list_folder(folder / "buckets")
    count = len(words) + used.num_rows
    matrix = np.zeros((count, -(-dimensions // 8) * 8), np.float32)
    matrix[:, :dimensions] = random.standard_normal((count, dimensions))
    write_parameters(folder / "parameters", matrix[:, :dimensions])
    subwords = subwords_of(words, shortest, longest, config.buckets, used["bucket"].to_numpy())
    tables = SubwordTables(config, str(folder / "vocabulary"), str(folder / "buckets"), used.num_rows, TARGET)
    settings = {"parameters_uri": str(folder / "parameters"), "matrix": schemas.WORDS, "tables": tables}
    settings |= {"words": len(words), "dimensions": dimensions}
    rows = [part.tolist() for part in np.split(subwords.rows, subwords.starts[1:-1])]
    return Model(settings, words, rows, mean_rows(matrix, subwords, 0, len(words))[:, :dimensions])


def write_parameters(folder: Path, matrix: np.ndarray) -> None:
    blocks = [(first, np.ascontiguousarray(matrix[first:][:BLOCK_ROWS])) for first in range(0, len(matrix), BLOCK_ROWS)]
    files = []
    for some in (blocks[:5], blocks[5:]):
        files += write_blocks(str(folder), schemas.WORDS, iter(some)).to_pylist()
    write_list(str(folder), files)


def joined(parts: list[tuple[int, np.ndarray]], first: int, last: int) -> bytes:
    at = first
    for start, rows in parts:
        assert start == at and rows.dtype == np.float32
        at += len(rows)
    assert at == last
    return np.concatenate([rows for _, rows in parts]).tobytes()


def test_the_models_have_words_without_n_grams_and_words_with_one_twice(tmp_path):
    rows = model_of(tmp_path, 0, 6, 6).rows
    assert min(map(len, rows)) == 1
    assert any(len(set(of_word)) < len(of_word) for of_word in rows)


@pytest.mark.parametrize("buffer_bytes", [1, 20_000, composed.BUFFER_BYTES])
@pytest.mark.parametrize("lengths", [(3, 6), (1, 2), (6, 6)])
def test_vectors_have_the_bytes_of_means_over_the_whole_matrix(buffer_bytes, lengths, tmp_path):
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        model = model_of(folder, seed, *lengths, dimensions=(20, 24)[seed])
        ends = [0, 1, 60, 61, len(model.words)]
        for first, last in pairwise(ends):
            found = model.composed(first, last, buffer_bytes=buffer_bytes)
            assert joined(found, first, last) == model.expected[first:last].tobytes(), (seed, first, last)


def test_runs_of_words_and_parts_of_rows_do_not_change_the_bytes(tmp_path, monkeypatch):
    model = model_of(tmp_path, 3)
    count = len(model.words)
    monkeypatch.setattr(composed, "RUN_NGRAMS", 100)
    monkeypatch.setattr(composed, "PART_ROWS", 2)
    found = model.composed(0, count, buffer_bytes=2000)
    assert joined(found, 0, count) == model.expected.tobytes()
    assert max(len(rows) for _, rows in found) == 2 and len(found) > count / 2


def test_a_task_holds_no_more_rows_than_its_buffer(tmp_path, monkeypatch):
    from w2vspark.kernels import rows as kernels_rows

    model = model_of(tmp_path, 4)
    sizes = []
    make = kernels_rows.aligned_rows
    monkeypatch.setattr(
        kernels_rows, "aligned_rows", lambda rows, stride: sizes.append(4 * rows * stride) or make(rows, stride)
    )
    whole = 4 * 24 * (len(model.words) + model.settings["tables"].ngrams)
    model.composed(0, len(model.words), buffer_bytes=whole // 3)
    assert len(sizes) == 3 and max(sizes) <= whole // 3
    sizes.clear()
    model.composed(0, 1)
    assert len(sizes) == 1 and sizes[0] < whole / 10


def test_the_rows_of_other_words_are_not_read(tmp_path, monkeypatch):
    model = model_of(tmp_path, 5)
    scan, ranges = composed.scan_rows, []
    monkeypatch.setattr(
        composed, "scan_rows", lambda uri, matrix, *rows: ranges.append(rows) or scan(uri, matrix, *rows)
    )
    model.composed(10, 20)
    (first, last, _), (first_ngram, last_ngram, _) = ranges
    assert (first, last) == (10, 20)
    assert len(model.words) <= first_ngram < last_ngram <= len(model.words) + model.settings["tables"].ngrams


def test_what_training_kept_of_all_words_is_freed(tmp_path):
    model = model_of(tmp_path, 7)
    read_subwords(model.settings["tables"])
    assert ngrams._read_subwords.cache_info().currsize == 1
    model.composed(0, 10)
    assert ngrams._read_subwords.cache_info().currsize == 0


def test_a_matrix_without_a_row_that_is_needed_is_an_error(tmp_path):
    model = model_of(tmp_path, 6)
    uri = str(tmp_path / "parameters")
    write_list(uri, read_list(uri)[1:])
    with pytest.raises(DamagedTable, match=r"parameters: lacks 10 of the rows 0 to 9 of 'words'$"):
        model.composed(0, 10)


@pytest.mark.parametrize("dimensions", [1, 8, 9, 100, 300, 304])
@pytest.mark.parametrize("buffer_bytes", [0, 31_000, 32_000, 200_000, 10**9])
def test_slices_of_columns_are_whole_chunks_that_fit_the_buffer(dimensions, buffer_bytes):
    slices = column_slices(1000, dimensions, buffer_bytes)
    columns = [column for first, last in slices for column in range(first, last)]
    assert columns == list(range(-(-dimensions // 8) * 8))
    for first, last in slices:
        assert first % 8 == last % 8 == 0
        assert 4 * 1000 * (last - first) <= max(buffer_bytes, 32_000)


def test_runs_of_words_are_cut_by_their_n_grams(monkeypatch):
    monkeypatch.setattr(composed, "RUN_NGRAMS", 40)
    words = pa.chunked_array([["東京", "東京", "東京", "x" * 100], ["ab"] * 2])
    assert list(word_runs(words, SubwordsConfig())) == [(0, 2), (2, 3), (3, 4), (4, 6)]
    assert list(word_runs(words.slice(0, 0), SubwordsConfig())) == []


def test_a_million_words_with_two_million_buckets_are_published_in_tasks_of_1_2_gb():
    assert composing_bytes(1_000_000, 2_000_000, 300) <= 1_200_000_000
    # Larger models take more tasks, not larger ones; what remains is the list of the buckets in use.
    assert composing_bytes(10_000_000, 2_000_000, 1000) <= 1_200_000_000
    assert composing_bytes(1000, 8000, 100) < 420_000_000


def test_a_task_makes_some_60_mb_of_vectors():
    assert composed_tasks(10, 100) == 1
    assert composed_tasks(1_000_000, 300) == 21
