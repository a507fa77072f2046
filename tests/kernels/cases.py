"""Arrays for train_pieces: rows, pieces, streams and tables, from a seed."""

from dataclasses import dataclass, field, fields, replace

import numpy as np

from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.random import fill_streams
from w2vspark.kernels.rows import stride_of
from w2vspark.kernels.word2vec.arguments import Objective, Tables
from w2vspark.kernels.word2vec.huffman import huffman_paths
from w2vspark.kernels.word2vec.pieces import train_pieces
from w2vspark.kernels.word2vec.subwords import Subwords

from . import reference


@dataclass
class Case:
    """What train_pieces takes, with rows that are not padded and pieces as lists."""

    inputs: np.ndarray  # float32 (V, D), or more rows with subwords
    outputs: np.ndarray  # float32 (V or V - 1, D), without the void row
    pieces: list[list[int]]
    streams: np.ndarray
    rates: np.ndarray
    tables: Tables
    objective: Objective = field(default_factory=Objective)

    def arguments(self) -> dict:
        """Fresh arrays as train_pieces wants them."""
        dimensions = self.inputs.shape[1]
        stride = stride_of(dimensions, self.objective.adagrad > 0)
        rows = [np.zeros((len(matrix) + more, stride), np.float32) for matrix, more in self._matrices()]
        for padded, (matrix, _) in zip(rows, self._matrices(), strict=True):
            padded[: len(matrix), :dimensions] = matrix
        return {
            "inputs": rows[0],
            "outputs": rows[1],
            "input_updates": np.zeros(len(rows[0]), np.int32),
            "output_updates": np.zeros(len(rows[1]), np.int32),
            "ids": np.array([word for piece in self.pieces for word in piece], np.int32),
            "starts": np.cumsum([0] + [len(piece) for piece in self.pieces], dtype=np.int64),
            "streams": self.streams,
            "rates": self.rates,
            "tables": self.tables,
            "objective": self.objective,
            "columns": dimensions,
        }

    def _matrices(self) -> list[tuple[np.ndarray, int]]:
        return [(self.inputs, 0), (self.outputs, 1)]

    def run(self) -> tuple[dict, tuple[float, int, int]]:
        """The arrays after training, and what train_pieces returned."""
        arguments = self.arguments()
        return arguments, train_pieces(**arguments)

    def expected(self) -> reference.Trained:
        return reference.train(
            self.inputs,
            self.outputs,
            self.pieces,
            self.streams.tolist(),
            self.rates.tolist(),
            self.tables,
            self.objective,
        )


def changed(case: Case, **changes) -> Case:
    """The case with other fields, its tables' and its objective's among them."""
    tables = {name: changes.pop(name) for name in ("keep", "noise", "paths", "subwords") if name in changes}
    known = [entry.name for entry in fields(Objective)]
    objective = {name: changes.pop(name) for name in known if name in changes}
    return replace(
        case, tables=replace(case.tables, **tables), objective=replace(case.objective, **objective), **changes
    )


def make_case(words: int, dimensions: int, seed: int, pieces: int = 4, length: int = 60, **changes) -> Case:
    """Zipf's text with sentence ends, some words dropped by subsampling; a piece is empty, one has a single word."""
    random = np.random.default_rng(seed)
    counts = (1000 / np.arange(1, words + 1)).astype(np.int64) + 1
    text = random.choice(words, (pieces, length), p=counts / counts.sum())
    text[random.random(text.shape) < 0.06] = -1
    texts = [*text.tolist(), [], [0]]
    streams = np.empty(len(texts), np.uint64)
    fill_streams(seed, 0, np.arange(len(texts), dtype=np.int32), np.zeros(len(texts), np.int32), streams)
    case = Case(
        inputs=random.normal(0, 0.3, (words, dimensions)).astype(np.float32),
        outputs=random.normal(0, 0.3, (words, dimensions)).astype(np.float32),
        pieces=texts,
        streams=streams,
        rates=np.linspace(0.05, 0.01, len(texts), dtype=np.float32),
        tables=Tables(keep_thresholds(counts, 0.02), alias_table(counts, 0.75), huffman_paths(counts)),
    )
    if changes.get("loss") == "hs":
        case.outputs = case.outputs[:-1]
    return changed(case, **changes)


def with_subwords(case: Case, grams: int, seed: int) -> Case:
    """The case with words of their own row and up to nine more, some of which words share, some twice in a word."""
    random = np.random.default_rng(seed)
    words, dimensions = case.inputs.shape
    parts = [[word, *(words + random.integers(0, grams, random.integers(0, 10))).tolist()] for word in range(words)]
    rows = random.normal(0, 0.3, (words + grams, dimensions)).astype(np.float32)
    starts = np.cumsum([0] + [len(part) for part in parts])
    return changed(case, inputs=rows, subwords=Subwords(starts, np.concatenate(parts).astype(np.int32)))
