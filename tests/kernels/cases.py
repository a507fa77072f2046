"""Arrays for train_pieces: rows, pieces, streams and tables, from a seed."""

from dataclasses import dataclass, replace

import numpy as np

from w2vspark.kernels.noise import alias_table, keep_thresholds
from w2vspark.kernels.random import fill_streams
from w2vspark.kernels.simd import LANES
from w2vspark.kernels.skipgram import train_pieces

from . import reference


@dataclass
class Case:
    """What train_pieces takes, with rows that are not padded and pieces as lists."""

    inputs: np.ndarray  # float32 (V, D)
    outputs: np.ndarray  # float32 (V, D), without the void row
    pieces: list[list[int]]
    streams: np.ndarray
    rates: np.ndarray
    keep: np.ndarray
    noise: np.ndarray
    window: int = 5
    negatives: int = 5

    def arguments(self) -> dict:
        """Fresh arrays as train_pieces wants them."""
        words, dimensions = self.inputs.shape
        rows = [np.zeros((words + more, -(-dimensions // LANES) * LANES), np.float32) for more in (0, 1)]
        rows[0][:, :dimensions] = self.inputs
        rows[1][:words, :dimensions] = self.outputs
        return {
            "inputs": rows[0],
            "outputs": rows[1],
            "input_updates": np.zeros(words, np.int32),
            "output_updates": np.zeros(words + 1, np.int32),
            "ids": np.array([word for piece in self.pieces for word in piece], np.int32),
            "starts": np.cumsum([0] + [len(piece) for piece in self.pieces], dtype=np.int64),
            "streams": self.streams,
            "rates": self.rates,
            "keep": self.keep,
            "noise": self.noise,
            "window": self.window,
            "negatives": self.negatives,
        }

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
            self.keep,
            self.noise,
            self.window,
            self.negatives,
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
        keep=keep_thresholds(counts, 0.02),
        noise=alias_table(counts, 0.75),
    )
    return replace(case, **changes)
