"""The steps of a run that begins from an earlier model."""

from dataclasses import replace
from typing import Any

from w2vspark import storage
from w2vspark.base.schemas import EARLIER, VOCABULARY
from w2vspark.config.config import Config
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen, Step
from w2vspark.methods import corpus
from w2vspark.methods.corpus import chosen, target_settings
from w2vspark.methods.word2vec.asked import is_warm, optimizer_settings, resolved_training, shapes_of, subword_tables
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.spark.listed_files import write_listed, write_table
from w2vspark.stages.vocabulary import CURRENT, VocabularyConfig, corpus_tokens, vocabulary, vocabulary_summary
from w2vspark.training.word2vec.earlier import (
    carries_subwords,
    check_dimensions,
    earlier,
    earlier_vocabulary,
    find_earlier,
    identity,
    reading,
)
from w2vspark.training.word2vec.settings import SubwordsConfig, WarmStartConfig, Word2VecTraining
from w2vspark.training.word2vec.warm_start import Start, initial_parameters


def sources(run: Run) -> dict[str, str]:
    """Fingerprints of the corpus and of the earlier model, if there is one. The run uses the model as it is now."""
    found, warm_start = corpus.sources(run), run.config[WarmStartConfig]
    if warm_start.path:
        model = run.found["earlier"] = run.parent or find_earlier(warm_start, run.output)
        if isinstance(model, Version):
            run.parent = model
        with_subwords = carries_subwords(model, run.config[SubwordsConfig])
        found["earlier model"] = fingerprint(model=identity(model), with_subwords=with_subwords)
    return found


def begun(config: Config, output: str) -> Config:
    """The configuration of a run on an output folder: without a current version, there is none to begin from."""
    if config[WarmStartConfig].path == CURRENT and publish.find_version(output) is None:
        return config.replaced(replace(config[WarmStartConfig], path=""))
    return config


def earlier_settings(config: Config) -> Chosen:
    """Settings: how the earlier model is read. Whether subwords carry over is part of the model's own fingerprint."""
    return {"format": config[WarmStartConfig].format}


def make_earlier(run: Run) -> dict[str, Any]:
    """Copy the earlier model and its vocabulary, because the model may change or be deleted during the run."""
    model, config = run.found["earlier"], run.config[WarmStartConfig]
    rows, words = (storage.join(run.uri("earlier"), name) for name in ("rows", "vocabulary"))
    with_subwords = carries_subwords(model, run.config[SubwordsConfig])
    with reading(model):
        write_table(earlier(run.session(), model, config.format, with_subwords), rows, EARLIER)
        size = write_table(earlier_vocabulary(run.session(), model, rows), words, VOCABULARY)
    return {"words": size, "with_subwords": with_subwords, "is_run": isinstance(model, Version)}


def warm_vocabulary_settings(config: Config) -> Chosen:
    """Settings: which words are in the vocabulary, and whether the earlier model's words stay."""
    return corpus.vocabulary_settings(config) | {"keep_words": config[WarmStartConfig].keep_words}


def make_warm_vocabulary(run: Run) -> dict[str, Any]:
    """Choose words of the corpus and of the earlier model, and number them by the sums of their counts."""
    config, counts_uri, uri = run.config[VocabularyConfig], run.uri("word_counts"), run.uri("vocabulary")
    before, keep = storage.join(run.uri("earlier"), "vocabulary"), run.config[WarmStartConfig].keep_words
    write_table(vocabulary(run.session(), counts_uri, config, before, keep), uri, VOCABULARY)
    tokens = corpus_tokens(run.session(), counts_uri, uri)
    corpus.check_tokens(tokens, config)
    return {"words": vocabulary_summary(uri)[0], "tokens": tokens}


def initial_settings(config: Config) -> Chosen:
    """Settings: the matrices, and the initial values of rows that the earlier model does not have."""
    training = config[Word2VecTraining]
    own = chosen(training, "dimensions", "seed") | {"loss": training.loss}
    return own | optimizer_settings(config) | target_settings(config)


def make_initial(run: Run) -> dict[str, Any]:
    """Make the parameters before the first round, from the earlier model."""
    training = resolved_training(run)
    check_dimensions(storage.join(run.uri("earlier"), "rows"), run.config[WarmStartConfig], training.dimensions)
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


def is_warm_and_fresh(config: Config) -> bool:
    """Whether the words are those of this corpus and of the earlier model."""
    return is_warm(config) and corpus.is_fresh(config)


EARLIER_STEP = Step("earlier", ("earlier model",), earlier_settings, make_earlier, is_warm)
WARM_VOCABULARY_STEP = Step(
    "vocabulary",
    ("word_counts", "earlier"),
    warm_vocabulary_settings,
    make_warm_vocabulary,
    is_warm_and_fresh,
    check=corpus.check_counted,
)
INITIAL_STEP = Step("initial", ("vocabulary", "subword_buckets", "earlier"), initial_settings, make_initial, is_warm)
