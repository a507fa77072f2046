"""The engine: how a run goes through its steps and publishes a version. It knows no method and no job."""
