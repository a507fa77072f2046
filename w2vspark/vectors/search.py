"""Find the documents nearest to a text or a vector. Reads the table of documents in batches. Needs no Spark."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from w2vspark import storage
from w2vspark.base.errors import InputError, OutputError
from w2vspark.output import publish
from w2vspark.vectors.fold import fold_text, load_lsa
from w2vspark.vectors.lists import list_rows
from w2vspark.vectors.table import find_table, keeping


class Hit(NamedTuple):
    """A document's id, and the cosine of its vector with the vector that was asked for."""

    doc_id: str
    cosine: float


def search_documents(output: str, query: str, top: int = 10, *, documents: str = "") -> list[Hit]:
    """The `top` documents nearest to a text, as a list of `Hit(doc_id, cosine)`, by falling cosine, then by doc_id.

    `output`: the output folder of an lsa run, a path or URI. `query`: the text. `documents`: the output folder of a
    fold job, to search its documents instead of the run's own.

    Raises InputError when the model knows no word of the text, OutputError when nothing is published, or when the
    documents were folded into another version of the model.

    Example: `search_documents("lsa-vectors", "open a network socket", 5)`.
    """
    model = load_lsa(output)
    version, folder = find_table(documents or model.version.folder, "documents")
    if version is not None:
        _check_model(version, model.version)
    vector = fold_text(model, query)
    with keeping(version):
        return _nearest(folder, vector, top)


def nearest_documents(output: str, vector: NDArray[np.float32], top: int = 10) -> list[Hit]:
    """The `top` documents whose vectors have the largest cosine with a vector, as a list of `Hit(doc_id, cosine)`.

    `output`: an output folder with a table of documents, a path or URI. `vector`: float32 (dimensions,), for example
    from `fold_text`. A document whose vector is zero has the cosine 0. Only a few record batches are in memory at once.

    Raises InputError when `vector` is zero or `top` is less than 1, OutputError when there is no such table or its
    vectors have another length.
    """
    version, folder = find_table(output, "documents")
    with keeping(version):
        return _nearest(folder, vector, top)


def _check_model(documents: publish.Version, model: publish.Version) -> None:
    """Raise OutputError when the documents belong to another version than the model: cosines would mean nothing."""
    into = documents.manifest.get("model", {"run_id": documents.run_id})  # folded documents have this key
    if into["run_id"] != model.run_id:
        of = f"version {into['version']} of {into['output']}" if "version" in into else "another run"
        raise OutputError(
            f"{documents.folder}: its documents are of {of}, not of {model.folder}; fold them again, or search with "
            "the folder of that version"
        )


def _nearest(folder: str, vector: NDArray[np.float32], top: int) -> list[Hit]:
    if top < 1:
        raise InputError(f"{top} documents were asked for: ask for 1 or more")
    wanted = vector.astype(np.float64)
    length = np.sqrt(np.sum(wanted * wanted))
    if not length > 0:
        raise InputError("the text's words are equally common in all documents, so none is nearer; use other words")
    best: list[Hit] = []
    for batch in storage.scan_table(folder, ["doc_id", "vector"]):
        if not batch.num_rows:
            continue
        rows = list_rows(batch["vector"], folder).astype(np.float64)
        if rows.shape[1] != wanted.size:
            raise OutputError(f"{folder}: has vectors of {rows.shape[1]} values, the model of {wanted.size}")
        norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
        norms[norms == 0] = 1
        cosines = np.einsum("ij,j->i", rows, wanted) / (norms * length)
        hopeful = np.flatnonzero(cosines >= best[-1].cosine) if len(best) == top else np.arange(len(cosines))
        if len(hopeful) > top:
            hopeful = hopeful[cosines[hopeful] >= np.partition(cosines[hopeful], -top)[-top]]
        names = batch["doc_id"].take(hopeful).to_pylist()
        best += [Hit(name, float(cosines[row])) for name, row in zip(names, hopeful.tolist(), strict=True)]
        best = sorted(best, key=lambda hit: (-hit.cosine, hit.doc_id))[:top]
    return best
