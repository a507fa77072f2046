"""The methods make a model from a corpus. Each method or family is a module; METHODS has all methods."""

from collections.abc import Mapping, Sequence
from typing import Any

from w2vspark.config.config import Config
from w2vspark.config.load import Choice, build, put_overrides, read_tree
from w2vspark.config.values import closest, toml_value
from w2vspark.flow.work import Method
from w2vspark.methods.glove import GLOVE
from w2vspark.methods.lsa import LSA
from w2vspark.methods.ppmi_svd import PPMI_SVD
from w2vspark.methods.word2vec.family import WORD2VEC

METHODS: dict[str, Method] = {method.name: method for method in (*WORD2VEC, GLOVE, PPMI_SVD, LSA)}


def load_config(path: str | None, overrides: Sequence[str]) -> tuple[Method, Config]:
    """The method and its configuration: from a TOML file, or the defaults, changed by ``table.key=value`` texts.

    path: a file, or the name of a ready-made configuration. Raises ConfigError, which lists all problems, one a line.
    """
    tree = read_tree(path)
    problems = put_overrides(tree, overrides, choice_of(next(iter(METHODS))))
    return _chosen(tree, problems)


def from_dict(tree: Mapping[str, Any]) -> tuple[Method, Config]:
    """Like load_config, but from a dictionary of tables."""
    return _chosen(tree, [])


def choice_of(name: str) -> Choice:
    """The keys that a configuration of a method may hold: its own, and those of other methods at their defaults."""
    others = {other: method.settings for other, method in METHODS.items() if other != name}
    return Choice(name, METHODS[name].settings, others, key="training.method")


def _chosen(tree: Mapping[str, Any], problems: list[str]) -> tuple[Method, Config]:
    rest, name, chosen = dict(tree), next(iter(METHODS)), True
    if isinstance(training := tree.get("training"), Mapping) and "method" in training:
        rest["training"] = {key: value for key, value in training.items() if key != "method"}
        asked, known = training["method"], list(METHODS)
        if asked in known:
            name = asked
        else:
            hint, chosen = closest(str(asked), known), False
            problems.append(f"training.method = {toml_value(asked)}: must be one of {', '.join(known)}{hint}")
    return METHODS[name], build(rest, choice_of(name), problems, chosen)
