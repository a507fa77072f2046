"""The jobs: what makes tables from a published model, one module a job, and JOBS, the list of all."""

from collections.abc import Mapping, Sequence
from typing import Any

from w2vspark.config.config import Config
from w2vspark.config.load import Choice, build, listing, put_overrides, read_tree
from w2vspark.flow.work import Job
from w2vspark.jobs.fold import FOLD
from w2vspark.methods import METHODS

JOBS: dict[str, Job] = {job.name: job for job in (FOLD,)}


def load_config(job: Job, path: str | None, overrides: Sequence[str]) -> Config:
    """The configuration of a job: of a TOML file, or the defaults, with ``table.key=value`` texts on top.

    Raises ConfigError, which lists all problems, one a line.
    """
    choice, tree = choice_of(job), read_tree(path)
    problems = put_overrides(tree, overrides, choice)
    return build(tree, choice, problems)


def from_dict(job: Job, tree: Mapping[str, Any]) -> Config:
    """Like load_config, but from a dictionary of tables."""
    return build(tree, choice_of(job), [])


def choice_of(job: Job) -> Choice:
    """What a configuration of a job may hold: its own keys, and those of methods at their defaults."""
    tables = listing([f"[{settings.section}]" for settings in job.settings])
    others = {name: method.settings for name, method in METHODS.items()}
    return Choice(f"the job {job.name}, which reads {tables}", job.settings, others)
