"""The text of JSON rows: a string, or the row is malformed.

Under a schema of strings, Spark turns a number, an array or an object into text, and nothing tells it from a string. As
a variant, a value keeps its type.
"""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as st

CORRUPT = "_corrupt_record"
# How rows are parsed, over the user's options. Jackson's own limit for a string is 20 million characters.
PARSING = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT, "maxStringLen": str(2**31 - 1)}
VARIANT_BYTES = 16 << 20  # the lowest limit of a variant in any Spark 4; others allow 128 MiB


def column(name: str) -> Column:
    """The column of just this name, whatever characters it has."""
    return F.col("`" + name.replace("`", "``") + "`")


def text_and_malformed(name: str, options: Mapping[str, str]) -> tuple[Column, Column]:
    """The text of a row (string; null where there is none) and whether the row is malformed (boolean).

    name: of the column with the text, a variant; CORRUPT, a string, stands beside it. options: the reader's. Text that
    is missing or null is null, and not malformed.
    """
    value, raw = column(name), column(CORRUPT)
    fits = F.coalesce(F.schema_of_variant(value).isin("STRING", "VOID"), F.lit(True))
    is_long = F.octet_length(raw) >= VARIANT_BYTES
    long_text = _long_text(raw, name, options)
    text = F.when(raw.isNull() & fits, value.cast("string")).when(is_long, long_text)
    malformed = F.when(raw.isNull(), ~fits).when(is_long, long_text.isNull()).otherwise(True)
    return text, malformed


def _long_text(raw: Column, name: str, options: Mapping[str, str]) -> Column:
    """The text of a row that may be too long for a variant; null where the row is malformed indeed."""

    def parsed(kind: st.DataType) -> Column:
        schema = st.StructType([st.StructField(name, kind), st.StructField(CORRUPT, st.StringType())])
        return F.from_json(raw, schema, {**options, **PARSING})

    # What cannot be read as an array or as an object either was a string: no number is as long.
    array, members = parsed(st.ArrayType(st.StringType())), parsed(st.MapType(st.StringType(), st.StringType()))
    text = parsed(st.StringType())
    is_string = array[CORRUPT].isNotNull() & members[CORRUPT].isNotNull() & text[CORRUPT].isNull()
    return F.when(F.is_valid_utf8(raw) & is_string, text[name])
