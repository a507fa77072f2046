"""Short names for what a table is made from: its inputs, settings, code and libraries."""
