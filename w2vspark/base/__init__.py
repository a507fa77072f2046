"""Used by every other folder: errors, the log, signals, and the columns of all tables."""
