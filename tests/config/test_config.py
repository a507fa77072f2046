"""The configuration: files, --set, and every complaint at once."""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from w2vspark.base.errors import ConfigError
from w2vspark.cli.reference import PAGES, all_settings
from w2vspark.config.config import Config, to_dict, to_toml
from w2vspark.config.keys import keys_of
from w2vspark.methods import METHODS, choice_of
from w2vspark.methods import from_dict as method_and_config
from w2vspark.methods import load_config as load_method_and_config
from w2vspark.spark.session import SparkConfig
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.text.settings import TokensConfig
from w2vspark.training.settings import TrainingConfig
from w2vspark.training.word2vec.settings import Word2VecTraining

ROOT = Path(__file__).parents[2]
PATHS = ["input.path=/in", "output.path=/out"]


def load_config(path: str | None, overrides: list[str]) -> Config:
    return load_method_and_config(path, overrides)[1]


def from_dict(tree: dict[str, Any]) -> Config:
    return method_and_config(tree)[1]


def every_key() -> list[str]:
    """All keys of all methods, as "table.key"."""
    return list(dict.fromkeys(f"{one.section}.{name}" for one in all_settings() for name in keys_of(one)))


def complaints(*overrides: str, path: str | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value).splitlines()


def test_the_written_configuration_is_the_defaults_key_for_key() -> None:
    file = ROOT / "conf" / "word2vec.toml"
    tree = tomllib.loads(file.read_text())
    assert [f"{table}.{key}" for table, keys in tree.items() for key in keys] == every_key()
    for method in METHODS:
        chosen = [*PATHS, f"training.method={method}"]
        assert load_config(str(file), chosen) == load_config(None, chosen)


@pytest.mark.parametrize("name", PAGES)
def test_what_is_made_from_the_code_is_as_the_code_has_it(name: str) -> None:
    assert (ROOT / name).read_text() == PAGES[name](), "run: make reference"


def test_every_key_of_the_written_configuration_has_a_line_of_why() -> None:
    lines = (ROOT / "conf" / "word2vec.toml").read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    assert len(keys) == len(every_key())
    assert [lines[number] for number in keys if not lines[number - 1].startswith("# ")] == []


def test_set_goes_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[input]\npath = "/in"\n[output]\npath = "/out"\n[training]\ndimensions = 50\nwindow = 2\n')
    config = load_config(str(file), ["training.window=7", "training.learning_rate=1", "tokens.lowercase=false"])
    training = config[Word2VecTraining]
    assert (config[InputConfig].path, training.dimensions, training.window) == (("/in",), 50, 7)
    assert (training.learning_rate, config[TokensConfig].lowercase) == (1.0, False)
    assert isinstance(training.learning_rate, float)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("input.path=/a/{b,c}/*.gz", ("/a/{b,c}/*.gz",)),
        ('input.path=["/a b", "c=d"]', ("/a b", "c=d")),
        ("input.path='/a b'", ("/a b",)),
        ("input.path=2024", ("2024",)),
        ("tokens.pattern=[0]", "[0]"),
        ("tokens.pattern=\\w+=?", "\\w+=?"),
        ("tokens.pattern='a'\nb = 'c'", "'a'\nb = 'c'"),
        ('tokens.pattern="a\\tb"', "a\tb"),
        ("training.shards=auto", "auto"),
        ("training.shards=4", 4),
        ("training.subsample=1e-3", 1e-3),
        ("training.cpu_target=host", "host"),
        ("vocabulary.stop_words=the", ("the",)),
        ("input.options={lineSep='|', wholeFile=true}", {"lineSep": "|", "wholeFile": "true"}),
        ("spark.options.spark.executor.memory=4g", {"spark.executor.memory": "4g"}),
        ("spark.options.spark.sql.shuffle.partitions=64", {"spark.sql.shuffle.partitions": "64"}),
        ("spark.options={spark.sql.x=1, 'spark.y'='a b'}", {"spark.sql.x": "1", "spark.y": "a b"}),
    ],
)
def test_a_set_value_is_toml_or_else_plain_text(override: str, expected: Any) -> None:
    config = load_config(None, [*PATHS, override])
    table, _, rest = override.partition("=")[0].partition(".")
    assert getattr(config.tables[table], rest.split(".")[0]) == expected


def test_set_adds_single_options_to_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("[spark.options]\nspark.a = 1\n'spark.b' = 'two'\n")
    config = load_config(str(file), [*PATHS, "spark.options.spark.b=2", "spark.options.spark.c=x=y"])
    assert config[SparkConfig].options == {"spark.a": "1", "spark.b": "2", "spark.c": "x=y"}


def test_what_is_written_is_read_back_the_same(tmp_path: Path) -> None:
    odd = ["spark.options.spark.x='a \"b\" \\c'", "tokens.pattern='[\\w\\-\"]+'", "training.subsample=1e-05"]
    config = load_config(None, [*PATHS, *odd, 'vocabulary.stop_words=["é", "\\u007f\\n", "ok"]', "training.shards=3"])
    file = tmp_path / "a.toml"
    file.write_text(to_toml(to_dict(config)), encoding="utf-8")
    assert load_config(str(file), []) == config
    assert from_dict(to_dict(config)) == config
    assert from_dict({"input": {"table": "t"}, "output": {"path": "/o"}})[InputConfig].table == "t"


VIOLATIONS = {
    "input.format": ["", 3],
    "input.path": [[""], 5, [1]],
    "input.table": ["t", 1],
    "input.text_column": ["body", 1],
    "input.id_column": ["id", False],
    "input.max_malformed": [-0.1, 1.1, "many"],
    "input.options": ["x", 1],
    "output.path": ["", "/in/below", "/out*", 1],
    "output.keep_versions": [0, 1.5],
    "output.single_writer": [1, "yes"],
    "tokens.tokenizer": ["spacy"],
    "tokens.normalize": ["nfkc"],
    "tokens.lowercase": [1, "yes"],
    "tokens.pattern": ["(", 1],
    "tokens.min_length": [0],
    "tokens.max_length": [0, True],
    "tokens.numbers": ["none"],
    "tokens.sentences": ["paragraph"],
    "phrases.thresholds": [-1, [10, -0.5], "high", ["high"], True],
    "phrases.scoring": ["pmi"],
    "phrases.discount": [-1, "few"],
    "phrases.connector_words": [["of the"], [""], ["Of"], [1]],
    "vocabulary.min_count": [0, "5"],
    "vocabulary.max_size": [-1],
    "vocabulary.stop_words": [["The"], [1]],
    "vocabulary.keep": ["old", True],
    "encoded.piece_tokens": [9, 10_001],
    "encoded.buckets": [0, "many"],
    "warm_start.path": [1],
    "warm_start.format": ["fasttext"],
    "warm_start.learning_rate": [0, "slow"],
    "warm_start.keep_words": [1],
    "subwords.enabled": [1, "yes"],
    "subwords.min_length": [0, 101],
    "subwords.max_length": [0, 101],
    "subwords.buckets": [0, 2**31],
    "training.method": ["cbow2", "cbow", "skipgram-", "lsi"],
    "training.dimensions": [0, 4097, 1.0],
    "training.cbow_gradient": ["total"],
    "training.softmax_max_words": [0],
    "training.rows": ["some"],
    "training.negative_pool": [-1, "large"],
    "training.optimizer": ["adam"],
    "training.adagrad_initial": [0, -1],
    "training.window": [0, 1000],
    "training.negatives": [0, 65, -1, "few"],
    "training.noise_exponent": [3, float("nan"), "x"],
    "training.subsample": [1, -0.1],
    "training.epochs": [0],
    "training.learning_rate": [0, "fast", float("inf"), True],
    "training.learning_rate_floor": [-1e-9, 1.1],
    "training.shards": [0, "all"],
    "training.lanes": [0],
    "training.rounds_per_epoch": [0],
    "training.lane_merge_tokens": [0],
    "training.combine": ["sum"],
    "training.seed": [-1, 2**63],
    "training.cpu_target": ["", " "],
    # Each has a meaning for some methods alone, and the method here is the default, skipgram-ns.
    "cooccurrences.window": [0, 1001, 7],
    "cooccurrences.weighting": ["quadratic", "linear"],
    "cooccurrences.direction": ["both", "left"],
    "cooccurrences.subsample": [1, -0.1, 1e-3],
    "cooccurrences.publish": ["yes", False],
    "glove.x_max": [0, "many", 10],
    "glove.alpha": [-1, 1.0],
    "glove.vectors": ["context", "both"],
    "ppmi.smoothing": [-0.1, 1.1, 1.0],
    "ppmi.shift": [0, 5],
    "ppmi.positive": [1, False],
    "ppmi.add_context": ["no", True],
    "lsa.weighting": ["bm25", "tf-idf"],
    "svd.exponent": [-1, "half", 1.0],
    "svd.oversampling": [-1, 100],
    "svd.power_iterations": [-1, 10],
    "gate.pairs": [[1], ""],
    "gate.analogies": [[1], ""],
    "gate.floors": [{"none": 0.5}, 1, {"none": "high"}],
    "gate.max_fall": [-0.1, 2.5],
    "gate.min_coverage": [-0.1, 1.1],
    "gate.frequent_words": [99, 300_001],
    "gate.max_drift": [-0.1, 1.1],
    "gate.min_words": [-1],
    "gate.max_zero_rows": [-0.1, 1.1],
    "gate.max_norm_ratio": [-1],
    "gate.min_documents": [-1],
    "gate.min_tokens": [-1],
    "gate.max_without_words": [-0.1, 1.1],
    "gate.max_unknown_rise": [-0.1, 1.1],
    "report.page": ["yes"],
    "report.map": [1],
    "spark.master": [1],
    "spark.driver_memory": ["2", "lots"],
    "spark.options": [{"executor.memory": "1g"}, 1],
}


def base() -> dict[str, Any]:
    return {"input": {"path": "/in"}, "output": {"path": "/out"}}


def keys_in(error: ConfigError) -> list[str]:
    return [line.split(" ")[0].rstrip(":") for line in str(error).splitlines()]


def test_the_violations_below_cover_every_key() -> None:
    assert set(VIOLATIONS) == set(every_key())


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VIOLATIONS.items() for value in values])
def test_one_bad_value_is_one_line_that_begins_with_its_key(key: str, value: Any) -> None:
    tree = base()
    table, name = key.split(".")
    tree.setdefault(table, {})[name] = value
    with pytest.raises(ConfigError) as caught:
        from_dict(tree)
    assert keys_in(caught.value) == [key]


def test_every_rule_violated_at_once_yields_all_lines() -> None:
    tree: dict[str, Any] = {}
    for key, values in VIOLATIONS.items():
        if key != "input.table":  # wrong only beside a path that is right
            tree.setdefault(key.split(".")[0], {})[key.split(".")[1]] = values[0]
    tree["input"]["format"] = 3  # "" would allow the columns
    tree |= {"trainig": {"window": 5}, "quiet": True}
    tree["training"] |= {"windw": 5, "min_count": 5, "zzz": 1}
    with pytest.raises(ConfigError) as caught:
        from_dict(tree)
    lines = str(caught.value).splitlines()
    named = [key for key in keys_in(caught.value) if key in VIOLATIONS]
    assert sorted(named) == sorted(set(VIOLATIONS) - {"input.table"}), "each key once"
    assert "[trainig]: unknown table; did you mean training?" in lines
    assert any(line.startswith("[quiet]: unknown table; known are input, output") for line in lines)
    assert "training.windw: unknown key; did you mean training.window?" in lines
    assert "training.min_count: unknown key; did you mean vocabulary.min_count?" in lines
    assert any(line.startswith("training.zzz: unknown key; known are method, dimensions") for line in lines)


def test_a_complaint_names_the_value_and_the_fix() -> None:
    assert complaints(*PATHS, "training.window=0") == ["training.window = 0: must be at least 1; 5 is usual"]
    assert complaints(*PATHS, "training.dimensions=9999") == [
        "training.dimensions = 9999: must be between 1 and 4096; 100 is usual"
    ]
    assert complaints(*PATHS, "training.shards=al") == ['training.shards = "al": must be a whole number or "auto"']
    assert complaints(*PATHS, "training.combine=adsum") == [
        'training.combine = "adsum": must be one of adasum, mean; did you mean adasum?'
    ]


@pytest.mark.parametrize(
    ("overrides", "key", "text"),
    [
        (["output.path=/o"], "input.path", "must name the corpus"),
        (["input.path=/i"], "output.path", "must name the folder"),
        ([*PATHS, "input.table=t"], "input.table", "together with input.path"),
        (["input.table=t", "output.path=/o", "input.format=json"], "input.format", "no meaning for input.table"),
        ([*PATHS, "input.format=wholetext", "input.text_column=text"], "input.text_column", "has one column"),
        ([*PATHS, "input.format=json", "input.text_column=a", "input.id_column=a"], "input.id_column", "too"),
        ([*PATHS, "tokens.tokenizer=jieba", "tokens.pattern=a"], "tokens.pattern", 'tokenizer = "jieba"'),
        ([*PATHS, "tokens.min_length=9", "tokens.max_length=8"], "tokens.max_length", "tokens.min_length (9)"),
        ([*PATHS, "training.window=50", "encoded.piece_tokens=50"], "training.window", "encoded.piece_tokens (50)"),
        ([*PATHS, "training.shards=8", "training.rounds_per_epoch=10", "encoded.buckets=79"], "encoded.buckets", "80"),
        ([*PATHS, "subwords.min_length=5", "subwords.max_length=4"], "subwords.min_length", "subwords.max_length (4)"),
        ([*PATHS, "training.method=skipgram-hs", "training.negatives=5"], "training.negatives", '"skipgram-ns"'),
        ([*PATHS, "training.method=cbow-softmax", "training.negatives=1"], "training.negatives", '"cbow-ns"'),
        (
            [*PATHS, "training.negatives=0"],
            "training.negatives",
            "must be at least 1 for training.method = skipgram-ns",
        ),
        ([*PATHS, "training.method=cbow-hs", "training.rows=slice"], "training.rows", "methods with -ns"),
        ([*PATHS, "subwords.enabled=true", "training.rows=slice"], "training.rows", "without subwords"),
        ([*PATHS, "training.method=cbow-hs", "training.negative_pool=9"], "training.negative_pool", "no negatives"),
        ([*PATHS, "training.rows=slice", "training.negative_pool=0"], "training.negative_pool", "at least 1"),
        ([*PATHS, "training.cbow_gradient=sum"], "training.cbow_gradient", '"cbow-ns"'),
        ([*PATHS, "subwords.enabled=true", "training.optimizer=adagrad"], "training.optimizer", "subwords.enabled"),
        (
            [*PATHS, "phrases.scoring=npmi", "phrases.thresholds=[0.5, 1]"],
            "phrases.thresholds",
            "from -1 to less than 1",
        ),
        (["input.path=/x", "output.path=/x/"], "output.path", "lies in input.path /x"),
        (["input.path=s3a://b/x", "output.path=s3a://b/x/y"], "output.path", "lies in input.path"),
    ],
)
def test_keys_that_cannot_go_together_are_one_complaint(overrides: list[str], key: str, text: str) -> None:
    lines = complaints(*overrides)
    assert len(lines) == 1
    assert lines[0].startswith(f"{key} = ")
    assert text in lines[0]


@pytest.mark.parametrize(
    "overrides",
    [
        ["input.table=db.t", "input.text_column=body", "input.id_column=id", "output.path=s3a://b/out"],
        ["input.path=/x/*", "output.path=/x/y"],
        ["input.path=/x", "output.path=/xy"],
        [*PATHS, "input.format=parquet", "input.text_column=body", "input.id_column=id"],
        [*PATHS, "input.text_column=value"],
        [*PATHS, "training.shards=8", "training.rounds_per_epoch=10", "encoded.buckets=80"],
        [*PATHS, "phrases.thresholds=100"],
        [*PATHS, "phrases.thresholds=[100.5, 50]", 'phrases.connector_words=["of", "the"]'],
        [*PATHS, "phrases.thresholds=[-0.5]", "phrases.scoring=npmi"],
        [*PATHS, "subwords.enabled=true", "subwords.min_length=1", "subwords.max_length=1"],
        [*PATHS, "tokens.lowercase=false", "vocabulary.stop_words=The", "training.subsample=0"],
    ],
)
def test_combinations_that_are_possible_pass(overrides: list[str]) -> None:
    assert load_config(None, overrides)[TrainingConfig].method == "skipgram-ns"


@pytest.mark.parametrize("text", ["training.window", "window=5", "=5", ".x=5", "training.=5", ""])
def test_a_set_text_without_table_key_and_value_is_shown(text: str) -> None:
    assert complaints(*PATHS, text) == [
        f"--set {text}: must have the form table.key=value, as in training.dimensions=300"
    ]


def test_unknown_keys_on_the_command_line_are_complaints_too() -> None:
    lines = complaints(*PATHS, "trainng.window=5", "training.window.left=5", "traning=5")
    assert lines[1].startswith("[trainng]: unknown table; did you mean training?")
    assert lines[2].startswith("training.window.left: unknown key; did you mean training.window?")
    assert lines[0].startswith("--set traning=5: must have the form")


def test_a_file_that_is_missing_or_not_toml_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    assert "there is no such configuration file" in complaints(path=str(file))[0]
    file.write_text("[training\nwindow = 5")
    assert re.search(r"a\.toml: is not valid TOML \(.*line 1", complaints(path=str(file))[0])
    file.write_bytes(b"x = '\xff'")
    assert "a.toml: is not valid TOML" in complaints(path=str(file))[0]
    file.write_text("training = 5\n")
    assert complaints(*PATHS, "training.window=3", path=str(file)) == [
        "training = 5: must be a table, written [training] with its keys below"
    ]


def test_the_text_column_has_the_formats_own_name_unless_it_is_given() -> None:
    assert text_column(InputConfig()) == text_column(InputConfig(format="wholetext")) == "value"
    assert text_column(InputConfig(format="json")) == text_column(InputConfig(table="t")) == "text"
    assert text_column(InputConfig(format="json", text_column="body")) == "body"


@pytest.mark.parametrize("method", METHODS)
def test_every_field_has_a_type_that_the_reader_knows(method: str) -> None:
    chosen = base() | {"training": {"method": method}}
    found = to_dict(from_dict(chosen))
    for settings in choice_of(method).settings:
        assert dataclasses.is_dataclass(settings)
    assert to_dict(from_dict(found)) == found


@pytest.mark.parametrize("method", ["skipgram-ns", "glove", "ppmi-svd", "lsa"])
def test_the_settings_that_a_method_uses_are_a_configuration_without_those_of_others(method: str) -> None:
    config = load_config(None, [*PATHS, f"training.method={method}"])
    used = to_dict(config)
    assert from_dict(used) == config
    assert ("window" in used["training"], "warm_start" in used) == (method == "skipgram-ns",) * 2
    tables = {"glove": {"cooccurrences", "glove"}, "ppmi-svd": {"cooccurrences", "ppmi", "svd"}, "lsa": {"lsa", "svd"}}
    assert used.keys() & {"cooccurrences", "glove", "ppmi", "svd", "lsa"} == tables.get(method, set())


@pytest.mark.parametrize(
    ("settings", "key", "fix"),
    [
        (["training.method=glove", "training.window=8"], "training.window", "cooccurrences.window has; remove it"),
        (["training.method=lsa", "training.subsample=1e-3"], "training.subsample", "no meaning"),
        (["training.method=ppmi-svd", "training.epochs=3"], "training.epochs", "no meaning"),
        (["training.method=glove", "subwords.enabled=true"], "subwords.enabled", "cbow-softmax, not glove; remove it"),
        (["training.method=lsa", "warm_start.path=/x"], "warm_start.path", "cbow-softmax, not lsa; remove it"),
        (
            ["training.method=lsa", "cooccurrences.window=3"],
            "cooccurrences.window",
            "is for training.method = glove and",
        ),
        (["training.method=ppmi-svd", "glove.x_max=3"], "glove.x_max", "is for training.method = glove"),
        (["training.method=glove", "encoded.piece_tokens=10"], "cooccurrences.window", "which no window crosses"),
    ],
)
def test_settings_that_a_counted_method_does_not_take_are_named_with_the_fix(settings, key, fix) -> None:
    (line,) = complaints(*PATHS, *settings)
    assert line.startswith(f"{key} = ") and fix in line
