"""Latent semantic analysis: a singular value decomposition of documents by words, with vectors for both."""

from dataclasses import dataclass
from typing import Any, Literal

from w2vspark import storage
from w2vspark.base.schemas import DOCUMENTS, LEFT, RIGHT, TERM_WEIGHTS, VECTORS
from w2vspark.config.config import Config
from w2vspark.config.keys import Settings, key
from w2vspark.flow.costs import Cost
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Method, Needed, Step, Table
from w2vspark.methods import corpus, decomposed, kept_words
from w2vspark.methods.corpus import bucket_tokens, chosen, target_settings, words_count
from w2vspark.methods.costs import corpus_costs, svd_cost, version_cost
from w2vspark.methods.decomposed import SINGULAR_VALUES_TABLE, needed_with, resolved, rows_of_words, svd_settings, tiny
from w2vspark.methods.gate import SCORES_TABLE, VECTORS_GATE
from w2vspark.methods.next_commands import of_documents
from w2vspark.methods.report import LOOK
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.documents import documents, term_weights
from w2vspark.stages.encoded import EncodedConfig
from w2vspark.stages.term_document import REDUCER_TOKENS, term_document_job, write_term_document
from w2vspark.stages.vectors import matrix_rows
from w2vspark.training.settings import TrainingConfig
from w2vspark.training.svd.plan import SvdConfig

EXPONENT = 0.75  # svd.exponent for `auto`, chosen by people's judgements and labels (tests/bench/lsa.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class LsaConfig(Settings):
    """How latent semantic analysis weights the words of documents."""

    section = "lsa"

    weighting: Literal["log-entropy", "tf-idf", "tf"] = key(
        "log-entropy", why="The weight of a word in a document: log-entropy, tf-idf, or tf (the plain count)."
    )


def term_document_settings(config: Config) -> Chosen:
    """Settings: how counts are weighted."""
    return chosen(config[LsaConfig], "weighting") | target_settings(config)


def make_term_document(run: Run) -> dict[str, Any]:
    """Count the words of each document, and weight the counts."""
    uri, target = run.uri("term_document"), run.config[TrainingConfig].cpu_target
    uris = {"encoded_uri": run.uri("encoded"), "table_uri": uri, "counts_uri": storage.join(uri, "counts")}
    weighting = run.config[LsaConfig].weighting
    job = term_document_job(weighting, target, words_count(run), bucket_tokens(run), uris)
    made = write_term_document(run.session(), job)
    run.staging.delete_files(job.counts_uri)
    counted = run.records["word_counts"]
    without_words = sum(counted[name] for name in ("malformed_rows", "null_documents", "empty_documents"))
    return made | {"without_known_words": counted["documents"] - without_words - made["documents"]}


def make_svd(run: Run) -> dict[str, Any]:
    """Decompose the table term_document."""
    return decomposed.decomposed(run, "term_document", "term_document", document_count(run), EXPONENT)


def vector_rows(run: Run) -> TaskRows:
    """The vectors of words."""
    return rows_of_words(run, [RIGHT])


def document_rows(run: Run) -> TaskRows:
    """The vectors of documents."""
    dimensions = run.config[TrainingConfig].dimensions
    rows = matrix_rows(run.uri("svd"), LEFT, dimensions)
    return documents(run.session(), rows, run.uri("term_document"), document_count(run), dimensions)


def document_count(run: Run) -> int:
    """The number of documents with a word of the vocabulary."""
    return int(run.records["term_document"]["documents"])


def weight_rows(run: Run) -> TaskRows:
    """The weights of words."""
    uris, target = (run.uri("term_document"), run.uri("vocabulary")), run.config[TrainingConfig].cpu_target
    return term_weights(run.session(), *uris, run.config[LsaConfig].weighting, document_count(run), target)


def facts(run: Run) -> dict[str, Any]:
    """As decomposed.facts, with the number of documents that have a vector, and that have no known word."""
    record = run.records["term_document"]
    counts = {"with_vector": record["documents"], "without_known_words": record["without_known_words"]}
    return decomposed.facts(run) | {"documents": counts}


def summary(version: Version) -> list[str]:
    """Lines about the corpus, the decomposition and the documents."""
    counts = version.manifest["documents"]
    without = counts["without_known_words"]
    rest = f"; {without:,} documents have none, because they have no word of the vocabulary" if without else ""
    lines = [*corpus.summary(version), decomposed.svd_summary(version)]
    return [*lines, f"documents   {counts['with_vector']:,} vectors{rest}"]


def needed(run: Run) -> Needed:
    """The settings and the memory for the size of the corpus."""
    return needed_with(run, EXPONENT)


def costs(run: Run) -> list[Cost]:
    """What the steps cost: the text's, the counts', and the decomposition's.

    Until they are counted, each word of the text counts as an entry, and each piece as a document.
    """
    tokens, words, _ = corpus.guessed_size(run)
    counted = corpus.counted_record(run, "term_document")
    entries = counted["entries"] if counted else tokens
    rows = counted["documents"] if counted else max(1, tokens // run.config[EncodedConfig].piece_tokens)
    svd, dimensions = needed(run).config[SvdConfig], run.config[TrainingConfig].dimensions
    slices = max(1, -(-tokens // REDUCER_TOKENS))
    return [
        *corpus_costs(run, tokens),
        Cost("term_document", "term_document", tokens / 1e6, "M words", slices, queries=3),
        svd_cost(rows, words, entries, dimensions + int(svd.oversampling), svd),
        version_cost((words + rows) * dimensions * 4 / 1e6, len(list(run.work.tables(run.config)))),
    ]


LSA = Method(
    name="lsa",
    help="latent semantic analysis (LSA, LSI): vectors of words and documents, for search by meaning",
    settings=(*corpus.SETTINGS, TrainingConfig, LsaConfig, SvdConfig, *corpus.LAST_SETTINGS),
    sources=corpus.sources,
    asked=corpus.ASKED,
    steps=(
        *kept_words.STEPS,
        Step(
            "term_document",
            ("vocabulary", "encoded", "bucket_counts"),
            term_document_settings,
            make_term_document,
            kernels=True,
        ),
        Step("svd", ("vocabulary", "term_document"), svd_settings, make_svd, kernels=True),
    ),
    publishes=(
        Table("vectors", VECTORS, "a word's vector", vector_rows, words_count),
        Table("documents", DOCUMENTS, "a document's vector", document_rows, document_count),
        Table("term_weights", TERM_WEIGHTS, "a word's weight", weight_rows, words_count),
        SINGULAR_VALUES_TABLE,
        corpus.PHRASES_TABLE,
        corpus.VOCABULARY_TABLE,
        kept_words.UNITS_TABLE,
        SCORES_TABLE,
        *LOOK,
    ),
    resolved=resolved,
    facts=facts,
    summary=summary,
    next_commands=of_documents,
    gate=VECTORS_GATE,
    needed=needed,
    costs=costs,
    sample=decomposed.small_sample,
    tiny=tiny,
    auto=decomposed.AUTO | {"svd.exponent": str(EXPONENT)},
    warm_up={},
)
