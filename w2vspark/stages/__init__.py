"""Spark stages: one module per table, named after it; and the session."""
