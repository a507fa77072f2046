"""The makers of count-based methods' tables: co-occurrences, term-document counts, and what trains on them.

As intermediate.py: each writes its table and returns its record.
"""

from typing import Any

from w2vspark.base import storage
from w2vspark.intermediate import bucket_tokens
from w2vspark.run import Run
from w2vspark.stages.cooccurrences import COUNTS, cooccurrences, count_job
from w2vspark.stages.listed_files import listed_files, write_listed
from w2vspark.stages.term_document import term_document_job, write_term_document


def make_cooccurrences(run: Run) -> dict[str, Any]:
    """How often words stand near each other."""
    uris = {
        "encoded_uri": run.uri("encoded"),
        "vocabulary_uri": run.uri("vocabulary"),
        "table_uri": run.uri("cooccurrences"),
        "partial_uri": storage.join(run.uri("cooccurrences"), "_partial"),
    }
    training = run.config.training
    job = count_job(run.config.cooccurrences, training.seed, training.cpu_target, bucket_tokens(run), uris)
    write_listed(cooccurrences(run.session(), job), job.table_uri)
    storage.delete_folder(job.partial_uri)
    files = listed_files(job.table_uri, COUNTS)
    return {"entries": sum(storage.count_rows(storage.join(job.table_uri, file["file"])) for file in files)}


def make_strata(run: Run) -> dict[str, Any]:
    """The counts as GloVe's workers read them."""
    raise NotImplementedError


def make_ppmi(run: Run) -> dict[str, Any]:
    """Pointwise mutual information, from the counts."""
    raise NotImplementedError


def make_term_document(run: Run) -> dict[str, Any]:
    """Documents by words, weighted."""
    uri, counted = run.uri("term_document"), run.records["vocabulary"]
    uris = {"encoded_uri": run.uri("encoded"), "table_uri": uri, "counts_uri": f"{uri}-counts"}
    training = run.config.training
    job = term_document_job(run.config.lsa.weighting, training.cpu_target, counted["words"], bucket_tokens(run), uris)
    made = write_term_document(run.session(), job)
    corpus = run.records["word_counts"]
    with_words = corpus["documents"] - sum(
        corpus[name] for name in ("malformed_rows", "null_documents", "empty_documents")
    )
    return made | {"documents_without_known_words": with_words - made["documents"]}


def make_svd(run: Run) -> dict[str, Any]:
    """Singular values and vectors."""
    raise NotImplementedError
