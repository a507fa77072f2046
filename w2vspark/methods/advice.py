"""Advice to the user about settings that leave too little text to learn from, and about idle cores."""

import numpy as np

from w2vspark.base.wording import counted
from w2vspark.flow.run import Run
from w2vspark.spark.session import task_slots
from w2vspark.stages.vocabulary import VocabularyConfig, vocabulary_summary
from w2vspark.storage.listed import scan_listed
from w2vspark.training.word2vec.plan import SHARD_TOKENS

LEAST_SHARE = 0.5  # the vocabulary should cover this share of the corpus; it covers .9 and more of English text
LEAST_KEPT = 0.2  # subsampling should keep this share of the tokens; at 1e-4 it keeps .5 of English text
LEAST_WORDS = 3.0  # words of a document, on average: a window needs neighbours
# Epochs for a corpus (tests/bench/small_corpora.py). With 0.2 to 4 million words, vectors are best after some 20
# epochs; more epochs make them worse. Between 8 and 32 million words the number falls to the default.
FEW_TOKENS, MOST_EPOCHS, EPOCHS_TOKENS = 100_000, 20, 160_000_000
LONG_TRAINING = 200_000_000  # words of all epochs: half a minute of training


def few_words(run: Run) -> list[str]:
    """Advice if min_count and max_size leave out most of the corpus."""
    kept, tokens = run.records["vocabulary"]["tokens"], run.records["word_counts"]["tokens"]
    if kept >= LEAST_SHARE * tokens:
        return []
    config = run.config[VocabularyConfig]
    setting = f"vocabulary.min_count = {config.min_count}"
    setting += f" and vocabulary.max_size = {config.max_size}" if config.max_size else ""
    return [
        f"{setting}: only {counted(run.records['vocabulary']['words'], 'word')} and {kept / tokens:.0%} of the corpus "
        "are left; a lower vocabulary.min_count keeps more"
    ]


def short_documents(run: Run) -> list[str]:
    """Advice if documents have a word or two, so that windows find no neighbours."""
    counts = run.records["word_counts"]
    documents = counts["documents"] - sum(
        counts[name] for name in ("malformed_rows", "null_documents", "empty_documents")
    )
    mean = run.records["vocabulary"]["tokens"] / max(1, documents)
    if mean >= LEAST_WORDS:
        return []
    return [
        f"documents have {mean:.1f} words of the vocabulary on average, and a window ends with its document; check "
        "whether input.format and input.text_column give whole documents"
    ]


def little_text(run: Run, subsample: float, epochs: int) -> list[str]:
    """Advice if subsampling leaves out most of the text, or a small corpus has too few epochs, or too little text."""
    tokens, notes = run.records["vocabulary"]["tokens"], []
    kept = kept_share(run.uri("vocabulary"), subsample)
    if kept < LEAST_KEPT:
        notes.append(
            f"training.subsample = {subsample:g} leaves {kept:.0%} of the text in an epoch; a larger value "
            "keeps more, and 0 keeps all of it"
        )
    if few_words(run):  # which says why little is left
        return notes
    if tokens < FEW_TOKENS:
        notes.append(f"{counted(tokens, 'word')} of text are little: vectors need 100,000 words to mean something")
    elif 2 * epochs <= (wanted := suitable_epochs(tokens)):
        notes.append(
            f"{counted(tokens, 'word')} of text are little for {counted(epochs, 'epoch')}; "
            f"training.epochs={wanted} makes better vectors"
        )
    return notes


def suitable_epochs(tokens: int) -> int:
    """The number of epochs that suits a corpus with this number of tokens, for word2vec's methods."""
    return min(MOST_EPOCHS, round(EPOCHS_TOKENS / tokens))


def kept_share(vocabulary_uri: str, subsample: float) -> float:
    """The share of the tokens that subsampling keeps in an epoch, on average: as kernels.noise.keep_thresholds."""
    if subsample == 0:
        return 1.0
    kept, (_, tokens) = 0.0, vocabulary_summary(vocabulary_uri)
    for batch in scan_listed(vocabulary_uri, ["count"]):
        counts = batch.column("count").to_numpy().astype(np.float64)
        ratio = counts / (tokens * subsample)
        kept += float((counts * np.minimum(1.0, (np.sqrt(ratio) + 1.0) / ratio)).sum())
    return kept / tokens


def idle_cores(run: Run, trained: int, shards: int, lanes: int) -> list[str]:
    """Advice if a single shard leaves cores idle in a long training. trained: tokens of all epochs."""
    if trained < LONG_TRAINING or shards > 1:
        return []
    slots = task_slots(run.session())
    if slots is not None and slots <= lanes:
        return []
    return [
        f"1 task with {counted(lanes, 'thread')} trains, on any number of cores: "
        f"training.shards = auto makes one shard for each {SHARD_TOKENS / 1e6:,.0f} million words of all epochs, "
        "because one shard gives the best quality; training.shards=8 trains in 8 tasks"
    ]
