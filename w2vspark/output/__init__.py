"""The output folder: who may write to it, its staged tables, and its versions. Needs no Spark."""
