"""The command line. Each group of commands is a module."""
