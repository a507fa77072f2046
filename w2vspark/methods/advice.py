"""What a run tells about settings that leave too little to learn from, or cores without work."""

import numpy as np

from w2vspark.base.wording import counted
from w2vspark.flow.run import Run
from w2vspark.spark.session import is_local, task_slots
from w2vspark.stages.vocabulary import VocabularyConfig
from w2vspark.storage.listed import scan_listed

LEAST_SHARE = 0.5  # of the corpus, that the vocabulary should cover; English text has .9 and more
LEAST_KEPT = 0.2  # of the tokens, that subsampling should keep; English text at 1e-4 keeps .5
LEAST_WORDS = 3.0  # of a document, on average: a window needs neighbours
# Epochs that suit a corpus (tests/bench/small_corpora.py): the vectors of 0.2 to 4 million words are best with some 20,
# and more epochs make them worse. Between 8 and 32 million words the number falls to the default.
FEW_TOKENS, MOST_EPOCHS, EPOCHS_TOKENS = 100_000, 20, 160_000_000
LONG_TRAINING = 200_000_000  # words of all epochs: half a minute of training


def few_words(run: Run) -> list[str]:
    """min_count and max_size that leave out most of the corpus."""
    kept, tokens = run.records["vocabulary"]["tokens"], run.records["word_counts"]["tokens"]
    if kept >= LEAST_SHARE * tokens:
        return []
    config = run.config[VocabularyConfig]
    setting = f"vocabulary.min_count = {config.min_count}"
    setting += f" and vocabulary.max_size = {config.max_size}" if config.max_size else ""
    return [
        f"{setting} leave {counted(run.records['vocabulary']['words'], 'word')} and {kept / tokens:.0%} of the corpus; "
        "a lower vocabulary.min_count keeps more"
    ]


def short_documents(run: Run) -> list[str]:
    """Documents of a word or two, in which windows find no neighbours."""
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
    """Subsampling that leaves out most of the text, too few epochs for a small corpus, and too little text."""
    tokens, notes = run.records["vocabulary"]["tokens"], []
    kept = kept_tokens(run.uri("vocabulary"), tokens, subsample)
    if kept < LEAST_KEPT * tokens:
        notes.append(
            f"training.subsample = {subsample:g} leaves {kept / tokens:.0%} of the text in an epoch; a larger value "
            "keeps more, and 0 keeps all of it"
        )
    if tokens < FEW_TOKENS:
        notes.append(f"the text has {counted(tokens, 'word')}; vectors need some hundred thousand to mean something")
    elif 2 * epochs <= (wanted := suitable_epochs(tokens)):
        notes.append(
            f"the text has {counted(tokens, 'word')}, which is little for {counted(epochs, 'epoch')}; "
            f"training.epochs={wanted} makes better vectors"
        )
    return notes


def suitable_epochs(tokens: int) -> int:
    """How many epochs suit so many tokens, at least for word2vec's methods."""
    return min(MOST_EPOCHS, round(EPOCHS_TOKENS / tokens))


def kept_tokens(vocabulary_uri: str, tokens: int, subsample: float) -> float:
    """How many tokens subsampling keeps in an epoch, on average: as kernels.noise.keep_thresholds."""
    if subsample == 0:
        return float(tokens)
    kept = 0.0
    for batch in scan_listed(vocabulary_uri, ["count"]):
        counts = batch.column(0).to_numpy().astype(np.float64)
        ratio = counts / (tokens * subsample)
        kept += float((counts * np.minimum(1.0, (np.sqrt(ratio) + 1.0) / ratio)).sum())
    return kept


def idle_cores(run: Run, trained: int, shards: int, lanes: int, shard_tokens: int) -> list[str]:
    """How many tasks train, where there are more cores. trained: tokens of all epochs. A short training is let pass."""
    if trained < LONG_TRAINING:
        return []
    session = run.session()
    slots = task_slots(session) if is_local(session) else None
    if shards > 1 or (slots is not None and slots <= lanes):
        return []
    return [
        f"{counted(shards, 'task')} with {counted(lanes, 'thread')} trains, however many cores there are: "
        f"training.shards = auto takes one shard for each {shard_tokens / 1e6:,.0f} million words of all epochs, and "
        "one shard is best in quality; training.shards=8 trains in 8 tasks"
    ]
