"""Use a frame as the corpus: during a run it is a view of the session, named after a hash of its rows."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as st

from w2vspark.base.errors import InputError
from w2vspark.stages.corpus import check_columns, check_types
from w2vspark.stages.corpus_version import FRAME
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.stages.json_text import column


@contextmanager
def frame_input(frame: Any, session: SparkSession, config: InputConfig) -> Iterator[InputConfig]:
    """Settings of the input that read a frame: a Spark frame of this session, or one that Spark can convert.

    The rows are read once, to hash them. The query is not enough: it hides the code of functions and the rows of frames
    in memory. Raises InputError if `frame` is not a frame, lacks a column, or has a column of a wrong type.
    """
    rows = _alive(frame) if hasattr(frame, "createOrReplaceTempView") else _made(session, frame)
    wanted = replace(config, table=FRAME)
    names = [text_column(wanted), *([config.id_column] if config.id_column else [])]
    check_columns(wanted, names, rows.columns)
    _check_once(names, rows.columns, session)
    rows = rows.select(*map(column, names))
    check_types(wanted, rows.schema, names[0])
    view = FRAME + _content(rows)
    with _shared_view(rows, session, view):
        yield replace(config, table=view)


@contextmanager
def _shared_view(rows: DataFrame, session: SparkSession, view: str) -> Iterator[None]:
    """Keep a view until the last run that reads it has ended: runs with equal rows share a view."""
    with _LOCK:
        rows.createOrReplaceTempView(view)
        _RUNS[view] += 1
        _SESSIONS.setdefault(view, []).append(session)
    try:
        yield
    finally:
        with _LOCK:
            _RUNS[view] -= 1
            if not _RUNS[view]:
                del _RUNS[view]
                for each in _SESSIONS.pop(view):
                    each.catalog.dropTempView(view)


_LOCK = threading.Lock()
_RUNS: Counter[str] = Counter()
_SESSIONS: dict[str, list[SparkSession]] = {}


def _check_once(names: Sequence[str], columns: Sequence[str], session: SparkSession) -> None:
    """Raise InputError if a name stands for several columns."""
    cased = session.conf.get("spark.sql.caseSensitive", "false") == "true"
    for name in names:
        same = [found for found in columns if found == name or (not cased and found.lower() == name.lower())]
        if len(same) > 1:
            raise InputError(f"the frame has {len(same)} columns named {name!r} ({', '.join(same)}); keep one of them")


def _alive(frame: Any) -> Any:
    """The same frame. Raises InputError if its session has ended."""
    try:
        frame.sparkSession.range(1).schema  # noqa: B018 - it asks the session
    except Exception as error:  # an AssertionError, or a class of Py4J or Spark Connect
        raise InputError(
            "the corpus is a frame of a Spark session that has ended; make it again in a new session, or give a path"
        ) from error
    return frame


def _made(session: SparkSession, frame: Any) -> DataFrame:
    if getattr(frame, "empty", False) is True:  # of pandas: without values, Spark cannot find the types
        fields = [st.StructField(str(name), st.StringType()) for name in frame.columns]
        return session.createDataFrame([], st.StructType(fields))
    try:
        return session.createDataFrame(frame)
    except Exception as error:  # Spark raises many kinds of errors here
        raise InputError(
            f"the corpus is a {type(frame).__name__}, which Spark cannot convert ({error}); give a path, or a frame "
            "of Spark, pandas or pyarrow"
        ) from error


def _content(rows: DataFrame) -> str:
    """A hash of the rows in any order. It is made from their number, and from two sums of the rows' hashes."""
    # A null does not change a row's hash. Without isNull, the rows ("a", null) and (null, "a") would be equal.
    own = [part for name in rows.columns for part in (column(name), column(name).isNull())]
    hashed = rows.select(F.xxhash64(*own).alias("one"), F.xxhash64(F.lit(1), *own).alias("two"))
    sums = [F.sum(F.col(name).cast("decimal(38,0)")) for name in hashed.columns]
    found = hashed.agg(F.count("*"), *sums).first()
    return hashlib.sha256(str(tuple(found or ())).encode()).hexdigest()[:16]
