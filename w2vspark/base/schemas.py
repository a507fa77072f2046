"""The columns of every table, as Arrow schemas: the contract with everybody who reads the tables."""

import pyarrow as pa

# Partial and complete counts of the corpus. kind "word": a word and its count. kind "report": word is the name of a
# figure (stages.word_counts.REPORT), and count its value.
WORD_COUNTS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# Counts of each unit of the corpus (stages.input_units). part: a function of the key; rows are sorted by it in a row
# group. unit: a number in the record of the table. kind and key: as in WORD_COUNTS or PAIR_COUNTS.
PARTIAL_COUNTS = pa.schema(
    [
        pa.field("part", pa.int32(), nullable=False),
        pa.field("unit", pa.int32(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# The tokens of a unit in a table of partial counts that are words of the vocabulary.
UNIT_TOKENS = pa.schema(
    [
        pa.field("table", pa.int32(), nullable=False),
        pa.field("unit", pa.int32(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)

# A unit of the corpus, and what it was encoded with: the words whose ids are less than `words`. name: the URI of a
# file; or of a folder, with `/*` and the day of its small files. identity: a hash of the names, sizes and times of its
# files. tokens: how many of its words were encoded.
UNITS = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("identity", pa.string(), nullable=False),
        pa.field("words", pa.int32(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)

# Counts from which phrases are scored. kind "word": key is a word. kind "pair": key is left, between and right,
# separated by \x1f. kind "report": key is "tokens", and count the number of all words.
PAIR_COUNTS = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# A row of a matrix of the earlier model, keyed by a stable name: a word, a bucket, or an inner node's number. squares:
# AdaGrad's sum, if there is one. The matrix VECTORS_OF_WORDS is only for comparing.
EARLIER = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
        pa.field("squares", pa.float32()),
    ]
)

# How far a word of the earlier model moved in this training, after the rotation that brings both models closest.
MOVEMENT = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("cosine", pa.float64(), nullable=False),
        pa.field("distance", pa.float64(), nullable=False),
    ]
)

# A word of two versions, with its id and count in both. cosine, distance: between its rotated old vector and its new
# one. shared_neighbours: the share of its nearest neighbours that are the same; null for words that are not among the
# most frequent ones.
DRIFT = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("old_id", pa.int32(), nullable=False),
        pa.field("old_count", pa.int64(), nullable=False),
        pa.field("cosine", pa.float64(), nullable=False),
        pa.field("distance", pa.float64(), nullable=False),
        pa.field("shared_neighbours", pa.float64()),
    ]
)

# AdaGrad's sum of squared gradients for a row of a matrix (see PARAMETERS).
ADAGRAD = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("id", pa.int32(), nullable=False),
        pa.field("squares", pa.float32(), nullable=False),
    ]
)

# A phrase of a pass (the first is 1): left, the connector words between (mostly none) and right become one word.
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

# A word, its id, and how often it occurs. The most frequent word has 0, unless ids of an earlier version were kept.
VOCABULARY = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)

# A piece of a document. Rows are sorted by (bucket, doc_id, piece). In ids, -1 separates sentences; it is not a token.
ENCODED = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        pa.field("ids", pa.list_(pa.int32()), nullable=False),
    ]
)

# The pieces and tokens of a bucket in one file of encoded. A bucket that has pieces in two files has two rows.
BUCKET_COUNTS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("pieces", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)

# A word and its vector, in vectors and context. Rows are sorted by id within each file. With subwords, a word's vector
# is the mean of its own row and its n-grams' rows.
VECTORS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)

# GloVe's table vectors, with glove.vectors = "both".
VECTORS_AND_CONTEXT = VECTORS.append(pa.field("context", pa.list_(pa.float32()), nullable=False))
# The two biases of a word in GloVe, with every value of glove.vectors.
BIASES = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("bias", pa.float32(), nullable=False),
        pa.field("context_bias", pa.float32(), nullable=False),
    ]
)

# A figure of a version, and whether it passed the gate. task: a test set, or what the figure is about. value: null if
# it could not be measured. covered, total: of the rows, words or documents that the figure is about. threshold: null if
# the configuration has none; then passed is null too.
SCORES = pa.schema(
    [
        pa.field("task", pa.string(), nullable=False),
        pa.field("metric", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("covered", pa.int64()),
        pa.field("total", pa.int64()),
        pa.field("threshold", pa.float64()),
        pa.field("passed", pa.bool_()),
    ]
)

# A figure as a worker sends it: of the version that is scored, or of the previous one. NaN = it could not be measured.
FIGURES = pa.schema(
    [
        pa.field("previous", pa.bool_(), nullable=False),
        *[SCORES.field(name) for name in ("task", "metric", "value", "covered", "total")],
    ]
)

# The figures of a shard in a round: what it trained on, the mean loss, the time, and the learning rate at the end.
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

# The vector of an inner node of Huffman's tree; the root has the highest id. p(branch 0 | x) = sigmoid(x . node).
NODE_VECTORS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)
# A word's path through Huffman's tree, from the root: the inner nodes, and the branch (0 or 1) at each of them.
CODES = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("nodes", pa.list_(pa.int32()), nullable=False),
        pa.field("code", pa.list_(pa.int32()), nullable=False),
    ]
)

# A bucket that n-grams of the vocabulary fall into. If rows are sorted by bucket, row i of this table is row V + i of
# the matrix of words; V is the number of words.
SUBWORD_BUCKETS = pa.schema([pa.field("bucket", pa.int32(), nullable=False)])

# The vector of a bucket of n-grams. A word that was never seen has the mean of its n-grams' vectors. The table
# word_rows has the words' own rows, with the columns of VECTORS.
SUBWORDS = pa.schema(
    [
        pa.field("bucket", pa.int32(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)

# How often two words stand near each other. weight: the sum over all places where the word `col` is within the window
# of the word `row`, weighted by distance. Sorted by (row, col) within a file. A file has all entries of its rows.
COOCCURRENCES = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("col", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)
# In staging only: the sum of the weights in a row of COOCCURRENCES, and the number of its entries.
ROW_SUMS = pa.schema(
    [
        pa.field("row", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("entries", pa.int32(), nullable=False),
    ]
)

# The sum of the weights in a column, over one group of files.
COLUMN_SUMS = pa.schema(
    [
        pa.field("col", pa.int32(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

# Neighbouring rows of the counts of one slice, in an Arrow stream to the reducer that sums them. The columns are those
# of kernels.counts.cooccurrences.Rows. PARTIAL_FILES has the byte offset at which a reducer's stream begins.
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

# A block of neighbouring rows of a sparse matrix, which is one row group. columns (int32, rising in a row) and values
# (float32) are the entries. ends (int64): where each row ends, counted from the block's first entry.
SPARSE_ROWS = pa.schema(
    [
        pa.field("first_row", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        *[pa.field(name, pa.binary(), nullable=False) for name in ("ends", "columns", "values")],
    ]
)

# A singular value of ppmi-svd or lsa; the largest is the first.
SINGULAR_VALUES = pa.schema(
    [
        pa.field("dimension", pa.int32(), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
    ]
)

# A document and its vector. For lsa, rows are in the order of the matrix.
DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)
# A word of lsa, its weight, and the number of documents that have it.
TERM_WEIGHTS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)

# The place of a frequent word on the map of a report. cluster: null for a word without a vector (all zeros).
MAP = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("x", pa.float32(), nullable=False),
        pa.field("y", pa.float32(), nullable=False),
        pa.field("cluster", pa.int32()),
    ]
)

# A word and its cluster. cluster, cosine: null for a word without a vector (all zeros).
CLUSTERS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("word", pa.string(), nullable=False),
        pa.field("cluster", pa.int32()),
        pa.field("cosine", pa.float64()),
    ]
)
# A cluster of words: how many words it has, the words nearest to its centroid, and the centroid, of length 1.
CENTROIDS = pa.schema(
    [
        pa.field("cluster", pa.int32(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("label", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32()), nullable=False),
    ]
)

# A document without a vector after `fold`, and the reason.
NOT_FOLDED = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("reason", pa.string(), nullable=False),
    ]
)

# A document before it goes to DOCUMENTS, with a vector, or to NOT_FOLDED, with a reason.
FOLDED = pa.schema(
    [
        pa.field("doc_id", pa.string()),
        pa.field("vector", pa.list_(pa.float32())),
        pa.field("reason", pa.string()),
    ]
)

# While term_document is made: a piece of a document as a bag of words (int32) with counts (float32), in an Arrow stream
# to the reducer that adds up the document's pieces.
BAGS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("piece", pa.int32(), nullable=False),
        *[pa.field(name, pa.binary(), nullable=False) for name in ("words", "counts")],
    ]
)
# The statistics of a word in a reducer's documents (kernels.counts.term_weights.Statistics).
TERM_STATISTICS = pa.schema(
    [
        pa.field("id", pa.int32(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("information", pa.float64(), nullable=False),
    ]
)
# The id of the document in a row of term_document.
DOCUMENT_ROWS = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("doc_id", pa.string(), nullable=False),
    ]
)

# The names of parameter matrices. Most readers need only WORDS.
WORDS = "words"
CONTEXT = "context"
NODES = "nodes"
SUBWORD_ROWS = "subwords"  # in EARLIER: rows of WORDS that belong to buckets
VECTORS_OF_WORDS = "vectors"  # in EARLIER: the published vectors of words, if the model has subwords
LEFT, RIGHT = "left", "right"  # singular vectors: of a matrix's rows, and of its columns
METRICS_MATRIX = ""  # in PARAMETER_FILES: the row has a shard's metrics, and no file

# A block of parameters, before the first round or after a round: float32 rows, row-major. An optimizer's
# state follows each row (AdaGrad: one float). checksum: of the block; Parquet's own CRC32s cost three times as much.
PARAMETERS = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("rows", pa.int32(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
        pa.field("checksum", pa.int64(), nullable=False),
    ]
)

# A file of a folder, the rows of a matrix that it has in neighbouring blocks, its size, and the CRC32 of its footer. Or
# the metrics of a shard, if matrix is METRICS_MATRIX.
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

# As PARAMETER_FILES, for a pass of the randomised SVD. sums: the URI of a file with sums of products of the rows
# (float64, row-major). peaks: the value farthest from 0 in each column (float64).
PASS_FILES = pa.schema([*list(PARAMETER_FILES), pa.field("sums", pa.string()), pa.field("peaks", pa.binary())])

# The rows that a shard needs from the blocks of one reducer. ids: int32, rising. key: the reducer's partition key.
ROWS_WANTED = pa.schema(
    [
        pa.field("key", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("ids", pa.binary(), nullable=False),
    ]
)

# Rows of a block that a reducer sends to a shard, in the reducer's Arrow file; every batch is for one shard. first_id:
# of the block. values: float32 as in PARAMETERS, of the ids that the shard wanted.
ROWS_SENT = pa.schema(
    [
        pa.field("matrix", pa.string(), nullable=False),
        pa.field("first_id", pa.int64(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
    ]
)

# The batches (int32) of a reducer's file that are for a shard. key: the shard's partition key. number: of the reducer;
# it rises with the blocks.
ROW_FILES = pa.schema(
    [
        pa.field("key", pa.int32(), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("number", pa.int32(), nullable=False),
        pa.field("file", pa.string(), nullable=False),
        pa.field("batches", pa.binary(), nullable=False),
    ]
)

# The changes of a shard in a block, in the shard's Arrow file, which reducers read; every batch is one block. touched:
# int32 positions of the changed rows in the block. updates: int32, how often each was updated. values: float32, new -
# old rows, or the new rows if there is a single shard.
CHANGES = pa.schema(
    [
        pa.field("touched", pa.binary(), nullable=False),
        pa.field("updates", pa.binary(), nullable=False),
        pa.field("values", pa.binary(), nullable=False),
    ]
)

# The URI of the file with a shard's changes, sent to every reducer. key: the reducer's partition key. One row of each
# shard has its metrics.
CHANGE_FILES = pa.schema([pa.field("key", pa.int32()), *[field.with_nullable(True) for field in PARAMETER_FILES]])

# The schema version of published tables. A new column at the end keeps the version. A column that is removed, or gets
# another name, type or meaning, raises it. Tables that are not listed here have version 1.
SCHEMA_VERSIONS: dict[str, int] = {}


def schema_version(table: str) -> int:
    """The schema version that this w2vspark writes for a published table, and the highest that it reads."""
    return SCHEMA_VERSIONS.get(table, 1)
