"""The output folder: the claim of the run that writes to it, its staged tables, and its versions. Needs no Spark."""
