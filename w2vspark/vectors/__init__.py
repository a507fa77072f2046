"""Load, query, score and export the published tables. Needs no pyspark."""

from w2vspark.vectors.export import export_vectors
from w2vspark.vectors.fold import fold_text, fold_texts, load_lsa
from w2vspark.vectors.gold import read_analogies, read_pairs
from w2vspark.vectors.probe import probe
from w2vspark.vectors.query import analogy, similar, similar_to_vector, similarity
from w2vspark.vectors.score import score_analogies, score_pairs
from w2vspark.vectors.search import nearest_documents, search_documents
from w2vspark.vectors.table import WordVectors, load_vectors

__all__ = [
    "WordVectors",
    "analogy",
    "export_vectors",
    "fold_text",
    "fold_texts",
    "load_lsa",
    "load_vectors",
    "nearest_documents",
    "probe",
    "read_analogies",
    "read_pairs",
    "score_analogies",
    "score_pairs",
    "search_documents",
    "similar",
    "similar_to_vector",
    "similarity",
]
