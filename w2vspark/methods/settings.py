"""Which keys of the configuration each table of the flow depends on, beside what it is made from: no more, no less.

What `auto` becomes follows from the corpus and from keys that stand here too.
"""

from typing import Any

from w2vspark.base.cpu_target import llvm_name
from w2vspark.config.config import Config

Settings = dict[str, Any]
NO_SETTINGS: Settings = {}


def of_phrases(config: Config) -> Settings:
    """How text becomes words, and which pairs are phrases."""
    return {"tokens": config.tokens, "phrases": config.phrases}


def of_word_counts(config: Config) -> Settings:
    """How text becomes words. Connector words matter with phrases alone, which are a table of their own."""
    return {"tokens": config.tokens}


def of_earlier(config: Config) -> Settings:
    """How the earlier model is read. Whether its n-grams carry over is part of the model's own fingerprint."""
    return {"format": config.warm_start.format}


def of_vocabulary(config: Config) -> Settings:
    """Which words stay."""
    kept = {"keep_words": config.warm_start.keep_words} if config.warm_start.path else {}
    return {"vocabulary": config.vocabulary} | kept


def of_encoded(config: Config) -> Settings:
    """How documents are cut and spread."""
    return {"encoded": config.encoded}


def of_bucket_counts(_: Config) -> Settings:
    """Nothing: the buckets are those of encoded."""
    return NO_SETTINGS


def of_ngram_buckets(config: Config) -> Settings:
    """How words are cut and hashed."""
    return {"subwords": config.subwords} | _target(config)


def of_initial(config: Config) -> Settings:
    """The matrices, and the values of rows that the earlier model has not."""
    training = config.training
    return _chosen(training, "dimensions", "seed") | {"loss": training.loss} | _optimizer(config) | _target(config)


def of_cooccurrences(config: Config) -> Settings:
    """How neighbours are counted. Only subsampling draws random numbers."""
    counts = config.cooccurrences
    seed = {"seed": config.training.seed} if counts.subsample else {}
    return _chosen(counts, "window", "weighting", "direction", "subsample") | seed | _target(config)


def of_word2vec_rounds(config: Config) -> Settings:
    """How word2vec's vectors are learned. softmax_max_words only refuses vocabularies; the size is theirs."""
    training = config.training
    names = ["method", "dimensions", "window", "subsample", "epochs", "learning_rate_floor", "shards", "lanes"]
    names += ["rounds_per_epoch", "lane_merge_tokens", "seed"]
    if training.model == "cbow":
        names.append("cbow_gradient")
    if training.loss == "ns":
        names += ["negatives", "noise_exponent", "negative_pool"]
        names += [] if config.subwords.enabled else ["rows"]  # words of several rows need all of them
    if not (training.shards == training.lanes == 1):  # several change the same rows
        names.append("combine")
    if _may_be_adagrad(config):
        names.append("adagrad_initial")
    warm = config.warm_start.learning_rate if config.warm_start.path else None
    rate = {"learning_rate": training.learning_rate} if warm in (None, "auto") else {}
    return _chosen(training, *names) | rate | {"warm_rate": warm} | _optimizer(config) | _target(config)


def of_strata(config: Config) -> Settings:
    """The grid."""
    return _chosen(config.training, "shards", "lanes") | _target(config)


def of_glove_rounds(config: Config) -> Settings:
    """How GloVe's vectors are learned."""
    names = ("dimensions", "epochs", "learning_rate", "shards", "lanes", "seed")
    return _chosen(config.training, *names) | _chosen(config.glove, "x_max", "alpha") | _target(config)


def of_ppmi(config: Config) -> Settings:
    """What is taken from the counts' logarithms."""
    return _chosen(config.ppmi, "smoothing", "shift", "positive") | _target(config)


def of_term_document(config: Config) -> Settings:
    """How counts are weighted."""
    return _chosen(config.lsa, "weighting") | _target(config)


def of_svd(config: Config) -> Settings:
    """The decomposition. Its values for `auto` are the method's."""
    return _chosen(config.training, "method", "dimensions", "seed") | {"svd": config.svd} | _target(config)


def of_vectors(config: Config) -> Settings:
    """What is published of what was trained."""
    method = config.training.method
    found: Settings = {}
    if method in ("glove", "ppmi-svd"):
        found["publish"] = config.cooccurrences.publish
    if method == "glove":
        found["vectors"] = config.glove.vectors
    if method == "ppmi-svd":
        found["add_context"] = config.ppmi.add_context
    return found


def _chosen(settings: Any, *names: str) -> Settings:
    return {name: getattr(settings, name) for name in names}


def _target(config: Config) -> Settings:
    """What kernels are compiled for; of names of the same target, one."""
    return {"cpu_target": llvm_name(config.training.cpu_target)}


def _optimizer(config: Config) -> Settings:
    """The optimizer, or where it is `auto` what it follows from (training.plan.resolve)."""
    training = config.training
    if training.optimizer != "auto":
        return {"optimizer": training.optimizer}
    if config.subwords.enabled:
        return {"optimizer": "sgd"}
    found: Settings = {"optimizer": "auto", "cbow_hs": training.method == "cbow-hs", "shards": training.shards}
    return found | ({"epochs": training.epochs} if training.shards == "auto" else {})


def _may_be_adagrad(config: Config) -> bool:
    """Whether AdaGrad is chosen, or may be when the corpus is counted."""
    training = config.training
    if training.optimizer != "auto":
        return training.optimizer == "adagrad"
    return not config.subwords.enabled and (training.shards != 1 or training.method == "cbow-hs")
