"""Skip-gram and CBOW with negative sampling, hierarchical softmax and the softmax."""
