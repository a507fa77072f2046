"""The tables that word2vec's methods publish."""

from functools import partial
from typing import Any

from w2vspark import storage
from w2vspark.base.schemas import (
    ADAGRAD,
    CODES,
    CONTEXT,
    MOVEMENT,
    NODE_VECTORS,
    SUBWORDS,
    VECTORS,
    VECTORS_OF_WORDS,
    WORDS,
)
from w2vspark.flow.run import Run
from w2vspark.flow.work import Table
from w2vspark.methods import corpus
from w2vspark.methods.corpus import words_count
from w2vspark.methods.gate import SCORES_TABLE
from w2vspark.methods.kept_words import UNITS_TABLE
from w2vspark.methods.report import LOOK
from w2vspark.methods.rounds import METRICS_TABLE
from w2vspark.methods.word2vec.asked import (
    has_subwords,
    is_warm,
    may_be_adagrad,
    shapes_of,
    subword_tables,
    tables_of_subwords,
    trained,
)
from w2vspark.spark.listed_files import TaskRows
from w2vspark.stages.movement import movement, pairs, rotation
from w2vspark.stages.vectors import matrix_rows, vectors
from w2vspark.training.word2vec.adagrad import adagrad
from w2vspark.training.word2vec.codes import codes
from w2vspark.training.word2vec.composed import composed_rows, composed_tasks, rows_in_free_memory
from w2vspark.training.word2vec.nodes import nodes
from w2vspark.training.word2vec.subwords import subwords


def _rows_of_words(run: Run, matrix: str) -> TaskRows:
    dimensions = trained(run).dimensions
    rows = matrix_rows(run.uri("rounds"), matrix, dimensions)
    return vectors(run.session(), rows, run.uri("vocabulary"), words_count(run), dimensions)


def vector_rows(run: Run) -> TaskRows:
    """The vectors of words: a word's own row, or with subwords the mean of its rows."""
    tables, words, training = subword_tables(run), words_count(run), trained(run)
    if tables is None:
        return _rows_of_words(run, WORDS)
    means = partial(
        composed_rows,
        parameters_uri=run.uri("rounds"),
        matrix=WORDS,
        tables=tables,
        words=words,
        dimensions=training.dimensions,
    )
    composed = partial(rows_in_free_memory, source=means, target=training.cpu_target)
    tasks = composed_tasks(words, training.dimensions)
    return vectors(run.session(), composed, run.uri("vocabulary"), words, training.dimensions, tasks=tasks)


def context_rows(run: Run) -> TaskRows:
    """The vectors of words on the output side of the model."""
    return _rows_of_words(run, CONTEXT)


def word_rows(run: Run) -> TaskRows:
    """Words' own rows, without their n-grams."""
    return _rows_of_words(run, WORDS)


def subword_rows(run: Run) -> TaskRows:
    """The vectors of n-gram buckets."""
    uri, tables = run.uri("rounds"), tables_of_subwords(run)
    return subwords(run.session(), uri, tables, words_count(run), trained(run).dimensions)


def subword_count(run: Run) -> int:
    """The number of buckets in use."""
    return tables_of_subwords(run).ngrams


def node_rows(run: Run) -> TaskRows:
    """The inner nodes of Huffman's tree."""
    return nodes(run.session(), run.uri("rounds"), node_count(run), trained(run).dimensions)


def node_count(run: Run) -> int:
    """The number of inner nodes."""
    return words_count(run) - 1


def code_rows(run: Run) -> TaskRows:
    """Each word's path through Huffman's tree."""
    return codes(run.session(), run.uri("vocabulary"), trained(run).cpu_target)


def adagrad_rows(run: Run) -> TaskRows:
    """AdaGrad's sum of squared gradients for each row."""
    training = trained(run)
    matrices = {shape.name: shape.rows for shape in shapes_of(run, training)}
    return adagrad(run.session(), run.uri("rounds"), matrices, training.dimensions)


def adagrad_count(run: Run) -> int:
    """The number of rows in all matrices."""
    return sum(shape.rows for shape in shapes_of(run, trained(run)))


def movement_rows(run: Run) -> Any:
    """How far the earlier model's words moved."""
    matrix = VECTORS_OF_WORDS if run.records["earlier"]["with_subwords"] else WORDS
    before, now = storage.join(run.uri("earlier"), "rows"), storage.join(run.uri("version"), "vectors")
    joined = pairs(run.session(), before, matrix, now)
    return movement(joined, rotation(joined))


VECTORS_TABLE = Table("vectors", VECTORS, "a word's vector", vector_rows, words_count)
CONTEXT_TABLE = Table("context", VECTORS, "a word's vector on the output side", context_rows, words_count)
NODE_TABLES = (
    Table("nodes", NODE_VECTORS, "the vector of an inner node of Huffman's tree", node_rows, node_count),
    Table("codes", CODES, "a word's path through Huffman's tree", code_rows, words_count),
)
SUBWORD_TABLES = tuple(
    Table(name, schema, about, rows, count, has_subwords, "`subwords.enabled` is true")
    for name, schema, about, rows, count in (
        ("word_rows", VECTORS, "a word's own row of the model, without its n-grams", word_rows, words_count),
        ("subwords", SUBWORDS, "the vector of a bucket of n-grams", subword_rows, subword_count),
    )
)
ADAGRAD_TABLE = Table(
    "adagrad",
    ADAGRAD,
    "AdaGrad's sum of squared gradients for a row of the model",
    adagrad_rows,
    adagrad_count,
    may_be_adagrad,
    "the optimizer is adagrad",
)
MOVEMENT_TABLE = Table(
    "movement",
    MOVEMENT,
    "how far a word of the earlier model moved",
    movement_rows,
    wanted=is_warm,
    when="`warm_start.path` is set",
)


def published(loss: str) -> tuple[Table, ...]:
    """The tables that the methods with this loss publish. loss: ns, hs or softmax."""
    outputs = NODE_TABLES if loss == "hs" else (CONTEXT_TABLE,)
    own = VECTORS_TABLE, *outputs, *SUBWORD_TABLES, ADAGRAD_TABLE, MOVEMENT_TABLE
    return *own, corpus.PHRASES_TABLE, corpus.VOCABULARY_TABLE, UNITS_TABLE, METRICS_TABLE, SCORES_TABLE, *LOOK
