"""Spark: the session, the placement of rows in partitions, and our tables as workers read and write them."""
