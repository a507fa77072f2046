"""Configurations from files, dictionaries and the command line. One error reports all problems of a configuration."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_origin

from w2vspark import storage
from w2vspark.base.errors import ConfigError
from w2vspark.base.redaction import REDACTED, is_secret, redacted_value
from w2vspark.config import ready_made
from w2vspark.config.config import Config
from w2vspark.config.keys import Key, Problem, Settings, keys_of
from w2vspark.config.values import converted, did_you_mean, flattened, parsed_override, toml_value


@dataclass(frozen=True, slots=True)
class Choice:
    """What a configuration is for, and which keys its file may hold."""

    name: str  # "glove", "the job fold"
    settings: tuple[type[Settings], ...]  # that it reads
    others: Mapping[str, tuple[type[Settings], ...]]  # that other methods read, by the method's name
    key: str = ""  # the key that chooses the name: "training.method"; "" = no key does

    @property
    def label(self) -> str:
        """What was chosen, for messages."""
        return f"{self.key} = {self.name}" if self.key else self.name

    def known(self, table: str) -> dict[str, Key]:
        """All keys that a table of the file may hold; none for an unknown table."""
        found: dict[str, Key] = {}
        for settings in (*self.settings, *(one for of_other in self.others.values() for one in of_other)):
            if settings.section == table:
                found = keys_of(settings) | found
        return found

    def tables(self) -> list[str]:
        """The names of all tables that the file may hold."""
        every = (*self.settings, *(one for of_other in self.others.values() for one in of_other))
        return list(dict.fromkeys(settings.section for settings in every))

    def users(self, table: str, name: str) -> list[str]:
        """The other methods that read a key."""
        return [
            method
            for method, of_method in self.others.items()
            if any(one.section == table and name in keys_of(one) for one in of_method)
        ]


def read_tree(path: str | None) -> dict[str, Any]:
    """Read a TOML file, or a ready-made configuration by its name; without a path the tree is empty.

    A file goes before a ready-made configuration of the same name. Raises ConfigError where there is neither, and where
    the file cannot be read.
    """
    if path is None:
        return {}
    if (found := ready_made.find(path)) is not None and not storage.is_file(path):
        return tomllib.loads(found.read_text("utf-8"))
    try:
        return tomllib.loads(storage.read_text(path))
    except FileNotFoundError as error:
        why = "there is no such configuration file, and no ready-made configuration of this name"
        raise ConfigError(f"{path}: {why}{did_you_mean(path, ready_made.names())}") from error
    except ValueError as error:  # TOML that does not parse, or bytes that are not UTF-8
        raise ConfigError(f"{path}: is not valid TOML ({error}); mend that line") from error


def put_overrides(tree: dict[str, Any], overrides: Sequence[str], choice: Choice) -> list[str]:
    """Put ``table.key=value`` texts into a tree, in place of its own values; return what is wrong with them.

    A value is parsed as TOML. Where that fails, or where the key holds text, the text itself is the value. Unknown keys
    are reported later, with those of the file.
    """
    return [problem for text in overrides if (problem := _override(tree, text, choice))]


def put(tree: dict[str, Any], key: str, value: Any) -> None:
    """Put a value into a tree. key: "training.dimensions", or an option such as "spark.options.spark.ui.enabled".

    Raises ConfigError for a key of another form, and for an option of a value that is not a table.
    """
    table, dot, name = key.partition(".")
    name, _, option = name.partition(".")
    if not (dot and table and name):
        raise ConfigError(f"{key}: must have the form table.key, as in training.dimensions")
    keys = tree.setdefault(table, {})
    if not isinstance(keys, dict):
        return
    if option and not isinstance(keys.get(name) or {}, dict):
        held = toml_value(redacted_value(keys[name]))
        raise ConfigError(f"{key}: {table}.{name} is already {held}, which is not a table of options")
    keys[name] = {**flattened(keys.get(name) or {}), option: value} if option else value


def build(tree: Mapping[str, Any], choice: Choice, problems: Sequence[str] = (), chosen: bool = True) -> Config:
    """The configuration that a tree holds; missing keys have their defaults.

    problems: problems found before, reported with the others. chosen: False where the choice stands in for an unknown
    one; then keys that it does not read are not reported. Raises ConfigError, which lists all problems, one a line.
    """
    found = list(problems)
    bad: set[str] = set()  # keys that have an error: no second one is reported
    values: dict[str, dict[str, Any]] = {table: {} for table in choice.tables()}
    for table, keys in tree.items():
        if table not in values:
            found.append(f"[{table}]: unknown table{did_you_mean(table, list(values))}")
        elif not isinstance(keys, Mapping):
            found.append(f"{table} = {toml_value(keys)}: must be a table, written [{table}] with its keys below")
        else:
            for name, value in keys.items():
                about = choice.known(table).get(name)
                if about is None:
                    found.append(_unknown_key(choice, table, name))
                    continue
                read, problem = converted(about.hint, value)
                if problem:
                    found.append(f"{table}.{name} = {toml_value(redacted_value(value))}: {problem}")
                    bad.add(f"{table}.{name}")
                else:
                    values[table][name] = read
    if choice.key:
        table, _, name = choice.key.partition(".")
        values[table][name] = choice.name
    ours = [_settings(one, values[one.section]) for one in choice.settings]
    config = Config({one.section: one for one in ours})
    rules = list(_broken_rules(values, choice))
    bad_or_broken = bad | {key for key, _, _ in rules}
    unused = [problem for problem in _unused(values, choice) if problem[0] not in bad_or_broken] if chosen else []
    together = [problem for problem in config.problems() if problem[0] not in bad]
    for key, value, text in (*rules, *together, *unused):
        found.append(f"{key} = {toml_value(redacted_value(value))}: {text}")
    if found:
        raise ConfigError("\n".join(found))
    return config


def _settings(kind: type[Settings], values: Mapping[str, Any]) -> Settings:
    return kind(**{name: values[name] for name in keys_of(kind) if name in values})


def _broken_rules(values: Mapping[str, Mapping[str, Any]], choice: Choice) -> Iterator[Problem]:
    for table, keys in values.items():
        known = choice.known(table)
        for name in known:  # in the order in which the classes define them
            if name in keys and keys[name] != "auto" and (rule := known[name].rule) is not None:
                holds, text = rule
                if not holds(keys[name]):
                    yield f"{table}.{name}", keys[name], f"{text}; {known[name].default} is usual"


def _unused(values: Mapping[str, Mapping[str, Any]], choice: Choice) -> Iterator[Problem]:
    """Keys that are set, but that the chosen method or job does not read."""
    read = {settings.section: keys_of(settings) for settings in choice.settings}
    for table, keys in values.items():
        known = choice.known(table)
        for name, value in keys.items():
            used = name in read.get(table, {}) or f"{table}.{name}" == choice.key
            if used or value == known[name].default:
                continue
            if table in read or not choice.key:
                homes = [other for other, own in read.items() if name in own and choice.key]
                instead = f"; {homes[0]}.{name} has" if homes else ""
                yield f"{table}.{name}", value, f"has no meaning for {choice.label}{instead}; remove it"
            else:
                users = listing(choice.users(table, name))
                yield f"{table}.{name}", value, f"is for {choice.key} = {users}, not {choice.name}; remove it"


def listing(names: Sequence[str]) -> str:
    """Names joined for a sentence: "a, b and c"."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _override(tree: dict[str, Any], text: str, choice: Choice) -> str:
    # Put the text of one --set into the tree; return what is wrong with it, or "".
    key, equals, raw = text.partition("=")
    table, dot, name = key.strip().partition(".")
    if not (equals and dot and table and name):
        shown = f"{key}={REDACTED}" if is_secret(key, text) else text
        return f"--set {shown}: must have the form table.key=value, as in training.dimensions=300"
    name, _, option = name.partition(".")
    keys = tree.setdefault(table, {})
    if not isinstance(keys, dict):
        return ""
    about = choice.known(table).get(name)
    wanted = about.hint if about is not None else None
    if option and get_origin(wanted) is dict:
        held = keys.get(name) or {}
        if isinstance(held, dict):  # if it is not, `build` reports it
            keys[name] = {**flattened(held), option: parsed_override(raw, str)}
    else:
        keys[f"{name}.{option}" if option else name] = parsed_override(raw, wanted)
    return ""


def _unknown_key(choice: Choice, table: str, name: str) -> str:
    homes = [other for other in choice.tables() if name in choice.known(other)]
    if homes:
        return f"{table}.{name}: unknown key; did you mean {homes[0]}.{name}?"
    return f"{table}.{name}: unknown key{did_you_mean(name, list(choice.known(table)), f'{table}.')}"
