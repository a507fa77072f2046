"""The first steps of every method: from the corpus to its words as numbers."""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark import storage
from w2vspark.base.cpu_target import llvm_name
from w2vspark.base.errors import InputError
from w2vspark.base.schemas import BUCKET_COUNTS, ENCODED, PAIR_COUNTS, PHRASES, VOCABULARY, WORD_COUNTS
from w2vspark.base.wording import counted
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import NO_SETTINGS, Chosen, StagedRows, Step, Table
from w2vspark.methods.advice import few_words
from w2vspark.methods.gate import GateConfig, check_corpus, read_tests
from w2vspark.methods.partial_counts import Counted, write_counts
from w2vspark.methods.report import ReportConfig
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.output.settings import OutputConfig
from w2vspark.spark.listed_files import write_table
from w2vspark.spark.session import SparkConfig, runtime_settings
from w2vspark.stages import encoded as encoding
from w2vspark.stages import phrases as pairing
from w2vspark.stages import word_counts as counting
from w2vspark.stages.corpus import check_malformed, count_duplicate_ids, read_corpus, source_of
from w2vspark.stages.corpus_version import corpus_version
from w2vspark.stages.encoded import EncodedConfig
from w2vspark.stages.input import InputConfig
from w2vspark.stages.input_units import countable_files
from w2vspark.stages.phrases import (
    examples_of,
    pair_counts,
    phrases,
    read_pair_counts,
    read_phrase_table,
    scored_pairs,
)
from w2vspark.stages.vocabulary import CURRENT, VocabularyConfig, vocabulary, vocabulary_summary
from w2vspark.stages.word_counts import read_report, word_counts
from w2vspark.stages.words import Words
from w2vspark.storage.listed import read_listed, write_small
from w2vspark.text.settings import PhrasesConfig, TokensConfig
from w2vspark.training.settings import TrainingConfig

SETTINGS = (InputConfig, OutputConfig, TokensConfig, PhrasesConfig, VocabularyConfig, EncodedConfig)
LAST_SETTINGS = (GateConfig, ReportConfig, SparkConfig)  # the last tables of a configuration file
ASKED = ("corpus",)  # without the earlier model, which may be this output's own last version
TINY_WORDS = 31  # a prime, so that documents differ
SHOWN_PHRASES = 20  # examples of each pass: the best, the last above the threshold, and the best below it
# A task sums its words in memory: 16 MB of compressed counts need some 200 MB.
SUMMING = {"spark.sql.adaptive.advisoryPartitionSizeInBytes": "16m"}
# Heaps' law with the constants of English Wikipedia at min_count 5: words = 17 * sqrt(tokens).
GUESSED_WORDS = 17.0
BYTES_PER_TOKEN = 6.0
COMPRESSION = {".gz": 3.0, ".bz2": 4.0, ".zst": 3.0}


# Counts that are kept for each unit of the corpus.
WORDS = Counted("word_counts", WORD_COUNTS, ("word", "report"), counting.tally, word_counts)
PAIRS = Counted("phrases", PAIR_COUNTS, pairing.KINDS, pairing.tally, pair_counts)


def sources(run: Run) -> dict[str, str]:
    """Fingerprints of the corpus as it is now, and of the current version if its words are kept.

    run.found["files"] gets the files of the corpus, if they can be read one by one. The test sets of the gate are read
    too.
    """
    read_tests(run)
    config = run.config[InputConfig]
    run.found["files"] = countable_files(config)
    found = {"corpus": corpus_version(config, run.session, run.found["files"])}
    if keeps(run.config):
        run.parent = publish.find_version(run.output)
        found["current version"] = parent_fingerprint(run.parent)
    return found


def parent_fingerprint(version: Version | None) -> str:
    """The fingerprint of a version that a run begins from."""
    return fingerprint(run=version.run_id, version=version.name) if version is not None else fingerprint(version=None)


def keeps(config: Config) -> bool:
    """Whether the words of the current version keep their ids."""
    return config[VocabularyConfig].keep == CURRENT


def is_fresh(config: Config) -> bool:
    """Whether all words get new numbers."""
    return not keeps(config)


def finds_phrases(config: Config) -> bool:
    """Whether phrases are looked for in this corpus."""
    return has_phrases(config) and is_fresh(config)


# The steps: the settings of each, and the function that makes its table.


def has_phrases(config: Config) -> bool:
    """Whether pairs of words become one word."""
    return bool(config[PhrasesConfig].thresholds)


def phrases_settings(config: Config) -> Chosen:
    """Settings: how text becomes words, and which pairs are phrases."""
    return {"tokens": config[TokensConfig], "phrases": config[PhrasesConfig]}


def make_phrases(run: Run) -> dict[str, Any]:
    """Find the pairs of words that become one word. Each pass counts the text with the phrases of earlier passes."""
    config, passes = run.config[PhrasesConfig], []
    for number, threshold in enumerate(config.thresholds, 1):
        run.progress.part("pass", number - 1, len(config.thresholds))
        counts = storage.join(run.uri("phrases"), f"counts-{number}")
        with runtime_settings(run.session(), **SUMMING):
            # The phrases of earlier passes are those of this corpus, and so are the words of later passes.
            write_counts(run, PAIRS, words_of(run, number - 1), counts, "" if number == 1 else None)
        # Kept, because the pairs above the threshold are written and those below it are shown.
        scored = scored_pairs(read_pair_counts(run.session(), counts), config).persist()
        try:
            found = write_table(phrases(scored, threshold, number), phrases_uri(run, number), PHRASES)
            examples = examples_of(scored, threshold, SHOWN_PHRASES)
        finally:
            scored.unpersist()
        passes.append({"threshold": threshold, "found": found, **examples})
        run.staging.delete_files(counts)
    return {"phrases": sum(of_pass["found"] for of_pass in passes), "passes": passes}


def word_counts_settings(config: Config) -> Chosen:
    """Settings: how text becomes words. Connector words matter only with phrases, and are settings of that table."""
    return {"tokens": config[TokensConfig]}


def make_word_counts(run: Run) -> dict[str, Any]:
    """Count the words of the corpus. The record has numbers about the documents, for example of malformed rows."""
    duplicates = count_duplicate_ids(run.session(), run.config[InputConfig])
    with runtime_settings(run.session(), **SUMMING):
        write_counts(run, WORDS, words_of(run), run.uri("word_counts"), words_identity(run))
    report = read_report(run.uri("word_counts")) | {"duplicate_ids": duplicates}
    _check_malformed(run, report)
    if report["documents"] == 0:
        raise InputError(
            f"the corpus has no words: 0 documents in {source_of(run.config[InputConfig])}; give some text"
        )
    if report["tokens"] == 0:
        raise InputError(
            f"the corpus has no words: {report['documents']} documents, {report['null_documents']} of them without "
            f"text, {report['malformed_rows']} malformed, {report['empty_documents']} without a word; check [input] "
            "and [tokens]"
        )
    return report


def _check_malformed(run: Run, report: dict[str, Any]) -> None:
    check_malformed(run.session, run.config[InputConfig], report["malformed_rows"], report["documents"])


def check_counted(run: Run) -> None:
    """Raise InputError if the corpus, perhaps counted by an earlier run, has too many malformed rows."""
    _check_malformed(run, run.records["word_counts"])


def vocabulary_settings(config: Config) -> Chosen:
    """Settings: which words are in the vocabulary."""
    return {"vocabulary": config[VocabularyConfig]}


def make_vocabulary(run: Run) -> dict[str, Any]:
    """Choose the words that get a vector, and number them; the most frequent word is 0."""
    config = run.config[VocabularyConfig]
    write_table(vocabulary(run.session(), run.uri("word_counts"), config), run.uri("vocabulary"), VOCABULARY)
    size, tokens = vocabulary_summary(run.uri("vocabulary"))
    check_tokens(tokens, config)
    return {"words": size, "tokens": tokens}


def check_tokens(tokens: int, config: VocabularyConfig) -> None:
    """Raise InputError if no word of the corpus is in the vocabulary."""
    if tokens == 0:
        raise InputError(
            f"no word of the corpus occurs {config.min_count} times or more; lower vocabulary.min_count, or give more "
            "text"
        )


def encoded_settings(config: Config) -> Chosen:
    """Settings: how documents are cut into pieces, and spread over buckets."""
    return {"encoded": config[EncodedConfig]}


def make_encoded(run: Run) -> dict[str, Any]:
    """Write the corpus as word ids, in pieces that are spread over buckets."""
    buckets = run.config[EncodedConfig].buckets
    return encode_all(run, encoding.auto_buckets(run.records["vocabulary"]["tokens"]) if buckets == "auto" else buckets)


def encode_all(run: Run, buckets: int) -> dict[str, Any]:
    """Write the whole corpus as word ids; return the record."""
    config, tokens = run.config[EncodedConfig], run.records["vocabulary"]["tokens"]
    files = encoding.file_count(tokens, buckets)
    corpus = read_corpus(run.session(), run.config[InputConfig], run.records["word_counts"]["duplicate_ids"])
    pieces = encoding.encoded(corpus, run.uri("vocabulary"), words_of(run), config, buckets, files)
    write_table(pieces, run.uri("encoded"), ENCODED, encoding.ROW_GROUP_BYTES)
    return {"buckets": buckets}


def bucket_counts_settings(_: Config) -> Chosen:
    """No settings: the buckets come from the table encoded."""
    return NO_SETTINGS


def make_bucket_counts(run: Run) -> dict[str, Any]:
    """Count the tokens of each bucket. Shards and slices are cut by these counts."""
    counts = encoding.bucket_counts(run.session(), run.uri("encoded"), run.records["encoded"]["buckets"])
    write_table(counts, run.uri("bucket_counts"), BUCKET_COUNTS)
    tokens = int(bucket_tokens(run).sum())
    if tokens != run.records["vocabulary"]["tokens"]:
        raise InputError(
            f"the corpus changed while it was read: {run.records['vocabulary']['tokens']} tokens were counted, "
            f"{tokens} encoded; run again when nothing writes to it"
        )
    return {"tokens": tokens}


PHRASES_STEP = Step("phrases", ("corpus",), phrases_settings, make_phrases, finds_phrases)
WORD_COUNTS_STEP = Step("word_counts", ("corpus", "phrases"), word_counts_settings, make_word_counts)
VOCABULARY_STEP = Step(
    "vocabulary", ("word_counts",), vocabulary_settings, make_vocabulary, is_fresh, check=check_counted
)
ENCODED_STEP = Step(
    "encoded",
    ("corpus", "phrases", "vocabulary"),
    encoded_settings,
    make_encoded,
    is_fresh,
    check=check_corpus,
    advice=few_words,
)
BUCKET_COUNTS_STEP = Step("bucket_counts", ("encoded",), bucket_counts_settings, make_bucket_counts, is_fresh)


def tiny(run: Run) -> None:
    """Give the run the tables of a tiny corpus, as if these steps had made them. Later steps can work on them."""
    documents = [[(document * at) % TINY_WORDS for at in range(30)] for document in range(1, TINY_WORDS)]
    counts = np.bincount([word for document in documents for word in document], minlength=TINY_WORDS)
    ids = {word: number for number, word in enumerate(np.argsort(-counts, kind="stable").tolist())}
    encoded = {
        "bucket": range(len(documents)),
        "doc_id": [f"d{number}" for number in range(len(documents))],
        "piece": [0] * len(documents),
        "ids": [[ids[word] for word in document] for document in documents],
    }
    words = {"id": range(TINY_WORDS), "word": [f"w{number}" for number in range(TINY_WORDS)]}
    lengths = [len(document) for document in documents]
    sizes = {"bucket": range(len(documents)), "pieces": [1] * len(documents), "tokens": lengths}
    tables = {
        "vocabulary": (words | {"count": sorted(counts.tolist(), reverse=True)}, VOCABULARY),
        "encoded": (encoded, ENCODED),
        "bucket_counts": (sizes, BUCKET_COUNTS),
    }
    odd = dict.fromkeys(("malformed_rows", "null_documents", "empty_documents"), 0)
    run.records["word_counts"] = odd | {"documents": len(documents), "tokens": sum(lengths)}
    run.config = run.config.replaced(PhrasesConfig(), replace(run.config[VocabularyConfig], keep="none"))
    for name, (columns, schema) in tables.items():
        run.uris[name] = storage.join(run.output, name)
        write_small(pa.table(columns, schema), run.uris[name])
        run.records[name] = {"words": TINY_WORDS, "tokens": sum(lengths), "buckets": len(documents)}


# What other steps need from these steps.


def words_identity(run: Run) -> str | None:
    """What the words depend on besides the tokenizer: the phrases. None = phrases that follow the corpus."""
    return run.records["phrases"].get("identity") if has_phrases(run.config) else ""


def words_of(run: Run, passes: int | None = None) -> Words:
    """How workers turn text into words: with the phrases of the first passes, or of all passes (None)."""
    config = run.config[PhrasesConfig]
    made = range(1, 1 + (len(config.thresholds) if passes is None else passes))
    uris = tuple(phrases_uri(run, number) for number in made)
    return Words(run.config[TokensConfig], uris, config.connector_words)


def phrases_uri(run: Run, number: int) -> str:
    """The URI of a pass's phrases."""
    return storage.join(run.uri("phrases"), f"pass-{number}")


def bucket_tokens(run: Run) -> np.ndarray:
    """int64 (buckets,): tokens of each bucket."""
    table = read_listed(run.uri("bucket_counts"))
    tokens = np.zeros(run.records["encoded"]["buckets"], np.int64)
    np.add.at(tokens, table["bucket"].to_numpy(), table["tokens"].to_numpy())
    return tokens


def words_count(run: Run) -> int:
    """The number of words in the vocabulary."""
    return int(run.records["vocabulary"]["words"])


def target_settings(config: Config) -> Chosen:
    """Settings: the CPU target of the kernels. Different names of one target give the same value."""
    return {"cpu_target": llvm_name(config[TrainingConfig].cpu_target)}


def chosen(settings: Any, *names: str) -> Chosen:
    """Some keys of a table of the configuration, with their values."""
    return {name: getattr(settings, name) for name in names}


# The published tables that all methods have.


def vocabulary_rows(run: Run) -> StagedRows:
    """The vocabulary, as in staging."""
    return StagedRows(run.uri("vocabulary"))


def phrase_rows(run: Run) -> Any:
    """The phrases of all passes."""
    return read_phrase_table(run.session(), words_of(run).passes)


def phrase_count(run: Run) -> int:
    """The number of phrases in all passes."""
    return int(run.records["phrases"]["phrases"])


PHRASES_TABLE = Table(
    "phrases",
    PHRASES,
    "two words that became one word, and the pass that joined them",
    phrase_rows,
    phrase_count,
    has_phrases,
    "`phrases.thresholds` is set",
)
VOCABULARY_TABLE = Table("vocabulary", VOCABULARY, "a word with its id and count", vocabulary_rows, words_count)


# What a run reports.


def resolved(run: Run) -> Config:
    """The settings without `auto`, once the tables are made."""
    buckets = run.records["encoded"]["buckets"]
    return run.config.replaced(replace(run.config[EncodedConfig], buckets=buckets))


def facts(run: Run) -> dict[str, Any]:
    """Entries of the manifest: figures of the corpus and the vocabulary, and the CPU target of the kernels."""
    kernels = TrainingConfig in run.config
    return {
        "corpus": {key: value for key, value in run.records["word_counts"].items() if key != "seconds"},
        "vocabulary": {key: run.records["vocabulary"][key] for key in ("words", "tokens")},
        **({"phrases": run.records["phrases"]["passes"]} if has_phrases(run.config) else {}),
        **({"units_identity": run.records["vocabulary"]["identity"]} if keeps(run.config) else {}),
        **({"cpu_target": llvm_name(run.config[TrainingConfig].cpu_target) or "host"} if kernels else {}),
    }


def summary(version: Version) -> list[str]:
    """A line about the corpus, and one about the vocabulary."""
    corpus, vocabulary = version.manifest["corpus"], version.manifest["vocabulary"]
    documents, tokens = counted(corpus["documents"], "document"), counted(corpus["tokens"], "token")
    words, kept = counted(vocabulary["words"], "word"), counted(vocabulary["tokens"], "token")
    return [
        f"corpus      {documents}, {tokens}{_oddities(corpus)}",
        f"vocabulary  {words}, {kept} of the corpus",
    ]


ODDITIES = {
    "invalid_utf8": "invalid UTF-8 document",
    "malformed_rows": "malformed row",
    "null_documents": "null document",
    "empty_documents": "empty document",
    "duplicate_ids": "duplicate id",
}


def _oddities(corpus: dict[str, int]) -> str:
    odd = [counted(corpus[name], noun) for name, noun in ODDITIES.items() if corpus[name]]
    return f" ({', '.join(odd)})" if odd else ""


def counted_record(run: Run, table: str) -> dict[str, Any] | None:
    """The record of a table that was made, in this run or an earlier one; None if it was not."""
    if table in run.records:
        return run.records[table]
    found = run.staging.find(table, run.fingerprints[table])
    return None if found is None else found.record


def guessed_size(run: Run) -> tuple[int, int, str]:
    """The numbers of tokens and words before anything is made, and whether they were counted or guessed."""
    if (record := counted_record(run, "vocabulary")) is not None:
        return record["tokens"], record["words"], "counted"
    tokens, most = _guessed_tokens(run.config[InputConfig]), run.config[VocabularyConfig].max_size
    words = max(1, round(GUESSED_WORDS * tokens**0.5))
    source = "guessed from the size of the files, as are the values of auto below; exact once the words are counted"
    return tokens, min(words, most) if most else words, source


def _guessed_tokens(config: InputConfig) -> int:
    size = 0.0
    for path in config.path:
        for file in storage.list_files(path):
            ending = "." + file.uri.rpartition(".")[2]
            size += file.size * COMPRESSION.get(ending, 1.0)
    return max(1, round(size / BYTES_PER_TOKEN))


def memory_of(tokens: int, words: int, source: str, needed: str) -> str:
    """The text of --dry-run about memory. needed: the memory of the model and of the workers."""
    return f"for {words:,} words and {tokens:,} tokens ({source}):\n  {needed}"
