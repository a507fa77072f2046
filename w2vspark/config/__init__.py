"""Read and check a configuration. Each room states its own keys."""
