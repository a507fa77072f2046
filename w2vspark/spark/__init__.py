"""Spark: the session, rows to partitions, and our tables read and written by its workers."""
