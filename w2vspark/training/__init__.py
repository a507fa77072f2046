"""The round engine, and a folder for each trainer."""
