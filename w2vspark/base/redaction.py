"""Find the secrets among the settings, and hide them."""

import re
from collections.abc import Mapping
from typing import Any

from w2vspark.base.errors import ConfigError

REDACTED = "(redacted)"
_WORDS = r"secret|password|passwd|token|credential|(access|account|api|storage)[._-]?key|passphrase"
_KEYS = r"(private|encryption)[._-]?key(?![a-z])"  # spark.io.encryption.keySizeBits is no secret
# Not part of a longer word: "sasl" and "bypass" occur in keys of Spark that hold no secret.
_ALONE = r"(?<![a-z])(sas|pwd|pass)(?![a-z])"
_SECRET_KEY = re.compile(rf"{_WORDS}|{_KEYS}|{_ALONE}", re.IGNORECASE)
# Secrets inside a value: -Dx.password=…, a URL with name:password@, a signed URL.
_SECRET_VALUE = re.compile(rf"({_WORDS})[\w.-]*\s*=|://[^/@\s]*:[^/@\s]+@|(?<![a-z])(sig(nature)?|pwd)=", re.IGNORECASE)


def is_secret(key: str, value: str = "") -> bool:
    """Whether an option of Spark is secret: its key says so, or its value contains a password."""
    return bool(_SECRET_KEY.search(key) or _SECRET_VALUE.search(value))


def redacted_value(value: Any, key: str = "") -> Any:
    """A setting's value with its secrets hidden. Only tables of options hold any: {"fs.s3a.secret.key": "…"}."""
    if isinstance(value, Mapping):
        return {name: redacted_value(inner, f"{key}.{name}") for name, inner in value.items()}
    return REDACTED if key and is_secret(key, str(value)) else value


def redacted(tree: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A configuration (from config.to_dict) with its secrets hidden, to be shown and stored."""
    return {table: {key: redacted_value(value) for key, value in keys.items()} for table, keys in tree.items()}


def check_given(table: str, options: Mapping[str, str]) -> None:
    """Raise ConfigError for options with the value REDACTED: they were copied from a configuration as it was shown."""
    lost = [key for key, value in options.items() if value == REDACTED]
    if lost:
        raise ConfigError(
            "\n".join(
                f"{table}.{key} = {REDACTED}: stands for a secret that is never shown; give it again, in the file or "
                f"as --set {table}.{key}=…"
                for key in lost
            )
        )
