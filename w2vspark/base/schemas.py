"""Every table's columns, as Arrow schemas, in one place: the contract with whoever reads the tables."""

import pyarrow as pa

# Partial and whole counts of the corpus. kind "word": word and count. kind "report": word names the
# figure (documents, invalid_utf8, null_documents, empty_documents, malformed_rows), count is its value.
WORD_COUNTS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# Counts from which phrases are scored. kind "word": key is a word. kind "pair": key is left, between and right, with
# \x1f as separator. kind "report": key "tokens", all words.
PAIR_COUNTS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# What a run begins from, of whatever kind it was: matrix rows, keyed by a stable name (a word, a bucket,
# an inner node's number), with AdaGrad's sum of squares where there is one. Matrix VECTORS_OF_WORDS is for comparing.
EARLIER = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
        pa.field("squares", pa.float32()),
    ]
)

# How far the words of an earlier model moved in this training, after the turn of the space that brings both closest.
MOVEMENT = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("cosine", pa.float64(), nullable=False),
        pa.field("distance", pa.float64(), nullable=False),
    ]
)

# AdaGrad's sum of squared gradients for each row of a matrix (see PARAMETERS).
ADAGRAD = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("id", pa.int32(), nullable=False),
        pa.field("squares", pa.float32(), nullable=False),
    ]
)

# Phrases of each pass, from 1: left, the connector words between (mostly none) and right become one word.
PHRASES = pa.schema(
    [
        pa.field("pass", pa.int32(), nullable=False),
        pa.field("left", pa.string(), nullable=False),
        pa.field("between", pa.string(), nullable=False),
        pa.field("right", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("score", pa.float64(), nullable=False),
    ]
)

VOCABULARY = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# Pieces of documents, sorted by (bucket, doc_id, piece). In ids, -1 ends a sentence; it is not a token.
ENCODED = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        pa.field("ids", pa.list_(pa.int32()), nullable=False),
    ]
)

# Rows of encoded, a file at a time: a bucket whose pieces stand in two files has two rows.
BUCKET_COUNTS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("pieces", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)

# One word a row; vectors and context have the same columns. Rows are sorted by id within each file. With subwords a
# word's vector is the mean of its own row and its n-grams'.
VECTORS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)

# GloVe's vectors with glove.vectors = both, and the biases that it has with every method of summing them up.
VECTORS_AND_CONTEXT = VECTORS.append(pa.field("context", pa.list_(pa.float32()), nullable=False))
BIASES = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("bias", pa.float32(), nullable=False),
        pa.field("context_bias", pa.float32(), nullable=False),
    ]
)

METRICS = pa.schema(
    [
        pa.field("round", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("loss", pa.float64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64(), nullable=False),
    ]
)

# Hierarchical softmax: the inner nodes of Huffman's tree, the root last; and each word's way to them from the root,
# with the branch (0 or 1) that it takes at each. p(branch 0 | x) = sigmoid(x . node).
NODE_VECTORS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)
CODES = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("nodes", pa.list_(pa.int32()), nullable=False),
        pa.field("code", pa.list_(pa.int32()), nullable=False),
    ]
)

# Subwords: the buckets that the n-grams of the vocabulary fall into. Row i of this table, in the order of the buckets,
# has row V + i of the matrix of words.
SUBWORD_BUCKETS = pa.schema([pa.field("bucket", pa.int32(), nullable=False)])

# Subwords, as published: the n-grams' vectors by bucket, and each word's own row, without its n-grams. A word that was
# never seen is the mean of its n-grams.
SUBWORDS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)

# How often words stand near each other: weight is the sum over the positions of row's word and col's word within the
# window, by their distance. Sorted by (row, col) within a file; a file has all of its rows' entries. ROW_SUMS has the
# weights of a whole row and the number of its entries, beside them in staging.
COOCCURRENCES = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("col", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)
ROW_SUMS = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("entries", pa.int32(), nullable=False),
    ]
)

# The weights of whole columns, in what one group of files has of them.
COLUMN_SUMS = pa.schema(
    [
        pa.field("col", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

# Counts of a slice of the text on the way to the task that sums them, in Arrow streams: some neighbouring rows, as
# kernels.counts.cooccurrences.Rows has them. PARTIAL_FILES tells where a reducer's stream begins, in bytes.
PARTIAL_ROWS = pa.schema([pa.field(name, pa.binary(), nullable=False) for name in ("ends", "columns", "values")])
PARTIAL_FILES = pa.schema(
    [
        pa.field("key", pa.int32(), nullable=False),
        pa.field("reducer", pa.int32(), nullable=False),
        pa.field("slice", pa.int32(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
    ]
)

# Rows of a sparse matrix in blocks of neighbouring rows, a row group each: ends (int64) of the rows in columns (int32,
# rising in a row) and values (float32), from the block's first entry on.
SPARSE_ROWS = pa.schema(
    [
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        *[pa.field(name, pa.binary(), nullable=False) for name in ("ends", "columns", "values")],
    ]
)

# Singular values of ppmi-svd and lsa, the largest first.
SINGULAR_VALUES = pa.schema(
    [
        pa.field("dimension", pa.int32(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

# Lsa: documents with their vectors, in the order of their rows; and each word's weight over all documents, with the
# number of those that have it.
DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)
TERM_WEIGHTS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

# Documents that were to be folded into the space of an earlier run, and why they have no vector.
NOT_FOLDED = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)

# Documents on the way to DOCUMENTS and NOT_FOLDED: with a vector, or with a reason.
FOLDED = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("vector", pa.list_(pa.float32())),
        pa.field("reason", pa.string()),
    ]
)

# The term-document table while it is made. Pieces of documents as bags of words (int32, and float32 counts), in Arrow
# streams on the way to the task that adds them up; what that task knows of its words
# (kernels.counts.term_weights.Statistics); and the documents' names by their rows.
BAGS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        *[pa.field(name, pa.binary(), nullable=False) for name in ("words", "counts")],
    ]
)
TERM_STATISTICS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("information", pa.float64(), nullable=False),
    ]
)
DOCUMENT_ROWS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
    ]
)

# The parameter matrices of word2vec's methods; word vectors are what most consumers read.
WORDS = "words"
CONTEXT = "context"
NODES = "nodes"
SUBWORD_ROWS = "subwords"  # in EARLIER: rows of WORDS that belong to buckets
VECTORS_OF_WORDS = "vectors"  # in EARLIER: words as published, where subwords make them of several rows
LEFT, RIGHT = "left", "right"  # singular vectors of a matrix: of its rows, of its columns
METRICS_MATRIX = ""  # the name under which the shards' metrics travel with the names of files

# The parameters before the first round or after one: blocks of float32 rows, row-major; behind each row what an
# optimiser keeps with it (AdaGrad: one float). checksum: of a block, in place of the CRC32s of Parquet's pages, which
# cost three times as much.
PARAMETERS = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
        pa.field("checksum", pa.int64(), nullable=False),
    ]
)

# Which file of a folder has which rows of a matrix, in neighbouring blocks, its size and footer's CRC32; and, in rows
# of METRICS_MATRIX, the metrics of a shard.
PARAMETER_FILES = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("file", pa.string()),
        pa.field("size", pa.int64()),
        pa.field("crc32", pa.int64()),
        *[field.with_nullable(True) for field in METRICS if field.name != "round"],
    ]
)

# As PARAMETER_FILES, for a pass of the randomised SVD: with the URI of a file of the sums of products of the rows
# (float64, row-major), or with the values of each column that are farthest from 0 (float64).
PASS_FILES = pa.schema([*list(PARAMETER_FILES), pa.field("sums", pa.string()), pa.field("peaks", pa.binary())])

# Which rows a shard needs of the blocks that one task combines (ids: int32, rising), sent to that task. key: of its
# partition.
ROWS_WANTED = pa.schema(
    [
        pa.field("key", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("ids", pa.binary(), nullable=False),
    ]
)

# Rows of blocks on the way to shards, in an Arrow file of each reducer; every batch is for one shard. values: float32,
# as in PARAMETERS, of the ids that the shard wanted of a block, from first_id on.
ROWS_SENT = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
    ]
)

# Which batches (int32) of which file are for a shard, whose partition has the key. number: of the reducer, which rises
# with the blocks.
ROW_FILES = pa.schema(
    [
        pa.field("key", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("batches", pa.binary(), nullable=False),
    ]
)

# What a shard changed (new - old; of a single shard the new rows), a batch for each block, in an Arrow file of its own
# on the way to the combination. touched: int32 positions of the changed rows in the block; updates: int32, how often
# each was updated; values: their changes.
CHANGES = pa.schema(
    [
        pa.field("touched", pa.binary(), nullable=False),
        pa.field("updates", pa.binary(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
    ]
)

# Which file holds a shard's changes (its URI), sent to every task that combines, by its partition's key; one row of
# each shard bears its metrics.
CHANGE_FILES = pa.schema([pa.field("key", pa.int32()), *[field.with_nullable(True) for field in PARAMETER_FILES]])

# The schema version of published tables. A new column at the end keeps the number. A column that goes, or has another
# name, type or meaning, raises it. Tables that are not named here have version 1.
SCHEMA_VERSIONS: dict[str, int] = {}


def schema_version(table: str) -> int:
    """The schema version that a published table has in this w2vspark, and the highest that it reads."""
    return SCHEMA_VERSIONS.get(table, 1)
