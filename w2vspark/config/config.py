"""The configuration: one frozen dataclass per stage, read from TOML, checked as a whole."""

import dataclasses
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_origin, get_type_hints

from w2vspark import storage
from w2vspark.base.errors import ConfigError
from w2vspark.base.redaction import REDACTED, is_secret, redacted_value
from w2vspark.config.checks import FOR_METHODS, OF_TRAINING, find_problems
from w2vspark.config.values import converted, did_you_mean, flattened, parsed_override, toml_value

Auto = Literal["auto"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConfig:
    """Where the corpus is and how to read it."""

    path: tuple[str, ...] = ()  # files, folders or globs
    format: str = "text"  # text (a document a line), wholetext (a document a file), json, parquet, or any Spark source
    table: str = ""  # a catalog table, instead of path
    text_column: str = ""  # "" = "value" for text and wholetext, "text" otherwise
    id_column: str = ""  # "" = documents are named by a hash of their content
    options: dict[str, str] = field(default_factory=dict)  # handed to Spark's reader as they are


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig:
    """Where the tables go."""

    path: str = ""
    keep_versions: int = 3  # published versions kept, the current one included
    single_writer: bool = False  # True: the user promises that no other run writes; for stores without conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensConfig:
    """How text becomes words."""

    tokenizer: Literal["pattern", "whitespace", "jieba"] = "pattern"
    normalize: Literal["NFKC", "NFC", "none"] = "NFKC"
    lowercase: bool = True
    pattern: str = ""  # "" = the built-in Unicode pattern: letters, marks and digits, apostrophes inside a word
    min_length: int = 1  # characters
    max_length: int = 100  # characters; longer tokens are dropped
    numbers: Literal["keep", "drop", "zero"] = "keep"  # zero: every digit of a number becomes 0
    sentences: Literal["document", "line", "punctuation"] = "document"  # what a window never crosses


@dataclass(frozen=True, slots=True, kw_only=True)
class PhrasesConfig:
    """Which pairs of words become one word: bank_of_america."""

    thresholds: tuple[float, ...] = ()  # one for each pass, mostly falling; () = no phrases
    scoring: Literal["word2phrase", "gensim", "npmi"] = "word2phrase"
    discount: float = 5.0  # taken from a pair's count; pairs that occur less often are none
    connector_words: tuple[str, ...] = ()  # may stand inside a phrase, and are no part of its counts: of, the


@dataclass(frozen=True, slots=True, kw_only=True)
class VocabularyConfig:
    """Which words get a vector."""

    min_count: int = 5
    max_size: int = 0  # 0 = no limit
    stop_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedConfig:
    """How documents are cut and spread."""

    piece_tokens: int = 1000  # a window never crosses a piece
    buckets: int | Auto = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmStartConfig:
    """An earlier model to begin from."""

    path: str = ""  # an output folder of w2vspark, or a file of vectors; "" = begin from random values
    format: Literal["auto", "w2vspark", "word2vec-text", "word2vec-binary", "glove-text"] = "auto"
    learning_rate: float | Auto = "auto"  # instead of training.learning_rate; auto is half of that
    keep_words: bool = True  # words of the earlier model stay, also those that this corpus does not have


@dataclass(frozen=True, slots=True, kw_only=True)
class SubwordsConfig:
    """Words as the mean of their own vector and those of their character n-grams, as fastText has them."""

    enabled: bool = False
    min_length: int = 3  # characters of an n-gram, with < before and > behind the word
    max_length: int = 6
    buckets: int = 2_000_000  # that n-grams are hashed into; only those in use take memory


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How vectors are learned."""

    # word2vec's model and its loss: negative sampling, hierarchical softmax, or the softmax itself. Or from counts:
    # GloVe, the SVD of pointwise mutual information, the SVD of words by documents.
    method: Literal[
        "skipgram-ns",
        "skipgram-hs",
        "skipgram-softmax",
        "cbow-ns",
        "cbow-hs",
        "cbow-softmax",
        "glove",
        "ppmi-svd",
        "lsa",
    ] = "skipgram-ns"
    dimensions: int = 100
    window: int = 5
    negatives: int | Auto = "auto"  # of the methods with -ns
    cbow_gradient: Literal["mean", "sum"] = "mean"  # mean: shared by the window's words; sum: word2vec.c's
    softmax_max_words: int = 10_000  # the largest vocabulary of the methods with -softmax
    optimizer: Literal["auto", "sgd", "adagrad"] = "auto"  # adagrad: each word its own rate, which falls as it learns
    adagrad_initial: float = 10.0  # a word's sum of squared gradients begins here; 4 times that, and its rate halves
    noise_exponent: float = 0.75
    rows: Literal["auto", "all", "slice"] = "auto"  # a worker holds all rows of the model, or those its slice needs
    negative_pool: int | Auto = "auto"  # words drawn for a slice, from which its negatives come; 0 = the vocabulary
    subsample: float = 1e-4  # 0 = keep every word
    epochs: int | Auto = "auto"  # passes over the text, or for glove over the counts
    learning_rate: float | Auto = "auto"
    learning_rate_floor: float = 1e-4  # the rate falls linearly to this share of learning_rate
    shards: int | Auto = "auto"
    lanes: int | Auto = "auto"
    rounds_per_epoch: float | Auto = "auto"  # 0.2 = a round of five epochs
    lane_merge_tokens: int | Auto = "auto"  # tokens that each lane trains between two merges in memory
    combine: Literal["adasum", "mean"] = "adasum"
    seed: int = 1
    cpu_target: str = "avx2"  # avx2 = the pinned level; host = this machine's, gives up identity; or an LLVM name

    @property
    def model(self) -> str:
        """skipgram or cbow; glove, ppmi or lsa."""
        return self.method.partition("-")[0]

    @property
    def family(self) -> str:
        """What trains the vectors: word2vec, glove or svd."""
        return {"glove": "glove", "ppmi": "svd", "lsa": "svd"}.get(self.model, "word2vec")

    @property
    def loss(self) -> str:
        """ns, hs or softmax."""
        return self.method.partition("-")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class CooccurrencesConfig:
    """How words that stand near each other are counted, for the methods that train on counts."""

    window: int = 10  # words on each side
    weighting: Literal["harmonic", "linear", "uniform"] = "harmonic"  # 1 / distance; falling evenly; 1
    direction: Literal["symmetric", "left", "right"] = "symmetric"  # which neighbours of the row's word count
    subsample: float = 0.0  # as training.subsample, before counting; 0 = count every word
    publish: bool = True  # the counts are a table of the published version


@dataclass(frozen=True, slots=True, kw_only=True)
class GloveConfig:
    """GloVe (Pennington et al. 2014)."""

    x_max: float | Auto = "auto"  # a pair that is counted more often weighs 1, a rarer one (count / x_max) ** alpha
    alpha: float = 0.75
    vectors: Literal["sum", "words", "both"] = "sum"  # of word and context vectors; the former; both, as columns


@dataclass(frozen=True, slots=True, kw_only=True)
class PpmiConfig:
    """Pointwise mutual information of words that stand near each other (Levy, Goldberg & Dagan 2015)."""

    smoothing: float = 0.75  # contexts count as often as their count to this power
    shift: float = 1.0  # log of it is subtracted: as many negatives as word2vec would draw
    positive: bool = True  # what is below 0 becomes 0
    add_context: bool = False  # vectors are the sum of word and context vectors


@dataclass(frozen=True, slots=True, kw_only=True)
class LsaConfig:
    """Latent semantic analysis: words by documents."""

    weighting: Literal["log-entropy", "tf-idf", "tf"] = "log-entropy"


@dataclass(frozen=True, slots=True, kw_only=True)
class SvdConfig:
    """The randomised SVD (Halko, Martinsson & Tropp 2011) of ppmi-svd and lsa."""

    exponent: float | Auto = "auto"  # vectors are U S ** exponent
    oversampling: int | Auto = "auto"  # columns of the random projection, over training.dimensions
    power_iterations: int | Auto = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkConfig:
    """The session of a local run; under spark-submit the cluster's settings stand."""

    master: str = "local[*]"
    driver_memory: str = "2g"
    options: dict[str, str] = field(default_factory=dict)  # further spark.* settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A whole run."""

    input: InputConfig = field(default_factory=InputConfig)
    output: OutputConfig = field(default_factory=OutputConfig)
    tokens: TokensConfig = field(default_factory=TokensConfig)
    phrases: PhrasesConfig = field(default_factory=PhrasesConfig)
    vocabulary: VocabularyConfig = field(default_factory=VocabularyConfig)
    encoded: EncodedConfig = field(default_factory=EncodedConfig)
    subwords: SubwordsConfig = field(default_factory=SubwordsConfig)
    warm_start: WarmStartConfig = field(default_factory=WarmStartConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    cooccurrences: CooccurrencesConfig = field(default_factory=CooccurrencesConfig)
    glove: GloveConfig = field(default_factory=GloveConfig)
    ppmi: PpmiConfig = field(default_factory=PpmiConfig)
    lsa: LsaConfig = field(default_factory=LsaConfig)
    svd: SvdConfig = field(default_factory=SvdConfig)
    spark: SparkConfig = field(default_factory=SparkConfig)


def load_config(path: str | None, overrides: Sequence[str]) -> Config:
    """The configuration of a TOML file (or of the defaults) with ``table.key=value`` texts on top.

    A value is read as TOML, and taken as it stands where that fails or where the key wants text. Raises ConfigError,
    which lists all problems, one a line.
    """
    tree: dict[str, Any] = _read_toml(path) if path is not None else {}
    problems = [problem for text in overrides if (problem := _override(tree, text))]
    return _build(tree, problems)


def from_dict(tree: dict[str, Any]) -> Config:
    """The configuration that to_dict made; what is missing has its default. Raises ConfigError as load_config does."""
    return _build(tree, [])


def to_dict(config: Config) -> dict[str, dict[str, Any]]:
    """Every key with its value, as JSON and TOML hold them (lists for tuples)."""
    tree = dataclasses.asdict(config)
    return {
        table: {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
        for table, keys in tree.items()
    }


def used_settings(config: Config) -> dict[str, dict[str, Any]]:
    """As to_dict, without the tables and keys that are for other methods than the configuration's."""
    tree, training = to_dict(config), config.training
    for table, methods in FOR_METHODS.items():
        if training.method not in methods:
            del tree[table]
    if training.family in OF_TRAINING:
        tree["training"] = {
            key: tree["training"][key] for key in tree["training"] if key in OF_TRAINING[training.family]
        }
        del tree["subwords"], tree["warm_start"]
    return tree


def to_toml(tree: dict[str, dict[str, Any]]) -> str:
    """What to_dict or used_settings made, as a file that load_config reads back to the same configuration."""
    tables = (
        f"[{table}]\n" + "".join(f"{key} = {toml_value(value)}\n" for key, value in keys.items())
        for table, keys in tree.items()
    )
    return "\n".join(tables)


def text_column(source: InputConfig) -> str:
    """The column with the documents' text: the one named, or the format's own."""
    return source.text_column or ("value" if source.format in ("text", "wholetext") and not source.table else "text")


def _read_toml(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(storage.read_text(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: there is no such configuration file; check its path") from error
    except ValueError as error:  # TOML that does not parse, or bytes that are not UTF-8
        raise ConfigError(f"{path}: is not valid TOML ({error}); mend that line") from error


def _override(tree: dict[str, Any], text: str) -> str:
    # Puts one --set into the tree; returns what is wrong with it, or "". Unknown keys are found later, with the file's.
    key, equals, raw = text.partition("=")
    table, dot, name = key.strip().partition(".")
    if not (equals and dot and table and name):
        shown = f"{key}={REDACTED}" if is_secret(key, text) else text
        return f"--set {shown}: must have the form table.key=value, as in training.dimensions=300"
    name, _, option = name.partition(".")
    keys = tree.setdefault(table, {})
    if not isinstance(keys, dict):
        return ""
    wanted = get_type_hints(_tables()[table]).get(name) if table in _tables() else None
    if option and get_origin(wanted) is dict:
        keys[name] = {**flattened(keys.get(name) or {}), option: parsed_override(raw, str)}
    else:
        keys[f"{name}.{option}" if option else name] = parsed_override(raw, wanted)
    return ""


def _build(tree: dict[str, Any], problems: list[str]) -> Config:
    tables: dict[str, Any] = {}
    bad: set[str] = set()  # keys whose default stands in for a value that cannot be: no second complaint about them
    for table, keys in tree.items():
        if table not in _tables():
            problems.append(f"[{table}]: unknown table{did_you_mean(table, list(_tables()))}")
        elif not isinstance(keys, dict):
            problems.append(f"{table} = {toml_value(keys)}: must be a table, written [{table}] with its keys below")
        else:
            values = {}
            for key, value in keys.items():
                hint = get_type_hints(_tables()[table]).get(key)
                problem = _unknown_key(table, key) if hint is None else ""
                if hint is not None:
                    values[key], problem = converted(hint, value)
                if problem:
                    shown = toml_value(redacted_value(value))
                    problems.append(problem if hint is None else f"{table}.{key} = {shown}: {problem}")
                    bad.add(f"{table}.{key}")
                    values.pop(key, None)
            tables[table] = _tables()[table](**values)
    config = Config(**tables)
    problems += [
        f"{key} = {toml_value(redacted_value(value))}: {text}"
        for key, value, text in find_problems(config)
        if key not in bad
    ]
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _tables() -> dict[str, Any]:
    return get_type_hints(Config)


def _unknown_key(table: str, key: str) -> str:
    homes = [name for name, cls in _tables().items() if key in get_type_hints(cls)]
    if homes:
        return f"{table}.{key}: unknown key; did you mean {homes[0]}.{key}?"
    known = list(get_type_hints(_tables()[table]))
    return f"{table}.{key}: unknown key{did_you_mean(key, known, f'{table}.')}"
