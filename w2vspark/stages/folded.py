"""The tables of folding: new documents, each folded alone into the vector space of a published lsa model."""

from collections.abc import Iterator
from functools import partial

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from w2vspark.base import cpu_target
from w2vspark.base.schemas import DOCUMENTS, FOLDED, NOT_FOLDED
from w2vspark.output.publish import Version
from w2vspark.spark.arrow import TASK_BYTES, vector_lists
from w2vspark.spark.listed_files import TaskRows, listed_frame
from w2vspark.spark.placement import placement_keys
from w2vspark.stages.encoded import content_name
from w2vspark.vectors.lsa_model import read_lsa_model

# Why a document has no vector.
NO_KNOWN_WORD, NO_TEXT, MALFORMED = "no known word", "no text", "malformed row"


def folded(corpus: DataFrame, version: Version) -> TaskRows:
    """The corpus as schemas.FOLDED: every document with a vector, or with the reason why it has none.

    version: the model's. Raises OutputError and ConfigError as read_lsa_model does.
    """
    read_lsa_model(version)  # raises its errors here, not in a worker
    fold = partial(fold_batches, version=version)
    return TaskRows(corpus.select("doc_id", "text", "malformed"), fold, FOLDED)


def fold_batches(batches: Iterator[pa.RecordBatch], version: Version) -> Iterator[pa.RecordBatch]:
    """mapInArrow: batches (doc_id string, text binary, malformed bool) -> rows of schemas.FOLDED."""
    model = read_lsa_model(version)
    cpu_target.pin(model.cpu_target)  # before any kernel is imported
    from w2vspark.kernels.counts.term_weights import fold

    for batch in batches:
        known = np.zeros(batch.num_rows, np.bool_)
        for rows, starts, ids in model.known_words(batch["text"]):
            vectors = fold(starts, ids, model.weighting, model.weights, model.inverse, model.blocks())
            known[rows] = True
            chosen = batch.take(pa.array(rows))
            names = pa.array(map(content_name, chosen["doc_id"].to_pylist(), chosen["text"].to_pylist()), pa.string())
            yield _rows(names, vector_lists(vectors), None)
        rest = batch.filter(pa.array(~known))
        reasons = [
            MALFORMED if malformed else NO_TEXT if text is None else NO_KNOWN_WORD
            for malformed, text in zip(rest["malformed"].to_pylist(), rest["text"].to_pylist(), strict=True)
        ]
        names = [
            doc_id if text is None else content_name(doc_id, text)
            for doc_id, text in zip(rest["doc_id"].to_pylist(), rest["text"].to_pylist(), strict=True)
        ]
        yield _rows(pa.array(names, pa.string()), None, pa.array(reasons, pa.string()))


def folded_documents(session: SparkSession, folded_uri: str, count: int, dimensions: int) -> DataFrame:
    """The `count` documents of a written table of schemas.FOLDED that have a vector, as schemas.DOCUMENTS.

    A hash of its name chooses a document's file, and a file is sorted by name. So the files do not depend on how the
    documents were read.
    """
    files = max(1, count * dimensions * 4 // TASK_BYTES)
    keys = F.array(*map(F.lit, placement_keys(files)))
    number = F.pmod(F.crc32(F.col("doc_id").cast("binary")), F.lit(files)).cast("int")
    rows = listed_frame(session, folded_uri, FOLDED).where(F.col("vector").isNotNull())
    placed = rows.withColumn("partition_key", F.element_at(keys, number + 1)).repartition(files, "partition_key")
    return placed.sortWithinPartitions("partition_key", "doc_id").select(*DOCUMENTS.names)


def not_folded(session: SparkSession, folded_uri: str) -> DataFrame:
    """The documents without a vector, as schemas.NOT_FOLDED, in one file sorted by name."""
    rows = listed_frame(session, folded_uri, FOLDED).where(F.col("vector").isNull()).select(*NOT_FOLDED.names)
    return rows.repartition(1).sortWithinPartitions("doc_id", "reason").select(*NOT_FOLDED.names)


def count_folded(session: SparkSession, folded_uri: str) -> dict[str, int]:
    """The number of documents for each reason why they have no vector; "" = they have one."""
    rows = listed_frame(session, folded_uri, FOLDED).groupBy(F.coalesce("reason", F.lit("")).alias("reason")).count()
    return {row["reason"]: row["count"] for row in rows.collect()}


def _rows(names: pa.Array, vectors: pa.Array | None, reasons: pa.Array | None) -> pa.RecordBatch:
    columns = [
        names,
        pa.nulls(len(names), FOLDED.field("vector").type) if vectors is None else vectors,
        pa.nulls(len(names), pa.string()) if reasons is None else reasons,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=FOLDED)
