"""Rows that begin behind 2**31 floats: their places do not fit into 32 bits. Sparse files stand for the memory."""

from pathlib import Path

import numpy as np
import pytest

from w2vspark.kernels.combine import merge_lanes
from w2vspark.kernels.word2vec.arguments import Tables, pool_table
from w2vspark.kernels.word2vec.huffman import Paths
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.kernels.word2vec.subwords import Subwords

from .cases import Case, changed, make_case, with_subwords

WORDS, DIMENSIONS = 30, 2040
AHEAD = 2**31 // DIMENSIONS + 1  # rows before those that are trained


def sparse(folder: Path, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """float32 zeros, which take room where they are written alone."""
    return np.memmap(folder / name, np.float32, "w+", shape=shape)


def behind(rows: np.ndarray, folder: Path, name: str) -> np.ndarray:
    """The rows behind AHEAD empty ones."""
    large = sparse(folder, name, (AHEAD + len(rows), rows.shape[1]))
    large[AHEAD:] = rows
    return large


def all_words_behind(case: Case) -> Tables:
    """The case's tables for a vocabulary with AHEAD words before its own."""
    tables = case.tables
    return Tables(
        np.concatenate([np.zeros(AHEAD, np.uint64), tables.keep]),
        tables.noise + np.uint64(AHEAD),
        Paths(np.concatenate([np.zeros(AHEAD, np.int64), tables.paths.starts]), tables.paths.nodes + AHEAD,
              tables.paths.codes),
        Subwords(np.concatenate([np.arange(AHEAD), tables.subwords.starts + AHEAD]),
                 np.concatenate([np.arange(AHEAD), tables.subwords.rows + AHEAD]).astype(np.int32))
        if tables.subwords.rows.size else tables.subwords,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["skipgram", "cbow", "adagrad", "hs", "cbow-hs", "subwords", "cbow-subwords"])
def test_rows_behind_two_billion_floats_train_as_the_first_ones_do(kind, tmp_path):
    pool = np.random.default_rng(5).integers(0, WORDS, 1000)
    case = changed(make_case(WORDS, DIMENSIONS, seed=7), noise=pool_table(pool))
    if "hs" in kind:
        case = changed(case, loss="hs", negatives=0, outputs=case.outputs[:-1])
    if "subwords" in kind:
        case = with_subwords(case, grams=40, seed=8)
    case = changed(case, cbow="cbow" in kind, adagrad=0.1 if kind == "adagrad" else 0.0)
    small = case.arguments()
    large = small | {
        "inputs": behind(small["inputs"], tmp_path, "inputs"),
        "outputs": behind(small["outputs"], tmp_path, "outputs"),
        "input_updates": np.zeros(AHEAD + len(small["inputs"]), np.int32),
        "output_updates": np.zeros(AHEAD + len(small["outputs"]), np.int32),
        "ids": np.where(small["ids"] >= 0, small["ids"] + AHEAD, -1).astype(np.int32),
        "tables": all_words_behind(case),
    }
    before = small["inputs"].copy()
    assert train_pieces(**large) == train_pieces(**small)
    assert (small["inputs"] != before).any()
    for name in ("inputs", "outputs", "input_updates", "output_updates"):
        assert large[name][AHEAD:].tobytes() == small[name].tobytes(), name


def test_lanes_merge_rows_behind_two_billion_floats_as_the_first_ones(tmp_path):
    random = np.random.default_rng(3)
    rows, lanes = random.normal(size=(WORDS, 16)), random.normal(size=(2, WORDS, 16))
    updates = random.integers(0, 4, (2, WORDS)).astype(np.int32)
    merged = []
    for ahead in (0, 2**31 // 16 + 1):
        base = sparse(tmp_path, f"base {ahead}", (ahead + WORDS, 16))
        copies = sparse(tmp_path, f"lanes {ahead}", (2, ahead + WORDS, 16))
        counts = np.zeros((2, ahead + WORDS), np.int32)
        base[ahead:], copies[:, ahead:], counts[:, ahead:] = rows, lanes, updates
        merge_lanes("adasum", ahead, ahead + WORDS, 16, base, copies, counts, np.zeros(ahead + WORDS, np.int32))
        merged.append((base[ahead:].tobytes(), copies[:, ahead:].tobytes()))
    assert merged[0] == merged[1] != (rows.astype(np.float32).tobytes(), lanes.astype(np.float32).tobytes())
