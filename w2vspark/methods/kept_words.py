"""The first steps of every method, also for a run that keeps the words of the current version (vocabulary.keep).

With kept words, the first words of the vocabulary are those of the current version, under their ids, and its phrases
are the phrases. A unit of the corpus that the current version had is encoded with the words that it was encoded with
then; a new unit, with all words. The table `units` of a version says which words these are. So what a run makes depends
on its corpus, its settings and the current version alone, and what was encoded before need not be encoded again.
"""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from w2vspark import storage
from w2vspark.base.errors import ConfigError, InputError
from w2vspark.base.schemas import PHRASES, UNITS, VOCABULARY
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import StagedRows, Step, Table
from w2vspark.methods import corpus
from w2vspark.methods.advice import few_words
from w2vspark.methods.corpus import WORDS, keeps, phrases_uri, words_identity, words_of
from w2vspark.methods.encoded_units import encode_new_units, list_bucket_counts
from w2vspark.methods.gate import check_corpus
from w2vspark.methods.partial_counts import identity_of, partial_tables, units_in
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import write_table
from w2vspark.stages import encoded as encoding
from w2vspark.stages.encoded import EncodedConfig
from w2vspark.stages.encoded_units import unit_tokens
from w2vspark.stages.input_units import Key, Unit
from w2vspark.stages.vocabulary import VocabularyConfig, corpus_tokens, kept_vocabulary, vocabulary, vocabulary_summary
from w2vspark.storage.listed import read_listed, write_list, write_small
from w2vspark.text.settings import PhrasesConfig

AGAIN = "run again"


def keeps_phrases(config: Config) -> bool:
    """Whether the phrases are those of the current version."""
    return keeps(config) and corpus.has_phrases(config)


def make_kept_phrases(run: Run) -> dict[str, Any]:
    """Copy the phrases of the current version; without one, find phrases as corpus.make_phrases does."""
    passes, parent = len(run.config[PhrasesConfig].thresholds), run.parent
    if parent is None:
        record = corpus.make_phrases(run)
    else:
        with parent.reading(AGAIN):
            table = read_listed(parent.table("phrases"), PHRASES.names, files=parent.listed("phrases")).cast(PHRASES)
        for number in range(1, passes + 1):
            write_small(table.filter(pc.equal(table["pass"], number)), phrases_uri(run, number))
        record = {"phrases": len(table), "passes": parent.manifest["phrases"]}
    names = ["left", "between", "right"]
    found = [
        read_listed(phrases_uri(run, number), names).sort_by([(name, "ascending") for name in names]).to_pydict()
        for number in range(1, passes + 1)
    ]
    return record | {"identity": fingerprint(passes=found)}


def check_phrases(run: Run) -> None:
    """Raise ConfigError if the current version has other passes of phrases than the configuration."""
    if run.parent is None:
        return
    before, now = len(run.parent.manifest.get("phrases", [])), len(run.config[PhrasesConfig].thresholds)
    if before != now:
        raise ConfigError(
            f"phrases.thresholds: has {now} passes, and {run.parent.folder} has {before}; vocabulary.keep = "
            '"current" keeps its phrases, so use as many passes, or make a version with vocabulary.keep = "none"'
        )


def make_kept_vocabulary(run: Run) -> dict[str, Any]:
    """Write the words of the current version under their ids, and new words after them; and the units of the corpus."""
    config, uri, counts_uri, parent = (
        run.config[VocabularyConfig], run.uri("vocabulary"), run.uri("word_counts"), run.parent,
    )  # fmt: skip
    if parent is None:
        write_table(vocabulary(run.session(), counts_uri, config), uri, VOCABULARY)
    else:
        with parent.reading(AGAIN):
            before = parent.table("vocabulary"), parent.listed("vocabulary")
            write_table(kept_vocabulary(run.session(), counts_uri, config, *before), uri, VOCABULARY)
    words, _ = vocabulary_summary(uri)
    units, identity = units_in(run), ""
    if units is None:
        rows, tokens = [], corpus_tokens(run.session(), counts_uri, uri)
    else:
        identity = identity_of(run, WORDS, words_of(run), words_identity(run) or "")
        rows = _units(run, units, identity, words)
        tokens = sum(row["tokens"] for row in rows)
    corpus.check_tokens(tokens, config)
    write_small(pa.Table.from_pylist(rows, UNITS), units_uri(run))
    return {"words": words, "tokens": tokens, "identity": identity}


def units_uri(run: Run) -> str:
    """The folder of the staged table units."""
    return storage.join(run.uri("vocabulary"), "units")


def _units(run: Run, units: list[Unit], identity: str, words: int) -> list[dict[str, Any]]:
    """The rows of the table units. identity: of how words are counted. words: of the whole vocabulary."""
    known = _known_units(run.parent, identity) if run.parent is not None else {}
    new = {unit.key for unit in units} - known.keys()
    tables = []
    for table, keys in partial_tables(run, WORDS, words_of(run), words_identity(run) or "", units):
        chosen = [is_there and key in new for is_there, key in zip(table.chosen.tolist(), keys, strict=True)]
        if any(chosen):
            tables.append((table.of(chosen), keys))
    counted: dict[Key, int] = {}
    for of_table, (_, keys) in zip(
        unit_tokens(run.session(), [table for table, _ in tables], run.uri("vocabulary")) if tables else [],
        tables,
        strict=True,
    ):
        counted |= {keys[number]: tokens for number, tokens in of_table.items()}
    rows = []
    for unit in units:
        of_unit = known.get(unit.key, {"words": words, "tokens": counted.get(unit.key, 0)})
        rows.append({"name": unit.name, "identity": unit.identity, **of_unit})
    return rows


def _known_units(version: Version, identity: str) -> dict[Key, dict[str, int]]:
    """The units that a version has, with their words and tokens; none if words were counted in another way then."""
    if not version.has("units") or version.manifest.get("units_identity") != identity:
        return {}
    with version.reading(AGAIN):
        rows = read_listed(version.table("units"), UNITS.names, files=version.listed("units")).to_pylist()
    return {(row["name"], row["identity"]): {"words": row["words"], "tokens": row["tokens"]} for row in rows}


def make_kept_encoded(run: Run) -> dict[str, Any]:
    """Write the corpus as word ids. Units that were encoded before, with the same words, are not encoded again."""
    buckets = _buckets(run)
    if units_in(run) is None:
        return corpus.encode_all(run, buckets)
    return encode_new_units(run, read_listed(units_uri(run)).to_pylist(), buckets)


def _buckets(run: Run) -> int:
    """The number of buckets: that of the current version. Raises ConfigError if another one is set."""
    asked, tokens = run.config[EncodedConfig].buckets, run.records["vocabulary"]["tokens"]
    if run.parent is None:
        return encoding.auto_buckets(tokens) if asked == "auto" else asked
    before = int(run.parent.manifest["config"]["encoded"]["buckets"])
    if asked not in ("auto", before):
        raise ConfigError(
            f'encoded.buckets = {asked}: {run.parent.folder} has {before}, and vocabulary.keep = "current" keeps that '
            "number; remove it"
        )
    return before


def make_kept_bucket_counts(run: Run) -> dict[str, Any]:
    """Count the tokens of each bucket. Files that were counted when they were encoded are not counted again."""
    if units_in(run) is None:
        return corpus.make_bucket_counts(run)
    write_list(run.uri("bucket_counts"), list_bucket_counts(run))
    tokens, expected = int(corpus.bucket_tokens(run).sum()), run.records["vocabulary"]["tokens"]
    if tokens != expected:
        raise InputError(
            f"the corpus changed while it was read: {expected} tokens were counted, {tokens} encoded; run again when "
            "nothing writes to it"
        )
    return {"tokens": tokens}


def unit_rows(run: Run) -> StagedRows:
    """The units, as in staging."""
    return StagedRows(units_uri(run))


UNITS_TABLE = Table(
    "units",
    UNITS,
    "a part of the corpus, and the words that it was encoded with",
    unit_rows,
    wanted=keeps,
    when='`vocabulary.keep` is "current"',
)
VOCABULARY_STEP = Step(
    "vocabulary",
    ("word_counts", "current version"),
    corpus.vocabulary_settings,
    make_kept_vocabulary,
    keeps,
    check=corpus.check_counted,
)
STEPS = (
    corpus.PHRASES_STEP,
    Step(
        "phrases",
        ("corpus", "current version"),
        corpus.phrases_settings,
        make_kept_phrases,
        keeps_phrases,
        check=check_phrases,
    ),
    corpus.WORD_COUNTS_STEP,
    corpus.VOCABULARY_STEP,
    VOCABULARY_STEP,
    corpus.ENCODED_STEP,
    Step(
        "encoded",
        ("corpus", "phrases", "vocabulary"),
        corpus.encoded_settings,
        make_kept_encoded,
        keeps,
        check=check_corpus,
        advice=few_words,
    ),
    corpus.BUCKET_COUNTS_STEP,
    Step("bucket_counts", ("encoded",), corpus.bucket_counts_settings, make_kept_bucket_counts, keeps),
)
