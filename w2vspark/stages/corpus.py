"""The corpus for the other stages: doc_id string (null = no id is given), text binary, malformed boolean."""

import hashlib
import logging
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote

from pyspark.sql import Column, DataFrame, DataFrameReader, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as st

from w2vspark.base.errors import InputError
from w2vspark.base.redaction import check_given
from w2vspark.spark.arrow import spark_uri
from w2vspark.stages.corpus_version import FRAME
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.stages.input_units import WHOLE_OPTIONS
from w2vspark.stages.json_text import CORRUPT, PARSING, column, text_and_malformed
from w2vspark.storage.uris import absolute_uri

log = logging.getLogger("w2vspark")

_TEXT_FORMATS = ("text", "wholetext")
SHOWN_CHARACTERS = 80  # of a malformed row, in a message
_PROBED_ROWS, _PROBED_BYTES = 1000, 1 << 20
_MD5_DIGITS = 15  # hexadecimal: 60 bits
# Spark's names for mistakes that the user can correct. Other errors are raised as they are.
_USER_ERRORS = ("PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND", "UNABLE_TO_INFER_SCHEMA", "DATA_SOURCE_NOT_FOUND")


def read_corpus(session: SparkSession, config: InputConfig, duplicate_ids: int | None = None) -> DataFrame:
    """The documents of the corpus, one per row.

    The text is binary, so that bytes that are not UTF-8 reach the tokenizer unchanged. A JSON row is ``malformed``, and
    has no text, if it cannot be parsed, or if its text is a number, true, false, an array or an object. An id that
    occurs more than once becomes ``id#`` and the first 12 hexadecimal digits of the text's MD5, so that different
    documents have different ids. duplicate_ids: from count_duplicate_ids; None = count them here, which reads the id
    column once.

    Raises InputError for a missing path, table or column, a column with a wrong type, a format that Spark does not
    know, and .zst text before Spark 4.3; ConfigError for an option whose value was redacted.
    """
    corpus = _load(session, config)
    if not config.id_column:
        return corpus
    if duplicate_ids is None:
        duplicate_ids = _count(_repeated_ids(corpus))
    if duplicate_ids == 0:
        return corpus
    log.warning("duplicate_ids=%d column=%s a hash of the text is added to them", duplicate_ids, config.id_column)
    return _apart_by_content(corpus)


def read_files(
    session: SparkSession, config: InputConfig, files: Sequence[str] | None = None, apart: bool = False
) -> tuple[DataFrame, dict[int, str]]:
    """The documents with numbers of their files: doc_id, text, malformed, file bigint; and each number's file.

    files: URIs of list_files, the files to read; None = all files of the corpus. apart: change ids that occur more than
    once, as read_corpus does. A file is named by its URI without scheme and host (`path_of`). Raises as read_corpus
    does.
    """
    with _input_errors(config):
        rows = _rows(session, config, files)
        names = rows.inputFiles()
    number, hashed = _numbering(names)
    corpus = rows.select(*_columns(config), number.alias("file"))
    if apart:
        corpus = _apart_by_content(corpus)
    return corpus, {hashed(name): path_of(unquote(name)) for name in names}


def path_of(uri: str) -> str:
    """A URI's path, without scheme and host: Spark and pyarrow may write these in two ways."""
    return re.sub(r"^[A-Za-z][A-Za-z0-9+.\-]*:(//[^/]*)?(?=/)", "", uri)


def _numbering(names: Sequence[str]) -> tuple[Column, Callable[[str], int]]:
    """A number for each file: the column that has it, and the function of a file's name that gives it."""
    name = F.input_file_name()  # as inputFiles has it
    # A checksum of the name costs little for every row. Where two names share theirs, a longer hash is needed.
    if len({_crc32(one) for one in names}) == len(set(names)):
        return F.crc32(name), _crc32
    return F.conv(F.substring(F.md5(name), 1, _MD5_DIGITS), 16, 10).cast("long"), _md5


def _crc32(name: str) -> int:
    return zlib.crc32(name.encode())


def _md5(name: str) -> int:
    return int(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()[:_MD5_DIGITS], 16)


def count_duplicate_ids(session: SparkSession, config: InputConfig) -> int:
    """The number of ids that occur more than once; 0 without an id column. Raises InputError as read_corpus does."""
    return _count(_repeated_ids(_load(session, config))) if config.id_column else 0


def check_malformed(session: Callable[[], SparkSession], config: InputConfig, malformed: int, rows: int) -> None:
    """Raise InputError, with the first malformed row, if the share of such rows is above input.max_malformed."""
    if malformed <= config.max_malformed * rows:
        return
    name = text_column(config)
    _, is_malformed = text_and_malformed(name, config.options)
    first = (
        _read(session(), config, [name])
        .where(is_malformed)
        .select(F.input_file_name().alias("file"), F.coalesce(CORRUPT, column(name).cast("string")).alias("row"))
        .first()
    )
    example = f"; the first is in {first['file']}: {str(first['row'])[:SHOWN_CHARACTERS]!r}" if first else ""
    raise InputError(
        f"{source_of(config)}: {malformed:,} of {rows:,} rows are malformed ({malformed / rows:.1%}), more than "
        f"input.max_malformed = {config.max_malformed:g} allows{example}; correct them, or raise input.max_malformed "
        "to leave them out"
    )


def _load(session: SparkSession, config: InputConfig) -> DataFrame:
    with _input_errors(config):
        rows = _rows(session, config)
    return rows.select(*_columns(config))


def _rows(session: SparkSession, config: InputConfig, files: Sequence[str] | None = None) -> DataFrame:
    """The rows of the source, once its columns are checked. files: as read_files has them."""
    check_given("input.options", config.options)
    name = text_column(config)
    wanted = [name, *([config.id_column] if config.id_column else [])]
    rows = _read(session, config, wanted, files)
    schema = rows.schema
    check_columns(config, wanted, [found for found in schema.names if found != CORRUPT])
    check_types(config, schema, name)
    return rows


def _columns(config: InputConfig) -> list[Column]:
    """doc_id, text and malformed, as columns of _rows."""
    text, malformed = column(text_column(config)), F.lit(False)
    if config.format == "json" and not config.table:
        text, malformed = text_and_malformed(text_column(config), config.options)
    # Arrow fails on an id that is not UTF-8. Ids that become equal here are duplicates like others.
    doc_id = F.make_valid_utf8(column(config.id_column).cast("string")) if config.id_column else F.lit(None)
    return [
        doc_id.cast("string").alias("doc_id"),
        text.cast("binary").alias("text"),
        malformed.alias("malformed"),
    ]


def _read(
    session: SparkSession, config: InputConfig, wanted: Sequence[str], files: Sequence[str] | None = None
) -> DataFrame:
    if config.table:
        return session.table(config.table)
    if not config.path:
        raise InputError("there is no input: set input.path to a file, folder or pattern, or input.table to a table")
    chosen = config.path if files is None else [re.sub(r"([*?\[\]{}\\])", r"\\\1", file) for file in files]
    paths = [spark_uri(absolute_uri(path)) for path in chosen]
    reader = session.read
    if config.format in (*_TEXT_FORMATS, "json"):
        reader = reader.option("recursiveFileLookup", True)  # all files below a folder, as in its fingerprint
    reader = reader.options(**config.options)
    if config.format in _TEXT_FORMATS:
        rows = reader.option("wholetext", config.format == "wholetext").format("text").load(paths)
    elif config.format == "json":
        rows = _read_json(session, config, reader, paths, wanted)
    else:
        rows = reader.format(config.format).load(paths)
    if config.format in (*_TEXT_FORMATS, "json"):
        _check_compression(session, config, rows)
    return rows


def _read_json(
    session: SparkSession, config: InputConfig, reader: DataFrameReader, paths: list[str], wanted: Sequence[str]
) -> DataFrame:
    """The rows of JSON files. The column with the text becomes a variant; see stages/json_text.py."""
    if WHOLE_OPTIONS & {name.lower() for name in config.options}:
        reader = reader.option("columnNameOfCorruptRecord", CORRUPT)
        kinds = {field.name: field.dataType for field in reader.format("json").load(paths).schema}
    else:
        _check_json(session, config, wanted)
        reader = reader.options(**PARSING)
        kinds = dict.fromkeys(wanted, st.StringType())
    if isinstance(kinds.get(wanted[0]), st.StringType):
        kinds[wanted[0]] = st.VariantType()
    fields = [st.StructField(name, kind) for name, kind in (kinds | {CORRUPT: st.StringType()}).items()]
    return reader.format("json").schema(st.StructType(fields)).load(paths)


def _check_compression(session: SparkSession, config: InputConfig, rows: DataFrame) -> None:
    version = tuple(int(part) for part in session.version.split(".")[:2])
    if version >= (4, 3):
        return
    unreadable = next((file for file in rows.inputFiles() if file.endswith((".zst", ".zstd"))), None)
    if unreadable:
        message = f"input.path: {unreadable} needs Spark 4.3 (this is {session.version}); compress it as .gz or .bz2"
        raise InputError(f"{message}, or install pyspark>=4.3")


def _check_json(session: SparkSession, config: InputConfig, wanted: Sequence[str]) -> None:
    """Look at the first rows, to report at once, not after hours, a column that is missing or has no text."""
    everywhere = session.read.option("recursiveFileLookup", True)
    paths = [spark_uri(absolute_uri(path)) for path in config.path]
    lines = everywhere.text(paths).where(F.octet_length("value") < _PROBED_BYTES).limit(_PROBED_ROWS)
    entries = lines.select(F.explode(F.from_json("value", "map<string, variant>")).alias("name", "entry"))
    kinds = entries.groupBy("name").agg(F.collect_set(F.schema_of_variant("entry")).alias("kinds"))
    found = {row["name"]: set(row["kinds"]) - {"VOID"} for row in kinds.collect()}
    if not found:  # no row could be parsed: they are counted as malformed, and the corpus is empty
        return
    check_columns(config, wanted, sorted(found))
    if found[wanted[0]] - {"STRING"}:
        _refuse_type(config, wanted[0], " or ".join(sorted(found[wanted[0]])).lower())


def check_columns(config: InputConfig, wanted: Sequence[str], names: Sequence[str]) -> None:
    """Raise InputError if a column is missing. wanted: the column of the text and, if there is one, of the id."""
    for key, name in zip(("text_column", "id_column"), wanted, strict=False):
        if name not in names:
            there = ", ".join(names) or "none"
            raise InputError(f"{source_of(config)} has no column {name!r} (input.{key}); its columns are {there}")


def check_types(config: InputConfig, schema: st.StructType, text: str) -> None:
    """Raise InputError if the text or the id has a type that cannot be read. text: the name of the text's column."""
    texts = st.VariantType if config.format == "json" and not config.table else st.StringType | st.BinaryType
    if not isinstance(schema[text].dataType, texts):
        _refuse_type(config, text, schema[text].dataType.simpleString())
    if config.id_column:
        kind = schema[config.id_column].dataType
        if isinstance(kind, st.ArrayType | st.MapType | st.StructType | st.VariantType):
            message = f"{source_of(config)}: column {config.id_column!r} (input.id_column) is {kind.simpleString()}"
            raise InputError(f"{message}; an id must be a string, a number or another plain value")


def _refuse_type(config: InputConfig, name: str, kind: str) -> None:
    raise InputError(
        f"{source_of(config)}: column {name!r} (input.text_column) is {kind}, not a string; name the column with the "
        "text"
    )


def _repeated_ids(corpus: DataFrame) -> DataFrame:
    counts = corpus.where(F.col("doc_id").isNotNull()).groupBy("doc_id").count()
    return counts.where(F.col("count") > 1).select("doc_id")


def _apart_by_content(corpus: DataFrame) -> DataFrame:
    digest = F.substring(F.md5(F.coalesce("text", F.lit("").cast("binary"))), 1, 12)
    marked = corpus.join(_repeated_ids(corpus).withColumn("repeated", F.lit(True)), "doc_id", "left")
    doc_id = F.when(F.col("repeated"), F.concat("doc_id", F.lit("#"), digest)).otherwise(F.col("doc_id"))
    return marked.select(doc_id.alias("doc_id"), *corpus.columns[1:])


def _count(df: DataFrame) -> int:
    return df.count()


def source_of(config: InputConfig) -> str:
    """The corpus as messages name it: the frame, the table, or the paths."""
    if config.table.startswith(FRAME):
        return "the frame"
    return f"input.table {config.table}" if config.table else f"input.path {', '.join(config.path)}"


@contextmanager
def _input_errors(config: InputConfig) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a class of Py4J or Spark, which depends on the version: the error's name decides
        if not any(f"[{name}" in str(error) for name in _USER_ERRORS):
            raise
        line = next(line for line in str(error).splitlines() if "[" in line)
        reason = line[line.index("[") :].partition(" SQLSTATE")[0]
        fix = "check input.path, input.table and input.format"
        raise InputError(f"{source_of(config)} cannot be read as {config.format}: {reason} ({fix})") from error
