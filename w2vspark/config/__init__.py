"""Read and check a configuration. Each folder of the package defines its own keys."""
