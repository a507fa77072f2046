"""The configuration of one run: the settings of each table that its method or job reads."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from w2vspark.config.keys import Problem, Settings, keys_of
from w2vspark.config.values import toml_value

S = TypeVar("S", bound=Settings)
Tree = dict[str, dict[str, Any]]  # tables of keys and values, as JSON and TOML hold them


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of a run, looked up by class: config[TokensConfig].lowercase."""

    tables: Mapping[str, Settings]  # by the names of the tables

    def __getitem__(self, kind: type[S]) -> S:
        """The settings of a class. Raises KeyError when the run's method or job does not read them."""
        found = self.tables[kind.section]
        if not isinstance(found, kind):
            raise KeyError(f"{kind.__name__}: this run has {type(found).__name__} for [{kind.section}]")
        return found

    def __contains__(self, kind: type[Settings]) -> bool:
        """Whether the run's method or job reads the settings of a class."""
        return isinstance(self.tables.get(kind.section), kind)

    def replaced(self, *settings: Settings) -> "Config":
        """A copy with other settings for some of its tables."""
        return Config({**self.tables, **{one.section: one for one in settings}})

    def problems(self) -> Iterator[Problem]:
        """The values that do not go together."""
        for settings in self.tables.values():
            yield from settings.problems(self)


def make_config(*settings: Settings) -> Config:
    """A configuration with these settings, which are not checked."""
    return Config({one.section: one for one in settings})


def to_dict(config: Config) -> Tree:
    """Every key that the run reads, with its value in a type of JSON and TOML (a list for a tuple)."""
    return {table: as_tree(settings) for table, settings in config.tables.items()}


def as_tree(settings: Settings) -> dict[str, Any]:
    """The keys of one table with their values, in types of JSON and TOML."""
    values = dataclasses.asdict(settings)  # type: ignore[call-overload]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def deciding(settings: Settings) -> dict[str, Any]:
    """The keys of one table that can change the content of a result, with their values as as_tree has them."""
    known = keys_of(type(settings))
    return {name: value for name, value in as_tree(settings).items() if known[name].of_result}


def to_toml(tree: Tree, comment: Callable[[str, str], str] = lambda table, key: "") -> str:
    """The result of to_dict as TOML text, which reads back as the same configuration.

    comment: the comment behind the value of a key, as "  # auto".
    """
    tables = (
        f"[{table}]\n" + "".join(f"{key} = {toml_value(value)}{comment(table, key)}\n" for key, value in keys.items())
        for table, keys in tree.items()
    )
    return "\n".join(tables)
