"""Values of the configuration: from TOML or the command line to a field's type, and back to TOML."""

import difflib
import json
import math
import tomllib
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin


def toml_value(value: Any) -> str:
    """A value as TOML text, on one line."""
    if isinstance(value, bool | str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml_value(key)} = {toml_value(inner)}" for key, inner in value.items()) + "}"
    return str(value)


def parsed_override(raw: str, wanted: Any) -> Any:
    """The value of a --set text for a field of type ``wanted``.

    The text is parsed as TOML. If that fails, or if the field holds text and the result is not text, the text itself is
    the value.
    """
    try:
        parsed = tomllib.loads(f"value = {raw}")
    except tomllib.TOMLDecodeError:
        return raw
    value = parsed["value"]
    is_list = get_origin(wanted) is tuple
    as_text = wanted is str or get_origin(wanted) is Literal or (is_list and get_args(wanted)[0] is str)
    unfit = as_text and not isinstance(value, str) and not (is_list and isinstance(value, list))
    return raw if unfit or len(parsed) > 1 else value  # a folder named 2024 is text, not a number


def converted(hint: Any, value: Any) -> tuple[Any, str]:
    """A value converted to a field's type, and what is wrong with it ("" = nothing)."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):  # a number or "auto"
        if value == "auto":
            return value, ""
        value, problem = converted(arguments[0], value)
        return value, problem and problem + ' or "auto"'
    if origin is Literal:
        fits = isinstance(value, str) and value in arguments
        return (
            value,
            "" if fits else f"must be one of {', '.join(arguments)}{closest(str(value), list(arguments))}",
        )
    if origin is tuple:
        found = [converted(arguments[0], one) for one in (value if isinstance(value, list | tuple) else [value])]
        fits = not any(problem for _, problem in found)
        kind = "text" if arguments[0] is str else "number"
        return tuple(one for one, _ in found) if fits else (), "" if fits else f"must be a {kind} or a list of {kind}s"
    if origin is dict:
        return _converted_table(arguments[1], value)
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond 1e308
            number = math.inf
        return number, "" if math.isfinite(number) else "must be a finite number"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text in quotes"}
    fits = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    return value, "" if fits else f"must be {names[hint]}"


def _converted_table(hint: Any, value: Any) -> tuple[dict[str, Any], str]:
    if not isinstance(value, dict):
        example = '{ "key" = "value" }' if hint is str else '{ "key" = 0.5 }'
        return {}, f"must be a table, as in {example}"
    texts = flattened(value)
    if hint is str:
        return dict(texts), ""
    numbers = {}
    for name, text in texts.items():
        try:
            numbers[name] = float(text)
        except ValueError:
            return {}, f"{name} must be a number"
        if not math.isfinite(numbers[name]):
            return {}, f"{name} must be a finite number"
    return numbers, ""


def flattened(options: dict[str, Any]) -> dict[str, str]:
    """Spark's options as flat keys with text values. TOML reads spark.sql.x = 5, without quotes, as nested tables."""
    flat: dict[str, str] = {}
    for key, value in options.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": text for inner, text in flattened(value).items()}
        else:
            flat[key] = value if isinstance(value, str) else toml_value(value)
    return flat


def did_you_mean(word: str, known: list[str], before: str = "") -> str:
    """The end of a message about an unknown word: the closest known word, or all known words."""
    return closest(word, known, before) or f"; known are {', '.join(known)}"


def closest(word: str, known: list[str], before: str = "") -> str:
    """The end of a message about an unknown word: the closest known word; "" where none is close."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean {before}{close[0]}?" if close else ""
