"""Compile the kernels of word2vec's methods ahead of the training, which finds them in numba's cache then."""

from dataclasses import replace

import numpy as np

from w2vspark.base import cpu_target
from w2vspark.training.word2vec.plan import matrix_shapes, resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

WORDS, TOKENS = 4, 64


def compile_kernels(training: Word2VecTraining, combines: bool) -> None:
    """Train a few words, so that every kernel of such a training is compiled, for its CPU target.

    training: as configured. combines: whether several shards may be combined.
    """
    cpu_target.pin(training.cpu_target)
    from w2vspark.kernels.combine import Changes, combine_changes
    from w2vspark.training.blocks import check_finite
    from w2vspark.training.lanes import Slice, make_matrix
    from w2vspark.training.word2vec.slices import fill_initial, make_tables, train_slice

    small = replace(training, dimensions=8, shards=1, lanes=2, epochs=1, rows="all", negative_pool=0)
    resolved = resolve(small, TOKENS, WORDS)
    ids = np.arange(TOKENS, dtype=np.int32) % WORDS
    pieces = np.arange(3, dtype=np.int64) * (TOKENS // 2)
    numbers = np.arange(2, dtype=np.int32)
    buckets = np.zeros(2, np.int32)
    buckets.setflags(write=False)  # a column of Arrow is read-only, which is another type to numba
    text = Slice(ids, pieces, np.diff(pieces), buckets, numbers)
    tables = make_tables(np.bincount(ids).astype(np.int64), resolved)
    matrices = []
    for shape in matrix_shapes(resolved, WORDS):
        matrix = make_matrix(shape, 2)
        block = np.zeros((shape.rows, shape.width), np.float32)
        fill_initial(shape.name, 0, resolved, block)
        matrix.write(0, block)
        matrices.append(matrix)
    train_slice(matrices, tables, text, resolved, 0, 0, TOKENS, TOKENS, 2)
    for matrix in matrices:
        block = matrix.read(slice(0, matrix.shape.rows))
        check_finite(matrix.shape.name, 0, block)
        if combines:
            rows = np.arange(len(block), dtype=np.int32)
            changes = Changes(rows, np.ones(len(block), np.int32), block)
            combine_changes(training.combine, [changes, changes], block)
