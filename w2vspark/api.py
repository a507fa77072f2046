"""The Python face: train a model, or run a job on a published one, in the session that is there or a new one."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column

from w2vspark import storage
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.config.config import Config
from w2vspark.config.load import put, read_tree
from w2vspark.config.values import did_you_mean
from w2vspark.flow.engine import begin, perform
from w2vspark.flow.plan import plan
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.summary import summary
from w2vspark.flow.work import VERSION, Job, Work
from w2vspark.output import publish
from w2vspark.output.publish import Version
from w2vspark.spark.session import SparkConfig, build_session
from w2vspark.stages.corpus_version import FRAME
from w2vspark.stages.input import InputConfig

if TYPE_CHECKING:
    import pyarrow as pa

    from w2vspark.vectors import WordVectors

Path = str | PathLike[str]
_CORPORA = "give a path, a list of paths, or a frame of Spark, pandas or pyarrow with the text in the column `text`"


@dataclass(frozen=True, slots=True)
class Result:
    """What a run made, or found to be there already."""

    output: str  # the output folder, an absolute URI
    version: str  # as "000003"; "" where the run was told to end before it publishes
    folder: str  # of the version; "" without one
    tables: dict[str, str]  # URIs by name: the published tables, or without a version the staged ones
    artefacts: dict[str, str]  # URIs of published files that are no tables, by name
    manifest: dict[str, Any]  # of the version: the resolved settings, and what is known of the corpus; {} without one
    made: tuple[str, ...]  # the tables that this run made; () where there was nothing to do
    summary: str  # what the command line prints

    def read(self, table: str) -> "pa.Table":
        """A table's rows. Raises OutputError where there is no such table, it is damaged, or nothing was published."""
        return storage.read_table(publish.resolve(self._published()).table(table))

    def vectors(self, table: str = "vectors") -> "WordVectors":
        """The words' vectors, for questions by w2vspark.vectors. Raises OutputError as load_vectors does."""
        from w2vspark.vectors import load_vectors

        return load_vectors(self._published(), table)

    def _published(self) -> str:
        if not self.version:
            raise OutputError(f"{self.output}: nothing was published; run without until, or read result.tables[…]")
        return self.folder


def train(
    corpus: Any = None,
    output: Path | None = None,
    *,
    config: Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    force_from: str | None = None,
    until: str | None = None,
    hold: bool = False,
) -> Result:
    """Train a model and publish it, as `w2vspark run` does.

    corpus: files, folders or globs, one or a list; or a frame (of Spark, pandas or pyarrow) with the text in the
    column `text` (or input.text_column). output: the folder for the tables. config: a TOML file, or a dictionary of
    tables ({"training": {"method": "glove"}}). settings: keys over it ({"training.dimensions": 300}). force_from, until
    and hold: as the options --from, --until and --hold. Where nothing has changed, nothing is trained, and the result
    is what is there. Raises the errors of w2vspark.base.errors; what was published before stays as it is then.
    """
    from w2vspark import methods

    tree, frame = _tree(config, settings, corpus, output)
    method, read = methods.from_dict(tree)
    return _with_corpus(method, read, frame, force_from=force_from, until=until, hold=hold)


def job(
    name: str,
    model: Path,
    corpus: Any = None,
    output: Path | None = None,
    *,
    config: Path | Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    force_from: str | None = None,
    until: str | None = None,
    hold: bool = False,
) -> Result:
    """Run a job on a published model and publish its tables, as the command of the same name does.

    name: of a job, as `w2vspark jobs` lists them. model: the output folder of a run, or one version's folder. corpus:
    for jobs that read [input]. All else is as for `train`. Raises ConfigError for an unknown name, InputError where a
    job that takes no corpus is given one, and as `train` does.
    """
    from w2vspark import jobs

    chosen = find_job(name)
    if corpus is not None and InputConfig not in chosen.settings:
        raise InputError(f"the job {name} takes no corpus; leave it out, and give the folder for the tables as output=")
    tree, frame = _tree(config, settings, corpus, output)
    of_model = _path(model, "model", "the output folder of a run, as result.output")
    how = {"model": of_model, "force_from": force_from, "until": until, "hold": hold}
    return _with_corpus(chosen, jobs.from_dict(chosen, tree), frame, **how)


def find_job(name: str) -> Job:
    """The job of a name. Raises ConfigError for an unknown one."""
    from w2vspark.jobs import JOBS

    if name not in JOBS:
        raise ConfigError(f"{name}: there is no such job{did_you_mean(str(name), list(JOBS))}")
    return JOBS[name]


def carry_out(work: Work, config: Config, **how: Any) -> Result:
    """Run a method or a job with its configuration. how: as the keywords of flow.engine.begin."""
    return _performed(begin(work, config, Progress(), **how))


def dry_run(work: Work, config: Config, *, every_setting: bool = False, **how: Any) -> str:
    """What a run would do, as --dry-run prints it. Nothing is written. every_setting: as --all. how: as carry_out."""
    return plan(begin(work, config, Progress(), **how), every_setting)


def _with_corpus(work: Work, config: Config, frame: Any, **how: Any) -> Result:
    if frame is None:
        return carry_out(work, config, **how)
    from w2vspark.stages.frames import frame_input

    session = getattr(frame, "sparkSession", None) or build_session(config[SparkConfig], "w2vspark")
    with frame_input(frame, session, replace(config[InputConfig], table="")) as source:
        return carry_out(work, config.replaced(source), session=session, **how)


def _performed(run: Run) -> Result:
    perform(run)
    version = _version(run)
    if version is None:
        tables = {table: run.uri(table) for table in run.records}
        return Result(run.output, "", "", tables, {}, {}, tuple(run.made), summary(run))
    folder, manifest = version.folder, version.manifest
    tables = {table: storage.join(folder, table) for table in manifest["tables"]}
    artefacts = {name: storage.join(folder, publish.ARTEFACTS, name) for name in manifest.get(publish.ARTEFACTS, {})}
    return Result(run.output, version.name, folder, tables, artefacts, manifest, tuple(run.made), summary(run))


def _version(run: Run) -> Version | None:
    """What the run published, or found; None where it was told to end before."""
    if VERSION in run.records:
        return publish.resolve(run.records[VERSION]["path"])
    return publish.resolve(run.there) if run.there else None


def _tree(
    config: Path | Mapping[str, Any] | None, settings: Mapping[str, Any] | None, corpus: Any, output: Path | None
) -> tuple[dict[str, Any], Any]:
    """All that was given as a tree of tables, and the frame with the corpus, where it is one."""
    if isinstance(config, Mapping):
        given = _named(config, "config")
    else:
        given = read_tree(None if config is None else _path(config, "config", "a TOML file, or a dictionary of tables"))
    tree = {table: dict(keys) if isinstance(keys, Mapping) else keys for table, keys in given.items()}
    over = _named({} if settings is None else settings, "settings")
    if output is not None:
        over["output.path"] = _path(output, "output", "the folder for the tables")
    frame = None
    if isinstance(corpus, str | PathLike):
        over["input.path"] = fspath(corpus)
    elif isinstance(corpus, Sequence):
        if odd := [path for path in corpus if not isinstance(path, str | PathLike)]:
            raise InputError(f"the corpus is a list with {reprlib.repr(odd[0])} in it; {_CORPORA}")
        over["input.path"] = [fspath(path) for path in corpus]
    elif corpus is not None:
        if not hasattr(corpus, "columns") or isinstance(corpus, Column):
            raise InputError(f"the corpus is {reprlib.repr(corpus)}; {_CORPORA}")
        frame = corpus
        over |= {"input.table": FRAME, "input.path": [], "input.format": "text"}
    for key, value in over.items():
        put(tree, key, value)
    return {table: _plain(keys) for table, keys in tree.items()}, frame


def _path(value: Any, what: str, wanted: str) -> str:
    if not isinstance(value, str | PathLike):
        raise ConfigError(f"{what} is {reprlib.repr(value)}; give the path of {wanted}")
    return fspath(value)


def _named(values: Any, what: str) -> dict[str, Any]:
    """A dictionary whose keys are names, and those of the dictionaries in it. Raises ConfigError for anything else."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{what} is {reprlib.repr(values)}; give a dictionary")
    for name, value in values.items():
        if not isinstance(name, str):
            raise ConfigError(f"{what} has the key {reprlib.repr(name)}; a key is a name in quotes")
        if isinstance(value, Mapping):
            _named(value, f"{what}[{name!r}]")
    return dict(values)


def _plain(value: Any) -> Any:
    """A value of a configuration as TOML could hold it: paths are texts, and NumPy's numbers are Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
