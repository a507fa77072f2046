"""The errors of w2vspark. Each has the exit code that the command line returns for it."""

from typing import Any


class W2VSparkError(Exception):
    """The base class of all errors of this package: a problem that the user can correct.

    The text names the file, key or value, and the fix. `exit_code` is the exit code of the command line.
    """

    exit_code = 1


class ConfigError(W2VSparkError):
    """The command line or the configuration is wrong. The text lists all problems, one a line."""

    exit_code = 2


class InputError(W2VSparkError):
    """The corpus, a word list or a test set is missing, empty, or not as the configuration says."""

    exit_code = 3


class OutputError(W2VSparkError):
    """The output folder is in use by another run, holds files that w2vspark did not write, or has no model."""

    exit_code = 4


class DamagedTable(OutputError):
    """A file of a table is missing or changed. A run makes a damaged table in staging again."""


class EnvironmentFailure(W2VSparkError):
    """Java, Spark, the storage or a machine's CPU target is missing, is not suitable, or failed."""

    exit_code = 5


class TrainingError(W2VSparkError):
    """Training made values that are not finite, or a round's tables are not complete."""

    exit_code = 6


class GateFailed(W2VSparkError):
    """The corpus or the new version did not pass a check of the table [gate]. The current version is as it was."""

    exit_code = 7

    def __init__(self, text: str, facts: dict[str, Any] | None = None) -> None:
        # facts: output, version, folder, state and scores of the candidate; {} if the corpus did not pass.
        super().__init__(text)
        self.facts = facts or {}
