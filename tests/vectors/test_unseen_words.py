"""Unseen words from published n-grams."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from outputs import declare

from w2vspark.base import schemas
from w2vspark.base.errors import InputError, OutputError
from w2vspark.vectors import WordVectors, load_vectors, similar, similarity
from w2vspark.vectors.subwords import fnv1a, load_subwords, ngrams_of


@pytest.fixture(params=["subwords", "ngrams"])
def output(vectors: WordVectors, publish, request) -> Path:
    """A version with the n-grams of the words "reading" and "writes", of 3 to 4 characters in 10,000 buckets.

    Older versions call the table ngrams.
    """
    output = publish(vectors)
    used = sorted({fnv1a(ngram) % 10_000 for word in ("reading", "writes") for ngram in ngrams_of(word, 3, 4)})
    rows = np.random.default_rng(4).standard_normal((len(used), vectors.dimensions)).astype(np.float32)
    table = {"bucket": pa.array(used[::-1], pa.int32()), "vector": rows[::-1].tolist()}
    folder = output / "versions" / "000001"
    (folder / request.param).mkdir()
    pq.write_table(pa.table(table, schema=schemas.SUBWORDS), folder / request.param / "part-0.parquet")
    subwords = {"enabled": True, "min_length": 3, "max_length": 4, "buckets": 10_000}
    tables = {"vectors": len(vectors.words), request.param: len(used)}
    declare(output, "000001", tables, config={"subwords": subwords})
    return output


def test_an_unseen_word_is_the_mean_of_its_n_grams_that_are_known(output):
    read, ngrams = load_vectors(str(output)), load_subwords(str(output))
    known = [ngram for ngram in ngrams_of("writing", 3, 4) if fnv1a(ngram) % 10_000 in ngrams.buckets]
    assert {b"<wr", b"writ", b"ing>", b"ng>"} < set(known) and b"itin" not in known
    rows = [ngrams.matrix[ngrams.buckets.tolist().index(fnv1a(ngram) % 10_000)] for ngram in known]
    np.testing.assert_allclose(read.vector("writing"), np.mean(rows, axis=0), rtol=1e-5, atol=1e-6)
    assert read.vector("w3").tobytes() == read.matrix[3].tobytes(), "a word of the table has its own vector"


def test_unseen_words_have_neighbours_and_similarities(output):
    read = load_vectors(str(output))
    cosines = read.unit @ (read.vector("writing") / np.linalg.norm(read.vector("writing")))
    (nearest,) = similar(read, "writing", 1)
    assert nearest.word == read.words[int(np.argmax(cosines))]
    assert nearest.similarity == pytest.approx(float(cosines.max()), abs=1e-6)
    assert similarity(read, "writing", "w3") == pytest.approx(float(cosines[3]), abs=1e-6)


def test_a_word_that_shares_no_n_gram_says_so(output):
    with pytest.raises(InputError, match="'zzz' has no character n-gram in common"):
        similar(load_vectors(str(output)), "zzz")


def test_without_n_grams_an_unseen_word_is_unknown(vectors, publish):
    read = load_vectors(str(publish(vectors)))
    assert read.subwords is None
    with pytest.raises(InputError, match="'writing' is not among the 500 words"):
        similar(read, "writing")
    with pytest.raises(KeyError):
        read.vector("writing")


def test_a_model_without_subwords_has_no_n_grams_to_load(output):
    declare(output, "000001", {"vectors": 500})
    with pytest.raises(OutputError, match=r"subwords\.enabled"):
        load_subwords(str(output))
