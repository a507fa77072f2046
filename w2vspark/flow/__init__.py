"""The engine: it makes a run's tables step by step, and publishes a version. It knows no method and no job."""
