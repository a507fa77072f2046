"""The text of JSON rows. If it is not a string, the row is malformed.

With a schema of strings, Spark turns a number, an array or an object into text that looks like a string. In a variant,
a value keeps its type.
"""

from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql import types as st

CORRUPT = "_corrupt_record"
# How rows are parsed. It replaces the user's options. Jackson's own limit for a string is 20 million characters.
PARSING = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": CORRUPT, "maxStringLen": str(2**31 - 1)}
VARIANT_BYTES = 16 << 20  # the lowest limit of a variant in any Spark 4; others allow 128 MiB


def column(name: str) -> Column:
    """The column with exactly this name, which may have any characters."""
    return F.col("`" + name.replace("`", "``") + "`")


def text_and_malformed(name: str, options: Mapping[str, str]) -> tuple[Column, Column]:
    """The text of a row (string; null if there is none) and whether the row is malformed (boolean), as columns.

    name: the text's column, a variant. The rows also have the column CORRUPT, a string. options: of the reader. A row
    with missing or null text is not malformed.
    """
    value, raw = column(name), column(CORRUPT)
    fits = F.coalesce(F.schema_of_variant(value).isin("STRING", "VOID"), F.lit(True))
    is_long = F.octet_length(raw) >= VARIANT_BYTES
    long_text = _long_text(raw, name, options)
    text = F.when(raw.isNull() & fits, value.cast("string")).when(is_long, long_text)
    malformed = F.when(raw.isNull(), ~fits).when(is_long, long_text.isNull()).otherwise(True)
    return text, malformed


def _long_text(raw: Column, name: str, options: Mapping[str, str]) -> Column:
    """The text of a row that may be too long for a variant; null if the row is malformed."""

    def parsed(kind: st.DataType) -> Column:
        schema = st.StructType([st.StructField(name, kind), st.StructField(CORRUPT, st.StringType())])
        return F.from_json(raw, schema, {**options, **PARSING})

    # A value that is neither an array nor an object was a string, because no number is that long.
    array, members = parsed(st.ArrayType(st.StringType())), parsed(st.MapType(st.StringType(), st.StringType()))
    text = parsed(st.StringType())
    is_string = array[CORRUPT].isNotNull() & members[CORRUPT].isNotNull() & text[CORRUPT].isNull()
    return F.when(F.is_valid_utf8(raw) & is_string, text[name])
