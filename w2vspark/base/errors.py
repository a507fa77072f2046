"""What can go wrong, each with the exit code that the command line returns for it."""


class W2VSparkError(Exception):
    """A problem that the user can mend; its text names the file, key or value and the fix."""

    exit_code = 1


class ConfigError(W2VSparkError):
    """The command line or the configuration is wrong. All problems are listed, one a line."""

    exit_code = 2


class InputError(W2VSparkError):
    """The corpus, a word list or a test set is missing, empty or not what the configuration says."""

    exit_code = 3


class OutputError(W2VSparkError):
    """The output folder holds something else, is in use by another run, or has no published model."""

    exit_code = 4


class DamagedTable(OutputError):
    """A file of a table is missing or not what was written. A run makes a damaged table in staging anew."""


class EnvironmentFailure(W2VSparkError):
    """Java, Spark, the storage or the kernel target of a machine does not fit."""

    exit_code = 5


class TrainingError(W2VSparkError):
    """Training produced values that are not finite, or a round's tables do not add up."""

    exit_code = 6
