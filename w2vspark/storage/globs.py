"""Hadoop's path patterns, as text: ``*`` ``?`` ``[a-c]`` ``[^a]`` ``{a,b}``, and a backslash before a literal."""

import re

from w2vspark.base.errors import InputError


def is_pattern(path: str) -> bool:
    """Whether Spark takes this path for a pattern, not for a name."""
    return re.search(r"[*?\[\]{}\\]", path) is not None


def expand_braces(pattern: str) -> list[str]:
    """``a/{b,c/d}`` -> ``a/b``, ``a/c/d``; braces may be nested. Raises InputError for a brace that is not closed."""
    start = _find(pattern, "{", 0)
    if start < 0:
        return [pattern]
    parts, depth, begin = [], 0, start + 1
    at = start
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            at += 1
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
        if (character == "," and depth == 1) or (character == "}" and depth == 0):
            parts.append(pattern[begin:at])
            begin = at + 1
        if depth == 0:
            tails = expand_braces(pattern[at + 1 :])
            return [
                pattern[:start] + middle + tail for part in parts for middle in expand_braces(part) for tail in tails
            ]
        at += 1
    raise InputError(
        f"{pattern}: the brace at character {start + 1} is not closed; write {{a,b}}, or \\{{ for a brace itself"
    )


def name_regex(part: str) -> re.Pattern[str]:
    """The regular expression of a pattern for one name: between two slashes, with its braces expanded.

    Raises InputError for a bracket that is not closed.
    """
    regex, at = "", 0
    while at < len(part):
        character = part[at]
        if character == "\\" and at + 1 < len(part):
            at += 1
            regex += re.escape(part[at])
        elif character == "*":
            regex += ".*"
        elif character == "?":
            regex += "."
        elif character == "[":
            end = _find(part, "]", at + 1)
            content = part[at + 1 : end]
            negated = content[:1] in ("^", "!")
            members = content[negated:]
            if end < 0 or not members:
                raise InputError(
                    f"{part}: the bracket at character {at + 1} is not closed; write [abc], or \\[ for a bracket itself"
                )
            regex += "[" + "^" * negated + re.sub(r"([\[^&~|])", r"\\\1", members) + "]"
            at = end
        else:
            regex += re.escape(character)
        at += 1
    try:
        return re.compile(regex, re.DOTALL)
    except re.error as error:
        raise InputError(f"{part}: is not a valid path pattern ({error})") from error


def literal(part: str) -> str:
    """A name without its escaping backslashes."""
    return re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL)


def has_wildcard(part: str) -> bool:
    """Whether a pattern for one name, with its braces expanded, can match several names."""
    return any(_find(part, character, 0) >= 0 for character in "*?[")


def _find(pattern: str, character: str, start: int) -> int:
    at = start
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == character:
            return at
        at += 1
    return -1
