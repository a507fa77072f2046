"""Spark stages: plain functions from DataFrames and settings to DataFrames, one module for each table."""
