"""How settings are stated: a table of the configuration is a class, and each of its keys says all about itself."""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_type_hints

if TYPE_CHECKING:
    from w2vspark.config.config import Config

Auto = Literal["auto"]
Problem = tuple[str, Any, str]  # the key, its value, what is wrong with it and the fix
Rule = tuple[Callable[[Any], bool], str]  # whether a value may be, and what it must be


class Settings:
    """A table of the configuration: subclasses are frozen dataclasses with slots, whose fields are made by `key`.

    Several classes may have one table, each with the keys of some methods: a run has just one of them.
    """

    __slots__ = ()
    section: ClassVar[str]  # the name of its table in the file, as in [training]
    of_result: ClassVar[bool] = True  # False: its keys never change what is in a table

    def problems(self, config: "Config") -> Iterator[Problem]:
        """Which values do not go together: what the rules of single keys cannot say. No part of any fingerprint."""
        return iter(())

    def libraries(self) -> frozenset[str]:
        """Packages that these settings choose, beside those that the code always uses."""
        return frozenset()


@dataclass(frozen=True, slots=True)
class Key:
    """All about a key."""

    name: str
    hint: Any  # its type
    default: Any
    rule: Rule | None
    why: str


def key(default: Any, *, why: str, rule: Rule | None = None) -> Any:
    """A field of a class of settings.

    why: what it is for, in a sentence or two; conf/word2vec.toml and the reference have it. rule: what values may be,
    beside its type. Neither is part of a fingerprint.
    """
    metadata = {"why": why, "rule": rule}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=dict, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def keys_of(settings: type[Settings]) -> dict[str, Key]:
    """The keys of a class of settings by their names, in their order."""
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
        )
        for field in dataclasses.fields(settings)  # type: ignore[arg-type]
    }


def at_least(low: int) -> Rule:
    """The value has a lower bound only."""
    return lambda value: bool(value >= low), f"must be at least {low}"


def between(low: float, high: float) -> Rule:
    """The value has two bounds, both allowed."""
    return lambda value: bool(low <= value <= high), f"must be between {low} and {high}"


ABOVE_ZERO: Rule = (lambda value: bool(value > 0), "must be greater than 0")
