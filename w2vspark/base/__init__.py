"""Ground floor: configuration, table schemas, storage, publishing, lock, log, errors. Needs no pyspark."""
