"""How a configuration is stated, read and checked; which keys there are, their owners say."""
