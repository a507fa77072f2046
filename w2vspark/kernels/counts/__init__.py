"""Counts of neighbouring words and of documents, and the weights that are made from counts."""
