"""Where the corpus is and how to read it: the table [input] of the configuration."""

from collections.abc import Iterator
from dataclasses import dataclass

from w2vspark import storage
from w2vspark.config.config import Config
from w2vspark.config.keys import Problem, Settings, between, key
from w2vspark.output.settings import OutputConfig
from w2vspark.storage import globs


@dataclass(frozen=True, slots=True, kw_only=True)
class InputConfig(Settings):
    """Where the corpus is and how to read it."""

    section = "input"

    path: tuple[str, ...] = key(
        (), why='Files, folders or globs, one or a list: --set input.path=\'["/lake/a/*.gz", "/lake/b"]\'.'
    )
    format: str = key(
        "text",
        rule=(bool, 'must be "text", "wholetext", "json", "parquet" or another source that Spark knows'),
        why="text: each line is a document; wholetext: each file is a document; json (lines), parquet, or any other "
        "source that Spark knows.",
    )
    table: str = key("", why="A catalog table, instead of path.")
    text_column: str = key(
        "", why='The column with the text; "" means "value" for the formats text and wholetext, else "text".'
    )
    id_column: str = key("", why='The column with the documents\' ids; "" makes each id from a hash of the content.')
    max_malformed: float = key(
        0.01,
        rule=between(0, 1),
        of_result=False,
        why="The share of rows that may be malformed JSON. With more, the run stops; 1 accepts any share. Malformed "
        "rows are left out.",
    )
    options: dict[str, str] = key({}, why='Options for Spark\'s reader, as in { encoding = "latin1" }.')

    def problems(self, config: Config) -> Iterator[Problem]:
        """No corpus or two, columns that the format does not have, and an output folder inside the input."""
        lines = self.format in ("text", "wholetext") and not self.table
        if not self.path and not self.table:
            text = "must name the corpus (a file, folder or glob), unless input.table does"
            yield "input.path", self.path, text
        if self.path and self.table:
            yield "input.table", self.table, "cannot be set together with input.path; remove one of the two"
        if self.table and self.format != "text":
            yield "input.format", self.format, "has no meaning for input.table; remove it"
        if any(not path.strip() for path in self.path):
            yield "input.path", self.path, "holds an empty path; remove it"
        if lines and self.text_column not in ("", "value"):
            yield (
                "input.text_column",
                self.text_column,
                f'must be "" for the format {self.format}, which has one column',
            )
        if lines and self.id_column:
            text = f'must be "" for the format {self.format}, which has no such column; json and parquet may have one'
            yield "input.id_column", self.id_column, text
        if self.id_column and self.id_column == self.text_column:
            yield "input.id_column", self.id_column, "is input.text_column too; name the column with the documents' ids"
        yield from _overlaps(self.path, config[OutputConfig].path)


def _overlaps(paths: tuple[str, ...], output: str) -> Iterator[Problem]:
    """An output folder inside the input."""
    if not output.strip() or globs.is_pattern(output):
        return
    inside = storage.absolute_uri(output).rstrip("/") + "/"
    for source in paths:
        if not globs.is_pattern(source) and inside.startswith(storage.absolute_uri(source).rstrip("/") + "/"):
            text = f"lies in input.path {source}, so the next run would read its own tables; move one of them"
            yield "output.path", output, text


def text_column(source: InputConfig) -> str:
    """The name of the column with the text: input.text_column, or the format's default."""
    return source.text_column or ("value" if source.format in ("text", "wholetext") and not source.table else "text")
