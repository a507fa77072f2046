"""The jobs: what makes tables from a published model, one module a job."""
