"""Fingerprints: hashes of all that a table depends on: its input, settings, code and libraries."""
