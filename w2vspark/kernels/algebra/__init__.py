"""Products of sparse and dense matrices, and the algebra of small matrices."""
