"""Where the tables go: the table [output] of the configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, at_least, key
from w2vspark.storage import globs


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputConfig(Settings):
    """Where the tables go."""

    section = "output"
    of_result = False

    path: str = key("", why="The folder for the tables; one run at a time writes to it.")
    keep_versions: int = key(
        3, rule=at_least(1), why="Published versions to keep, the current one included. A rollback needs older ones."
    )
    single_writer: bool = key(
        False,
        why="true only if you make sure that one run writes at a time: for stores without conditional writes, as HDFS.",
    )

    def problems(self, config: Config) -> Iterator[Problem]:
        """No folder, or a name that Spark takes for a pattern."""
        if not self.path.strip():
            text = "must name the folder for the tables, as in --set output.path=/lake/vectors"
            yield "output.path", self.path, text
        elif globs.is_pattern(self.path):
            text = "cannot hold any of * ? [ ] { } \\, which Spark takes for a pattern; rename the folder"
            yield "output.path", self.path, text
