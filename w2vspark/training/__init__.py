"""The round engine: shards, rounds, combination of changes, and one module per method."""
