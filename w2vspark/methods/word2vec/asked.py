"""Facts about a configuration or a run that word2vec's steps and tables ask for."""

from w2vspark.config.config import Config
from w2vspark.flow.run import Run
from w2vspark.flow.work import Chosen
from w2vspark.methods.corpus import words_count
from w2vspark.training.plan import MatrixShape
from w2vspark.training.word2vec.plan import matrix_shapes, resolve
from w2vspark.training.word2vec.settings import SubwordsConfig, WarmStartConfig, Word2VecTraining
from w2vspark.training.word2vec.subwords import SubwordTables


def is_warm(config: Config) -> bool:
    """Whether the run begins from an earlier model."""
    return bool(config[WarmStartConfig].path)


def is_cold(config: Config) -> bool:
    """Whether the run begins from random values."""
    return not is_warm(config)


def has_subwords(config: Config) -> bool:
    """Whether a word's vector is the mean of several rows."""
    return config[SubwordsConfig].enabled


def may_be_adagrad(config: Config) -> bool:
    """Whether the optimizer is AdaGrad, or may become AdaGrad when the corpus is counted."""
    training = config[Word2VecTraining]
    if training.optimizer != "auto":
        return training.optimizer == "adagrad"
    return not has_subwords(config) and (training.shards != 1 or training.method == "cbow-hs")


def resolved_training(run: Run) -> Word2VecTraining:
    """The settings of the training, without `auto`."""
    counted, config = run.records["vocabulary"], run.config
    warm_start, with_subwords = config[WarmStartConfig], has_subwords(config)
    return resolve(config[Word2VecTraining], counted["tokens"], counted["words"], warm_start, with_subwords)


def trained(run: Run) -> Word2VecTraining:
    """The settings with which the rounds were trained."""
    return Word2VecTraining(**run.records["rounds"]["training"])


def shapes_of(run: Run, training: Word2VecTraining) -> tuple[MatrixShape, ...]:
    """The shapes of the matrices. training: without `auto`."""
    tables = subword_tables(run)
    return matrix_shapes(training, words_count(run), tables.ngrams if tables else 0)


def subword_tables(run: Run) -> SubwordTables | None:
    """The tables that tell workers the rows of each word; None if each word has one row."""
    return tables_of_subwords(run) if has_subwords(run.config) else None


def tables_of_subwords(run: Run) -> SubwordTables:
    """The tables that tell workers the rows of each word, for a run with subwords."""
    return SubwordTables(
        config=run.config[SubwordsConfig],
        vocabulary_uri=run.uri("vocabulary"),
        subword_buckets_uri=run.uri("subword_buckets"),
        ngrams=run.records["subword_buckets"]["subwords"],
        cpu_target=run.config[Word2VecTraining].cpu_target,
    )


def optimizer_settings(config: Config) -> Chosen:
    """Settings: the optimizer, or for `auto` the settings that decide it (training.word2vec.plan.resolve)."""
    training = config[Word2VecTraining]
    if training.optimizer != "auto":
        return {"optimizer": training.optimizer}
    if has_subwords(config):
        return {"optimizer": "sgd"}
    found: Chosen = {"optimizer": "auto", "cbow_hs": training.method == "cbow-hs", "shards": training.shards}
    return found | ({"epochs": training.epochs} if training.shards == "auto" else {})
