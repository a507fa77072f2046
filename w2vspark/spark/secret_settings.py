"""Give secret settings to the JVM of a local run in a private file, because everybody can read its command line."""

import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from w2vspark.base.redaction import is_secret

SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_FILE = "--properties-file"


def secret_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """The secret settings, except the JVM's own options, which Java takes only from the command line."""
    return {key: value for key, value in settings.items() if is_secret(key, value) and "JavaOptions" not in key}


@contextmanager
def secrets_file(secrets: Mapping[str, str]) -> Iterator[None]:
    """Give these settings to a JVM that pyspark starts within the block.

    They are in a file that only its owner can read, and that is deleted after the block. spark-defaults.conf, or the
    properties file that PYSPARK_SUBMIT_ARGS names, still applies.
    """
    if not secrets:
        yield
        return
    given = os.environ.get(SUBMIT_ARGUMENTS)
    arguments, named = _without_file(shlex.split(given or "pyspark-shell"))
    before = Path(named).read_text(encoding="utf-8") + "\n" if named else ""
    descriptor, name = tempfile.mkstemp(prefix="w2vspark-", suffix=".conf")  # mode 0600
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(before + "".join(f"{_escaped(key)}={_escaped(value)}\n" for key, value in secrets.items()))
        options = [_FILE, name] if named else [_FILE, name, "--load-spark-defaults"]
        os.environ[SUBMIT_ARGUMENTS] = shlex.join([*options, *arguments])
        yield
    finally:
        os.unlink(name)
        if given is None:
            os.environ.pop(SUBMIT_ARGUMENTS, None)
        else:
            os.environ[SUBMIT_ARGUMENTS] = given


def _without_file(arguments: list[str]) -> tuple[list[str], str]:
    """spark-submit's arguments without the properties file, and the name of that file ("" = none)."""
    if _FILE not in arguments[:-1]:
        return arguments, ""
    at = arguments.index(_FILE)
    return arguments[:at] + arguments[at + 2 :], arguments[at + 1]


def _escaped(text: str) -> str:
    """A key or value, escaped for a file of Java properties."""
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
    return "".join(named.get(char) or (f"\\{char}" if char in "\\ =:#!" else char) for char in text)
