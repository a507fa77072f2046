"""New documents and questions in the space of a published model of lsa. Needs no Spark."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from w2vspark.base import cpu_target
from w2vspark.base.errors import InputError
from w2vspark.output import publish
from w2vspark.vectors.lsa_model import LsaModel, read_lsa_model


def load_lsa(output: str) -> LsaModel:
    """The model that is published in an output folder (or one version's folder); a path or URI.

    Raises OutputError where there is none, or one of another method.
    """
    return read_lsa_model(publish.resolve(output))


def fold_text(model: LsaModel, text: str) -> NDArray[np.float32]:
    """A text's vector, float32 (dimensions,): that of a document with this text in the run.

    Words that the model does not know are passed over. Raises InputError where it knows none.
    """
    vector: NDArray[np.float32] = fold_texts(model, [text])[0]
    return vector


def fold_texts(model: LsaModel, texts: Sequence[str]) -> NDArray[np.float32]:
    """As fold_text, for several texts: float32 (texts, dimensions). Raises InputError where one has no known word."""
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
