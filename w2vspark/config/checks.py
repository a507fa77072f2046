"""What the configuration's types cannot say: ranges, and which keys go together."""

import math
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from w2vspark import storage
from w2vspark.storage import globs

if TYPE_CHECKING:
    from w2vspark.config.config import Config

Problem = tuple[str, Any, str]  # the key, its value, what is wrong with it and the fix
Rule = tuple[Callable[[Any], bool], str]


def at_least(low: int) -> Rule:
    """The value has a lower bound only."""
    return lambda value: bool(value >= low), f"must be at least {low}"


def between(low: float, high: float) -> Rule:
    """The value has two bounds, both allowed."""
    return lambda value: bool(low <= value <= high), f"must be between {low} and {high}"


def _is_whole_or_a_part(value: float) -> bool:
    return value > 0 and math.isclose(number := max(value, 1 / value), round(number), rel_tol=1e-9)


RULES: dict[str, Rule] = {
    "input.format": (bool, 'must be named: "text", "json", "parquet" or another Spark source'),
    "output.keep_versions": at_least(1),
    "tokens.min_length": at_least(1),
    "tokens.max_length": at_least(1),
    "phrases.discount": at_least(0),
    "vocabulary.min_count": at_least(1),
    "vocabulary.max_size": at_least(0),
    "encoded.piece_tokens": between(10, 10_000),
    "encoded.buckets": between(1, 1_000_000),
    "warm_start.learning_rate": (lambda rate: rate > 0, "must be greater than 0"),
    "subwords.min_length": between(1, 100),
    "subwords.max_length": between(1, 100),
    "subwords.buckets": between(1, 2**31 - 1),
    "training.dimensions": between(1, 4096),
    "training.window": at_least(1),
    "training.negatives": between(0, 64),
    "training.negative_pool": at_least(0),
    "training.softmax_max_words": between(1, 1_000_000),
    "training.adagrad_initial": (lambda start: start > 0, "must be greater than 0"),
    "training.noise_exponent": between(-2, 2),
    "training.subsample": (lambda share: 0 <= share < 1, "must be at least 0 (keep every word) and less than 1"),
    "training.epochs": at_least(1),
    "training.learning_rate": (lambda rate: rate > 0, "must be greater than 0"),
    "training.learning_rate_floor": between(0, 1),
    "training.shards": at_least(1),
    "training.lanes": at_least(1),
    "training.rounds_per_epoch": (_is_whole_or_a_part, "must be a whole number, or 1/n for a round of n epochs (0.2)"),
    "training.lane_merge_tokens": at_least(1),
    "cooccurrences.window": between(1, 1000),
    "cooccurrences.subsample": (lambda share: 0 <= share < 1, "must be at least 0 (count every word) and less than 1"),
    "glove.x_max": (lambda count: count > 0, "must be greater than 0"),
    "glove.alpha": between(0, 2),
    "ppmi.smoothing": between(0, 1),
    "ppmi.shift": at_least(1),
    "svd.exponent": between(0, 2),
    "svd.oversampling": between(0, 10_000),
    "svd.power_iterations": between(0, 1000),
    "training.seed": between(0, 2**63 - 1),
    "training.cpu_target": (lambda name: bool(name.strip()), "must be named"),
    "spark.driver_memory": (
        lambda size: re.fullmatch(r"[1-9]\d*[kmgt]b?", size.lower()) is not None,
        "must be a size with its unit, as in 512m or 4g",
    ),
}


def find_problems(config: "Config") -> Iterator[Problem]:
    """All that is wrong with a configuration whose types are right."""
    out_of_range = set()
    for key, (holds, text) in RULES.items():
        table, name = key.split(".")
        value = getattr(getattr(config, table), name)
        if value != "auto" and not holds(value):
            default = getattr(type(getattr(config, table))(), name)
            out_of_range.add(key)
            yield key, value, f"{text}; {default} is usual"
    yield from _input_problems(config)
    yield from _output_problems(config)
    yield from _word_problems(config)
    yield from _word2vec_problems(config) if config.training.family == "word2vec" else _counted_problems(config)
    yield from (problem for problem in _unused_tables(config) if problem[0] not in out_of_range)
    for key in config.spark.options:
        if not key.startswith("spark."):
            yield "spark.options", {key: config.spark.options[key]}, f"must begin with spark., as in spark.{key}"


def _input_problems(config: "Config") -> Iterator[Problem]:
    source = config.input
    lines = source.format in ("text", "wholetext") and not source.table
    if not source.path and not source.table:
        yield "input.path", source.path, "must name the corpus (a file, folder or glob), unless input.table does"
    if source.path and source.table:
        yield "input.table", source.table, "cannot stand beside input.path; remove one of the two"
    if source.table and source.format != "text":
        yield "input.format", source.format, "has no meaning for input.table; remove it"
    if any(not path.strip() for path in source.path):
        yield "input.path", source.path, "holds an empty path; remove it"
    if lines and source.text_column not in ("", "value"):
        yield (
            "input.text_column",
            source.text_column,
            f'must be "" for the format {source.format}, which has one column',
        )
    if lines and source.id_column:
        text = f'must be "" for the format {source.format}, which has no such column; json and parquet may have one'
        yield "input.id_column", source.id_column, text
    if source.id_column and source.id_column == source.text_column:
        yield "input.id_column", source.id_column, "is input.text_column too; name the column with the documents' ids"


def _output_problems(config: "Config") -> Iterator[Problem]:
    path = config.output.path
    if not path.strip():
        yield "output.path", path, "must name the folder for the tables, as in --set output.path=/lake/vectors"
    elif globs.is_pattern(path):
        yield (
            "output.path",
            path,
            "cannot hold any of * ? [ ] { } \\, which Spark takes for a pattern; rename the folder",
        )
    else:
        inside = storage.absolute_uri(path).rstrip("/") + "/"
        for source in config.input.path:
            if not globs.is_pattern(source) and inside.startswith(storage.absolute_uri(source).rstrip("/") + "/"):
                text = f"lies in input.path {source}, so that the next run would read its own tables; move one of them"
                yield "output.path", path, text


def _word_problems(config: "Config") -> Iterator[Problem]:
    tokens, stop_words = config.tokens, config.vocabulary.stop_words
    if 0 < tokens.max_length < tokens.min_length:
        text = f"must not be less than tokens.min_length ({tokens.min_length}), or no word is left"
        yield "tokens.max_length", tokens.max_length, text
    if tokens.pattern and tokens.tokenizer != "pattern":
        text = (
            f'has no meaning for tokens.tokenizer = "{tokens.tokenizer}"; remove it, or set the tokenizer to "pattern"'
        )
        yield "tokens.pattern", tokens.pattern, text
    yield from _phrase_problems(config)
    try:
        re.compile(tokens.pattern)
    except re.error as error:
        yield "tokens.pattern", tokens.pattern, f"is not a regular expression ({error})"
    capitals = [word for word in stop_words if word != word.lower()]
    if tokens.lowercase and capitals:
        text = f"{', '.join(capitals)} can never be met while tokens.lowercase is true; write them in lower case"
        yield "vocabulary.stop_words", stop_words, text


def _phrase_problems(config: "Config") -> Iterator[Problem]:
    phrases = config.phrases
    low, high = (-1.0, 1.0) if phrases.scoring == "npmi" else (0.0, math.inf)
    for threshold in phrases.thresholds:
        if not low <= threshold < high:
            text = f"must lie from {low:g} to less than {high:g} for phrases.scoring = {phrases.scoring}; "
            yield "phrases.thresholds", phrases.thresholds, text + ("0.5 is usual" if high == 1 else "100 is usual")
            break
    odd = [word for word in phrases.connector_words if not word or word.split() != [word]]
    if odd:
        text = f"{', '.join(map(repr, odd))}: must be single words, without white space"
        yield "phrases.connector_words", phrases.connector_words, text
    capitals = [word for word in phrases.connector_words if word != word.lower()]
    if config.tokens.lowercase and capitals:
        text = f"{', '.join(capitals)} can never be met while tokens.lowercase is true; write them in lower case"
        yield "phrases.connector_words", phrases.connector_words, text


def _word2vec_problems(config: "Config") -> Iterator[Problem]:
    training, encoded = config.training, config.encoded
    if 0 < encoded.piece_tokens <= training.window:
        text = f"must be less than encoded.piece_tokens ({encoded.piece_tokens}), which no window crosses"
        yield "training.window", training.window, text
    shards = 1 if training.shards == "auto" else training.shards
    slices = shards * (1 if training.rounds_per_epoch == "auto" else max(1, round(training.rounds_per_epoch)))
    if encoded.buckets != "auto" and 0 < encoded.buckets < slices:
        text = f"must be at least shards x rounds_per_epoch ({slices}), or some of them train on nothing"
        yield "encoded.buckets", encoded.buckets, text
    if training.loss == "ns" and training.negatives == 0:
        yield "training.negatives", 0, f"must be at least 1 for training.method = {training.method}; 5 is usual"
    if training.loss != "ns" and training.negatives not in (0, "auto"):
        text = f'has no meaning for training.method = {training.method}; remove it, or choose "{training.model}-ns"'
        yield "training.negatives", training.negatives, text
    if training.rows == "slice" and (training.loss != "ns" or config.subwords.enabled):
        text = "is for methods with -ns and without subwords, whose slices need few rows; remove it"
        yield "training.rows", training.rows, text
    if training.loss != "ns" and training.negative_pool not in (0, "auto"):
        text = f"has no meaning for training.method = {training.method}, which draws no negatives; remove it"
        yield "training.negative_pool", training.negative_pool, text
    if training.rows == "slice" and training.negative_pool == 0:
        yield "training.negative_pool", 0, "must be at least 1 for training.rows = slice; auto is usual"
    if config.subwords.enabled and training.optimizer == "adagrad":
        text = "cannot be combined with subwords.enabled, which trains means of rows; choose one of them"
        yield "training.optimizer", training.optimizer, text
    if 100 >= config.subwords.min_length > config.subwords.max_length > 0:
        text = f"must not be greater than subwords.max_length ({config.subwords.max_length}); 3 and 6 are usual"
        yield "subwords.min_length", config.subwords.min_length, text
    if training.model != "cbow" and training.cbow_gradient != "mean":
        text = f'has no meaning for training.method = {training.method}; remove it, or choose "cbow-{training.loss}"'
        yield "training.cbow_gradient", training.cbow_gradient, text


# What the methods that train on counts take of [training], and the tables that are for some methods alone.
_ALWAYS = {"method", "dimensions", "seed", "cpu_target"}
OF_TRAINING = {"glove": _ALWAYS | {"epochs", "learning_rate", "shards", "lanes"}, "svd": _ALWAYS}
FOR_METHODS = {
    "cooccurrences": ("glove", "ppmi-svd"),
    "glove": ("glove",),
    "ppmi": ("ppmi-svd",),
    "lsa": ("lsa",),
    "svd": ("ppmi-svd", "lsa"),
}


def _counted_problems(config: "Config") -> Iterator[Problem]:
    training, method = config.training, config.training.method
    for key, value in _changed(training):
        if key not in OF_TRAINING[training.family]:
            instead = f"; cooccurrences.{key} has" if key in ("window", "subsample") and method != "lsa" else ""
            yield f"training.{key}", value, f"has no meaning for training.method = {method}{instead}; remove it"
    if method != "lsa" and 0 < config.encoded.piece_tokens <= config.cooccurrences.window:
        text = f"must be less than encoded.piece_tokens ({config.encoded.piece_tokens}), which no window crosses"
        yield "cooccurrences.window", config.cooccurrences.window, text
    if config.subwords.enabled:
        yield "subwords.enabled", True, f"has no meaning for training.method = {method}; remove it"
    if config.warm_start.path:
        text = f"has no meaning for training.method = {method}, which begins from counts; remove it"
        yield "warm_start.path", config.warm_start.path, text


def _unused_tables(config: "Config") -> Iterator[Problem]:
    for table, methods in FOR_METHODS.items():
        if config.training.method not in methods:
            for key, value in _changed(getattr(config, table)):
                text = f"is for training.method = {' and '.join(methods)}, not {config.training.method}; remove it"
                yield f"{table}.{key}", value, text


def _changed(settings: Any) -> Iterator[tuple[str, Any]]:
    """The keys whose values are not their defaults."""
    for name in settings.__slots__:
        value = getattr(settings, name)
        if value != getattr(type(settings)(), name):
            yield name, value
