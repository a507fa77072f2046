"""Spark stages: plain functions from DataFrames and settings to DataFrames, one module a table."""
