"""The round engine, and a folder a trainer."""
