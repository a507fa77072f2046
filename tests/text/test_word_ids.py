"""Words found by their hashes are those that a dict finds, also where hashes are the same."""

import random

import numpy as np
import pyarrow as pa
import pytest

from w2vspark.text.word_ids import WordIds


@pytest.mark.parametrize("hash_of", [hash, lambda word: len(word), lambda word: 7])
def test_words_are_found_as_in_a_dict_whatever_their_hashes(hash_of):
    generator = random.Random(3)
    words = sorted({"".join(generator.choices("ab日é", k=generator.randrange(7))) for _ in range(400)})
    generator.shuffle(words)
    known, ids = words[::2], np.random.default_rng(1).permutation(len(words[::2])).astype(np.int32)
    oracle = dict(zip(known, ids.tolist(), strict=True))
    table = WordIds(pa.chunked_array([known[:5], known[5:]], pa.string()), ids, hash_of)
    asked = words + words[:9]
    found = table.find(pa.array(asked, pa.string()))
    assert found.dtype == np.int32
    assert found.tolist() == [oracle.get(word, -1) for word in asked]
    assert -1 in found.tolist() and table.find(pa.array([], pa.string())).tolist() == []


def test_more_words_than_are_hashed_at_once(monkeypatch):
    monkeypatch.setattr("w2vspark.text.word_ids._WORDS_AT_ONCE", 10)
    words = [f"w{n}" for n in range(95)]
    table = WordIds(pa.chunked_array([words]), np.arange(95, dtype=np.int32))
    assert table.find(pa.array([*words[::-1], "w95"])).tolist() == [*range(94, -1, -1), -1]
