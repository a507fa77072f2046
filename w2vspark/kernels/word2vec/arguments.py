"""The arguments of word2vec's training: the objective, the tables made from a vocabulary, and their checks.

The kernels index arrays without a check of bounds, so `check` tests all arguments first.
"""

from dataclasses import dataclass, field

import numpy as np

from w2vspark.kernels.rows import stride_of
from w2vspark.kernels.word2vec.events import HIERARCHY, NEGATIVES, SOFTMAX
from w2vspark.kernels.word2vec.huffman import Paths
from w2vspark.kernels.word2vec.subwords import Subwords

LOSSES = {"ns": NEGATIVES, "hs": HIERARCHY, "softmax": SOFTMAX}


@dataclass(frozen=True, slots=True)
class Objective:
    """The objective of the training. Skip-gram's inputs are the window's words; CBOW's input is their mean."""

    cbow: bool = False
    loss: str = "ns"  # a key of LOSSES
    window: int = 5
    negatives: int = 5  # for the loss "ns" only
    sum_gradient: bool = False  # CBOW: each word takes the whole gradient of the mean, as in word2vec.c, not its share
    adagrad: float = 0.0  # 0 = off; else the initial value of the sums of squared gradients


NO_PATHS = Paths(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
NO_SUBWORDS = Subwords(np.zeros(1, np.int64), np.zeros(0, np.int32))


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables that are made from a vocabulary. All lanes use the same ones."""

    keep: np.ndarray  # uint64 (V,), see noise.keep_thresholds
    # For the loss "ns": an alias table, uint64 (V,), see noise.alias_table; or a pool of words, see pool_table.
    noise: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint64))
    paths: Paths = NO_PATHS  # for the loss "hs"
    subwords: Subwords = NO_SUBWORDS  # empty: each word is its own row


def pool_table(pool: np.ndarray) -> np.ndarray:
    """A table that draws negatives uniformly from a pool. A word that is in the pool twice is twice as likely."""
    return pool.astype(np.uint64)  # an alias table in which every slot always gives its other word


def check(
    inputs: np.ndarray,
    outputs: np.ndarray,
    input_updates: np.ndarray,
    output_updates: np.ndarray,
    ids: np.ndarray,
    starts: np.ndarray,
    streams: np.ndarray,
    rates: np.ndarray,
    tables: Tables,
    objective: Objective,
    columns: int,
) -> None:
    """Check the arguments of train_pieces. Raises ValueError for a wrong shape or type, or a value out of range."""
    words = tables.keep.size
    paths, subwords = tables.paths, tables.subwords
    rows = len(inputs) if subwords.rows.size else words
    nodes = words if objective.loss == "hs" else words + 1
    stride = stride_of(columns, objective.adagrad > 0)
    expected = {
        "inputs": (inputs, np.float32, (rows, stride)),
        "outputs": (outputs, np.float32, (nodes, stride)),
        "input_updates": (input_updates, np.int32, (rows,)),
        "output_updates": (output_updates, np.int32, (nodes,)),
        "ids": (ids, np.int32, (ids.size,)),
        "starts": (starts, np.int64, (streams.size + 1,)),
        "streams": (streams, np.uint64, (streams.size,)),
        "rates": (rates, np.float32, (streams.size,)),
        "tables.keep": (tables.keep, np.uint64, (words,)),
        "tables.noise": (tables.noise, np.uint64, (tables.noise.size,)),
        "paths.starts": (paths.starts, np.int64, (words + 1 if objective.loss == "hs" else paths.starts.size,)),
        "paths.nodes": (paths.nodes, np.int32, (paths.starts[-1],)),
        "paths.codes": (paths.codes, np.uint8, (paths.starts[-1],)),
        "subwords.starts": (subwords.starts, np.int64, (words + 1 if subwords.rows.size else 1,)),
        "subwords.rows": (subwords.rows, np.int32, (subwords.starts[-1],)),
    }
    for name, (array, dtype, shape) in expected.items():
        if array.dtype != dtype or array.shape != shape or not array.flags.c_contiguous:
            raise ValueError(f"{name}: expected contiguous {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
    if columns < 1 or objective.window < 1 or objective.negatives < (objective.loss == "ns"):
        raise ValueError(f"columns {columns}, window {objective.window}, negatives {objective.negatives}: too few")
    if objective.loss not in LOSSES or (objective.loss == "hs" and words < 2):
        raise ValueError(f"loss {objective.loss!r} with {words} words: must be one of {list(LOSSES)}; hs needs 2 words")
    if objective.adagrad and subwords.rows.size:
        raise ValueError("AdaGrad's state belongs to a row, and subwords train means of rows: choose one of them")
    if (np.diff(subwords.starts) < 1).any() or (
        subwords.rows.size and not 0 <= subwords.rows.min() <= subwords.rows.max() < rows
    ):
        raise ValueError(f"every word must consist of one or more rows, all in 0..{rows - 1}")
    if paths.nodes.size and not 0 <= paths.nodes.min() <= paths.nodes.max() < nodes - 1:
        raise ValueError(f"nodes must lie in 0..{nodes - 2}, got {paths.nodes.min()}..{paths.nodes.max()}")
    if objective.loss == "ns":
        _check_noise(tables.noise, words)
    if streams.size == 0:
        return
    if starts[0] < 0 or starts[-1] > ids.size or (np.diff(starts) < 0).any():
        raise ValueError(f"starts must rise from >= 0 to <= {ids.size}")
    used = ids[starts[0] : starts[-1]]
    if used.size and (used.max() >= words or used.min() < -1):
        raise ValueError(f"ids must lie in -1..{words - 1}, got {used.min()}..{used.max()}")


def _check_noise(noise: np.ndarray, words: int) -> None:
    if noise.size == 0 or int((noise & np.uint64(0xFFFFFFFF)).max()) >= words:
        raise ValueError(f"noise: must draw from one or more words, all in 0..{words - 1}")
    if noise.size != words and (noise >> np.uint64(32)).any():
        raise ValueError(f"noise: an alias table must have {words} slots, got {noise.size}")
