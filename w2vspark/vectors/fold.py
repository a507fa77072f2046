"""Fold texts into the vector space of a published lsa model. Needs no Spark."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark.base import cpu_target
from w2vspark.base.errors import InputError
from w2vspark.output import publish
from w2vspark.vectors.lsa_model import LsaModel, read_lsa_model


def load_lsa(output: str) -> LsaModel:
    """Load a published lsa model, for `fold_text` and `fold_texts`.

    `output`: an output folder (its current version is read) or a version's folder; a path or URI.

    Raises OutputError when no model is published there, or one of another method.

    Example: `vector = fold_text(load_lsa("lsa-vectors"), "open a network socket")`.
    """
    return read_lsa_model(publish.resolve(output))


def fold_text(model: LsaModel, text: str) -> NDArray[np.float32]:
    """The vector of a text, float32 (dimensions,): the same as that of a document of the run with this text.

    Words that the model does not know are skipped. Raises InputError when it knows none of them.
    """
    vector: NDArray[np.float32] = fold_texts(model, [text])[0]
    return vector


def fold_texts(model: LsaModel, texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of several texts, float32 (texts, dimensions), each as from `fold_text`.

    Raises InputError when the model knows no word of one of them.
    """
    cpu_target.pin(model.cpu_target)  # before any kernel is imported
    from w2vspark.kernels.counts.term_weights import fold

    vectors = np.zeros((len(texts), model.inverse.size), np.float32)
    found = np.zeros(len(texts), np.bool_)
    column = pa.array([text.encode("utf-8", "surrogateescape") for text in texts], pa.binary())
    for rows, starts, ids in model.known_words(column):
        vectors[rows] = fold(starts, ids, model.weighting, model.weights, model.inverse, model.blocks())
        found[rows] = True
    if not found.all():
        raise InputError(
            f"no word of {texts[int(np.argmin(found))]!r} is among the {model.weights.size:,} words of the model"
        )
    return vectors
