"""How settings are defined: a table of the configuration is a class, and each of its keys is a field made by `key`."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_type_hints

if TYPE_CHECKING:
    from w2vspark.config.config import Config

Auto = Literal["auto"]
Problem = tuple[str, Any, str]  # the key, its value, and a text: what is wrong with it and the fix
Rule = tuple[Callable[[Any], bool], str]  # whether a value is allowed, and a text that says which values are


class Settings:
    """A table of the configuration. Subclasses are frozen dataclasses with slots, and `key` makes their fields.

    Several classes may define one table, each with the keys of some methods. A run uses just one of them.
    """

    __slots__ = ()
    section: ClassVar[str]  # the name of its table in the file, as in [training]
    of_result: ClassVar[bool] = True  # False: its keys never change the content of a table

    def problems(self, config: "Config") -> Iterator[Problem]:
        """The values that do not go together, which a rule of one key cannot find. Not part of any fingerprint."""
        return iter(())

    def libraries(self) -> frozenset[str]:
        """Packages that the run needs because of these settings, besides those that the code always uses."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table, with its type, default, rule and purpose."""

    name: str
    hint: Any  # its type
    default: Any
    rule: Rule | None
    why: str
    of_result: bool  # False: the key never changes the content of a table


def key(default: Any, *, why: str, rule: Rule | None = None, of_result: bool = True) -> Any:
    """A field of a class of settings.

    why: the key's purpose in one or two sentences, for conf/word2vec.toml and the reference. rule: which values of its
    type are allowed. Neither is part of a fingerprint. of_result: False if the key never changes the content of a
    table; then its value is no part of one either.
    """
    metadata = {"why": why, "rule": rule, "of_result": of_result}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def keys_of(settings: type[Settings]) -> dict[str, Key]:
    """The keys of a class of settings by name, in the order of its fields."""
    return _keys_of(settings)  # type: ignore[arg-type]  # mypy takes Settings' __hash__ for its class's


@functools.cache
def _keys_of(settings: type[Settings]) -> dict[str, Key]:
    hints, default = get_type_hints(settings), settings()
    return {
        field.name: Key(
            field.name,
            hints[field.name],
            getattr(default, field.name),
            field.metadata["rule"],
            field.metadata["why"],
            field.metadata["of_result"],
        )
        for field in dataclasses.fields(settings)  # type: ignore[arg-type]
    }


def at_least(low: int) -> Rule:
    """The rule that a value is `low` or more."""
    return lambda value: bool(value >= low), f"must be at least {low}"


def between(low: float, high: float) -> Rule:
    """The rule that a value is between `low` and `high`, or one of them."""
    return lambda value: bool(low <= value <= high), f"must be between {low} and {high}"


ABOVE_ZERO: Rule = (lambda value: bool(value > 0), "must be greater than 0")
