"""The makers of count-based methods' tables: co-occurrences, term-document counts, and what trains on them.

As intermediate.py: each writes its table and returns its record.
"""

from dataclasses import asdict
from typing import Any

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.base.log import log_start
from w2vspark.config.config import GloveConfig, TrainingConfig
from w2vspark.flow.run import Run
from w2vspark.methods.text import bucket_tokens
from w2vspark.spark.listed_files import write_listed
from w2vspark.stages.cooccurrence_rows import scan_row_entries
from w2vspark.stages.cooccurrences import cooccurrences, count_job
from w2vspark.stages.ppmi import PPMI, PpmiJob, column_sums, ppmi
from w2vspark.stages.sparse_rows import block_entries
from w2vspark.stages.term_document import term_document_job, write_term_document
from w2vspark.training.glove.plan import GloveJob, GloveRound, resolve_glove
from w2vspark.training.glove.rounds import run_glove
from w2vspark.training.glove.strata import StrataJob, grid_of, row_ranges, strata
from w2vspark.training.svd.decomposition import decompose
from w2vspark.training.svd.plan import SvdJob, resolved_svd


def make_cooccurrences(run: Run) -> dict[str, Any]:
    """How often words stand near each other."""
    uris = {
        "encoded_uri": run.uri("encoded"),
        "vocabulary_uri": run.uri("vocabulary"),
        "table_uri": run.uri("cooccurrences"),
        "partial_uri": storage.join(run.uri("cooccurrences"), "partial"),
    }
    training = run.config.training
    job = count_job(run.config.cooccurrences, training.seed, training.cpu_target, bucket_tokens(run), uris)
    write_listed(cooccurrences(run.session(), job), job.table_uri)
    run.staging.delete_part(job.partial_uri)
    entries = sum(int(sizes.sum()) for _, sizes in scan_row_entries(job.table_uri))
    if entries == 0:
        raise InputError(
            "no two words of the vocabulary stand near each other, so that there is nothing to train; give longer "
            "documents, lower vocabulary.min_count or raise cooccurrences.window"
        )
    return {"entries": entries}


def make_strata(run: Run) -> dict[str, Any]:
    """The counts as GloVe's workers read them. The record has the number of entries of each stratum."""
    uri, entries = run.uri("cooccurrences"), run.records["cooccurrences"]["entries"]
    training, _ = resolved_glove(run)
    count = int(training.shards) * int(training.lanes)
    ranges = row_ranges(uri, run.records["vocabulary"]["words"], entries, count)
    job = StrataJob(uri, run.uri("strata"), ranges, run.config.training.cpu_target)
    written = write_listed(strata(run.session(), job), job.table_uri)
    return {"ranges": ranges, "grid": grid_of(written, ranges)}


def make_glove(run: Run) -> dict[str, Any]:
    """GloVe's training: the last round's parameters, and the metrics of all."""
    training, glove = resolved_glove(run)
    log_start("rounds", **asdict(training), **asdict(glove))
    record = run.records["strata"]
    job = GloveJob(
        training=training,
        glove=glove,
        round=GloveRound(1, 0, 0),
        words=run.records["vocabulary"]["words"],
        ranges=tuple((first, last) for first, last in record["ranges"]),
        strata_uri=run.uri("strata"),
        parameters_uri=None,
        table_uri="",
        threads=1,
    )
    own = run.fingerprints["rounds"]
    run.progress.unit = "records"
    uri, metrics = run_glove(run.session(), run.staging, own, job, record["grid"], run.progress.round)
    parameters = run.staging.relative(uri)
    found = {"parameters": parameters, "metrics": metrics, "lists": [parameters]}
    return found | {"training": asdict(training), "glove": asdict(glove)}


def resolved_glove(run: Run) -> tuple[TrainingConfig, GloveConfig]:
    """GloVe's settings without `auto`."""
    tokens, records = run.records["vocabulary"]["tokens"], run.records["cooccurrences"]["entries"]
    return resolve_glove(run.config.training, run.config.glove, tokens, records)


def make_ppmi(run: Run) -> dict[str, Any]:
    """Pointwise mutual information, from the counts."""
    symmetric = run.config.cooccurrences.direction == "symmetric"
    job = PpmiJob(
        config=run.config.ppmi,
        cpu_target=run.config.training.cpu_target,
        words=run.records["vocabulary"]["words"],
        counts_uri=run.uri("cooccurrences"),
        columns_uri="" if symmetric else storage.join(run.uri("ppmi"), "columns"),
        table_uri=run.uri("ppmi"),
    )
    if job.columns_uri:
        write_listed(column_sums(run.session(), job), job.columns_uri)
    write_listed(ppmi(run.session(), job), job.table_uri)
    if job.columns_uri:
        run.staging.delete_part(job.columns_uri)
    entries = int(block_entries(job.table_uri, PPMI)[1].sum())
    if not entries:
        raise InputError(
            f"no two words stand together more often than by chance times ppmi.shift = {run.config.ppmi.shift:g}; "
            "lower ppmi.shift, set ppmi.positive to false, or give more text"
        )
    return {"entries": entries}


def make_term_document(run: Run) -> dict[str, Any]:
    """Documents by words, weighted."""
    uri, counted = run.uri("term_document"), run.records["vocabulary"]
    uris = {"encoded_uri": run.uri("encoded"), "table_uri": uri, "counts_uri": storage.join(uri, "counts")}
    training = run.config.training
    job = term_document_job(run.config.lsa.weighting, training.cpu_target, counted["words"], bucket_tokens(run), uris)
    made = write_term_document(run.session(), job)
    run.staging.delete_part(job.counts_uri)
    corpus = run.records["word_counts"]
    with_words = corpus["documents"] - sum(
        corpus[name] for name in ("malformed_rows", "null_documents", "empty_documents")
    )
    return made | {"without_known_words": with_words - made["documents"]}


def make_svd(run: Run) -> dict[str, Any]:
    """Singular values and vectors."""
    training, words = run.config.training, run.records["vocabulary"]["words"]
    lsa = training.method == "lsa"
    job = SvdJob(
        method=training.method,
        matrix_uri=run.uri("term_document" if lsa else "ppmi"),
        matrix="term_document" if lsa else PPMI,
        rows=run.records["term_document"]["documents"] if lsa else words,
        columns=words,
        dimensions=training.dimensions,
        settings=resolved_svd(training, run.config.svd),
        seed=training.seed,
        cpu_target=training.cpu_target,
    )
    log_start("svd", rows=job.rows, columns=job.columns, width=job.width, **asdict(job.settings))

    def progress(done: int, passes: int) -> None:
        run.progress.stage(f"svd, pass {done} of {passes}")

    uri, values = decompose(run.session(), run.staging, run.fingerprints["svd"], job, progress)
    parameters = run.staging.relative(uri)
    return {
        "parameters": parameters,
        "lists": [parameters],
        "singular_values": values,
        "width": job.width,
        "training": asdict(training),
        "svd": asdict(job.settings),
    }
