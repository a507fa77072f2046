"""What every other folder uses: errors, the log, signals, and the columns of all tables."""
