"""Counts of neighbours and of documents, and what is made of them."""
