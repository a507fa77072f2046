"""Ground floor: configuration, table schemas, storage, claims, publishing, log, errors. Needs no pyspark."""
