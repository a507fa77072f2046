"""The makers of a run's intermediate tables, in the order of the flow: each writes its table and returns its record.

A record holds row counts and the like, which later steps and the manifest read; and under "lists", where the table is
not in the attempt's own folder, where its files are.
"""

from dataclasses import asdict
from typing import Any

import numpy as np

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.base.log import log_start
from w2vspark.base.schemas import (
    BUCKET_COUNTS,
    EARLIER,
    ENCODED,
    NGRAM_BUCKETS,
    PAIR_COUNTS,
    PHRASES,
    VOCABULARY,
    WORD_COUNTS,
)
from w2vspark.config.config import TrainingConfig
from w2vspark.flow.run import Run, phrases_uri, shapes_of, subword_tables, words_of
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import write_listed, write_table
from w2vspark.spark.session import runtime_settings
from w2vspark.stages import encoded as encoding
from w2vspark.stages.corpus import count_duplicate_ids, read_corpus
from w2vspark.stages.earlier import carries_subwords, check_dimensions, earlier, earlier_vocabulary, reading
from w2vspark.stages.phrases import pair_counts, phrases, read_pair_counts
from w2vspark.stages.vocabulary import corpus_tokens, vocabulary, vocabulary_summary
from w2vspark.stages.word_counts import read_report, word_counts
from w2vspark.storage.listed import read_listed
from w2vspark.training.plan import RoundJob, check_vocabulary, plan_rounds, resolve
from w2vspark.training.rounds import run_rounds
from w2vspark.training.word2vec.subwords import ngram_buckets
from w2vspark.training.word2vec.warm_start import Start, initial_parameters

# A task sums its words in memory: some 200 MB for what 16 MB of compressed counts hold.
SUMMING = {"spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m"}


def make_phrases(run: Run) -> dict[str, Any]:
    """Pairs of words that become one word, pass after pass: each pass counts text with the phrases of those before."""
    config, found = run.config.phrases, []
    corpus = read_corpus(run.session(), run.config.input, 0)
    for number in range(1, len(config.thresholds) + 1):
        run.progress.stage(f"phrases, pass {number}")
        counts = storage.join(run.uri("phrases"), f"counts-{number}")
        with runtime_settings(run.session(), **SUMMING):
            write_table(pair_counts(corpus, words_of(run, number - 1)), counts, PAIR_COUNTS)
        chosen = phrases(read_pair_counts(run.session(), counts), config, number)
        found.append(write_table(chosen, phrases_uri(run, number), PHRASES))
        run.staging.delete_part(counts)
    return {"phrases": sum(found), "phrases_of_passes": found}


def make_word_counts(run: Run) -> dict[str, Any]:
    """Every word of the corpus with its count, and what was odd about the documents."""
    duplicates = count_duplicate_ids(run.session(), run.config.input)
    corpus = read_corpus(run.session(), run.config.input, duplicates)
    with runtime_settings(run.session(), **SUMMING):
        write_table(word_counts(corpus, words_of(run)), run.uri("word_counts"), WORD_COUNTS)
    report = read_report(run.uri("word_counts")) | {"duplicate_ids": duplicates}
    if report["tokens"] == 0:
        raise InputError(
            f"the corpus has no words: {report['documents']} documents, {report['null_documents']} of them without "
            f"text, {report['malformed_rows']} malformed, {report['empty_documents']} without a word; check input "
            "and tokens"
        )
    return report


def make_earlier(run: Run) -> dict[str, Any]:
    """The model that this run begins from, and its vocabulary: copied, so that it may change or go meanwhile."""
    model, config = run.earlier, run.config.warm_start
    if model is None:
        raise ValueError("fingerprints finds the earlier model; it comes before the steps")
    rows, words = (storage.join(run.uri("earlier"), name) for name in ("rows", "vocabulary"))
    with_ngrams = carries_subwords(model, run.config.subwords)
    with reading(model):
        write_table(earlier(run.session(), model, config.format, with_ngrams), rows, EARLIER)
        size = write_table(earlier_vocabulary(run.session(), model, rows), words, VOCABULARY)
    return {"words": size, "with_ngrams": with_ngrams, "is_run": isinstance(model, Version)}


def make_vocabulary(run: Run) -> dict[str, Any]:
    """The words that get a vector, numbered from the most frequent."""
    before = storage.join(run.uri("earlier"), "vocabulary") if run.config.warm_start.path else ""
    words = vocabulary(
        run.session(), run.uri("word_counts"), run.config.vocabulary, before, run.config.warm_start.keep_words
    )
    write_table(words, run.uri("vocabulary"), VOCABULARY)
    size, tokens = vocabulary_summary(run.uri("vocabulary"))
    if before:
        tokens = corpus_tokens(run.session(), run.uri("word_counts"), run.uri("vocabulary"))
    if tokens == 0:
        raise InputError(
            f"no word of the corpus occurs {run.config.vocabulary.min_count} times or more; "
            "lower vocabulary.min_count, or give more text"
        )
    return {"words": size, "tokens": tokens}


def make_encoded(run: Run) -> dict[str, Any]:
    """The corpus as word ids, in pieces spread over buckets."""
    buckets = run.config.encoded.buckets
    if buckets == "auto":
        buckets = encoding.auto_buckets(run.records["vocabulary"]["tokens"])
    files = encoding.file_count(run.records["vocabulary"]["tokens"], buckets)
    corpus = read_corpus(run.session(), run.config.input, run.records["word_counts"]["duplicate_ids"])
    pieces = encoding.encoded(corpus, run.uri("vocabulary"), words_of(run), run.config.encoded, buckets, files)
    write_table(pieces, run.uri("encoded"), ENCODED, encoding.GROUP_BYTES)
    return {"buckets": buckets}


def make_bucket_counts(run: Run) -> dict[str, Any]:
    """Tokens of each bucket, from which shards and slices are cut."""
    counts = encoding.bucket_counts(run.session(), run.uri("encoded"), run.records["encoded"]["buckets"])
    write_table(counts, run.uri("bucket_counts"), BUCKET_COUNTS)
    tokens = int(bucket_tokens(run).sum())
    if tokens != run.records["vocabulary"]["tokens"]:
        raise InputError(
            f"the corpus changed while it was read: {run.records['vocabulary']['tokens']} tokens were counted, "
            f"{tokens} encoded; run again when nothing writes to it"
        )
    return {"tokens": tokens}


def make_ngram_buckets(run: Run) -> dict[str, Any]:
    """The buckets that the vocabulary's character n-grams fall into: rows of the model, beside the words' own."""
    buckets = ngram_buckets(run.session(), run.uri("vocabulary"), run.config.subwords, run.config.training.cpu_target)
    return {"ngrams": write_table(buckets, run.uri("ngram_buckets"), NGRAM_BUCKETS)}


def make_initial(run: Run) -> dict[str, Any]:
    """The parameters before the first round, from the earlier model."""
    training = resolved_training(run)
    check_dimensions(storage.join(run.uri("earlier"), "rows"), run.config.warm_start, training.dimensions)
    start = Start(
        training=training,
        shapes=shapes_of(run, training),
        vocabulary_uri=run.uri("vocabulary"),
        subwords=subword_tables(run),
        earlier_uri=storage.join(run.uri("earlier"), "rows"),
        earlier_vocabulary_uri=storage.join(run.uri("earlier"), "vocabulary"),
        table_uri=run.uri("initial"),
    )
    write_listed(initial_parameters(run.session(), start), start.table_uri)
    return {}


def make_rounds(run: Run) -> dict[str, Any]:
    """The training itself: the last round's parameters, and the metrics of all."""
    counted = run.records["vocabulary"]
    training = resolved_training(run)
    log_start("rounds", **asdict(training))
    check_vocabulary(training, counted["words"])
    rounds = plan_rounds(bucket_tokens(run), training)
    job = RoundJob(
        training=training,
        round=rounds[0],
        total_tokens=counted["tokens"] * int(training.epochs),
        shapes=shapes_of(run, training),
        vocabulary_uri=run.uri("vocabulary"),
        subwords=subword_tables(run),
        encoded_uri=run.uri("encoded"),
        parameters_uri=run.uri("initial") if run.config.warm_start.path else None,
        table_uri="",
        changes_uri="",
        places=(),
        threads=1,
    )
    uri, metrics = run_rounds(run.session(), run.staging, run.fingerprints["rounds"], rounds, job, run.progress.round)
    parameters = run.staging.relative(uri)
    return {"parameters": parameters, "metrics": metrics, "training": asdict(training), "lists": [parameters]}


def bucket_tokens(run: Run) -> np.ndarray:
    """int64 (buckets,): tokens of each bucket."""
    table = read_listed(run.uri("bucket_counts"))
    tokens = np.zeros(run.records["encoded"]["buckets"], np.int64)
    np.add.at(tokens, table["bucket"].to_numpy(), table["tokens"].to_numpy())
    return tokens


def resolved_training(run: Run) -> TrainingConfig:
    """The training's settings without `auto`."""
    counted, config = run.records["vocabulary"], run.config
    return resolve(config.training, counted["tokens"], counted["words"], config.warm_start, config.subwords.enabled)
