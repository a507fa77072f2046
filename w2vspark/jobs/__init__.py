"""Jobs make tables from a published model. Each job is a module; JOBS has all of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from w2vspark.config.config import Config
from w2vspark.config.load import Choice, build, listing, put_overrides, read_tree
from w2vspark.flow.work import Job
from w2vspark.jobs.clusters import CLUSTERS_JOB
from w2vspark.jobs.compare import COMPARE
from w2vspark.jobs.evaluate import EVALUATE
from w2vspark.jobs.fold import FOLD
from w2vspark.methods import METHODS

JOBS: dict[str, Job] = {job.name: job for job in (FOLD, EVALUATE, COMPARE, CLUSTERS_JOB)}


def load_config(job: Job, path: str | None, overrides: Sequence[str]) -> Config:
    """The configuration of a job: from a TOML file, or the defaults, changed by ``table.key=value`` texts.

    Raises ConfigError, which lists all problems, one a line.
    """
    choice, tree = choice_of(job), read_tree(path)
    problems = put_overrides(tree, overrides, choice)
    return build(tree, choice, problems)


def from_dict(job: Job, tree: Mapping[str, Any]) -> Config:
    """The configuration of a job, from a dictionary of tables. Raises ConfigError as load_config does."""
    return build(tree, choice_of(job), [])


def choice_of(job: Job) -> Choice:
    """The keys that a configuration of a job may hold: its own, and those of methods if they have their defaults."""
    tables = listing([f"[{settings.section}]" for settings in job.settings])
    others = {name: method.settings for name, method in METHODS.items()}
    return Choice(f"the job {job.name}, which reads {tables}", job.settings, others)
