"""Secrets among the settings: which they are, and how settings look without them."""

import re
from collections.abc import Mapping
from typing import Any

from w2vspark.base.errors import ConfigError

REDACTED = "(redacted)"
_WORDS = r"secret|password|passwd|token|credential|(access|account|api|storage)[._-]?key|passphrase"
_KEYS = r"(private|encryption)[._-]?key(?![a-z])"  # spark.io.encryption.keySizeBits is none
# These must stand alone: Spark's connector for Cassandra has "sas" in all of its keys.
_ALONE = r"(?<![a-z])(sas|pwd|pass)(?![a-z])"
_SECRET_KEY = re.compile(rf"{_WORDS}|{_KEYS}|{_ALONE}", re.IGNORECASE)
# In a value: -Dx.password=…, a URL with name:password@, a signed URL.
_SECRET_VALUE = re.compile(rf"({_WORDS})[\w.-]*\s*=|://[^/@\s]*:[^/@\s]+@|(?<![a-z])(sig(nature)?|pwd)=", re.IGNORECASE)


def is_secret(key: str, value: str = "") -> bool:
    """Whether an option of Spark's is a secret: by its key, or since its value holds a password among other things."""
    return bool(_SECRET_KEY.search(key) or _SECRET_VALUE.search(value))


def redacted_value(value: Any, key: str = "") -> Any:
    """A setting's value as it may be shown. Only tables of options can hold secrets: {"fs.s3a.secret.key": "…"}."""
    if isinstance(value, Mapping):
        return {name: redacted_value(inner, f"{key}.{name}") for name, inner in value.items()}
    return REDACTED if key and is_secret(key, str(value)) else value


def redacted(tree: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """A configuration, as config.to_dict makes it, as it may be shown and kept."""
    return {table: {key: redacted_value(value) for key, value in keys.items()} for table, keys in tree.items()}


def check_given(table: str, options: Mapping[str, str]) -> None:
    """Raises ConfigError for options whose values are those of redacted: a configuration that was shown, not given."""
    lost = [key for key, value in options.items() if value == REDACTED]
    if lost:
        raise ConfigError(
            "\n".join(
                f"{table}.{key} = {REDACTED}: stands for a secret that is never shown; give it again, in the file or "
                f"as --set {table}.{key}=…"
                for key in lost
            )
        )
