"""The Python interface: train a model, or run a job on a published model, in the active Spark session or a new one."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import numpy as np
from pyspark.sql import Column

from w2vspark import storage
from w2vspark.base.errors import ConfigError, InputError, OutputError
from w2vspark.config.config import Config
from w2vspark.config.load import put, read_tree
from w2vspark.config.values import did_you_mean
from w2vspark.flow.cluster import estimate
from w2vspark.flow.costs import Cluster, Estimate
from w2vspark.flow.engine import begin, perform
from w2vspark.flow.plan import plan
from w2vspark.flow.progress import Progress
from w2vspark.flow.run import Run
from w2vspark.flow.summary import seconds_of, summary
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
    """The tables that a run made, or that were there already.

    Example: `w2vspark.train("text", "vectors").read("vocabulary")`
    """

    output: str  # the output folder, an absolute URI
    version: str  # as "000003"; "" if nothing was published
    folder: str  # of the version; "" without a version
    tables: dict[str, str]  # URIs by name: of the published tables, or without a version, of the staged tables
    artefacts: dict[str, str]  # URIs of published files that are not tables, by name
    manifest: dict[str, Any]  # of the version, with its settings and facts about the corpus; {} without a version
    made: tuple[str, ...]  # the tables that this run made; () if there was nothing to do
    summary: str  # the text that the command line prints
    found: tuple[str, ...] = ()  # the tables that were there already
    state: str = "staged"  # of the version: "current" or "candidate"; "staged" = nothing was published
    nothing_to_do: str = ""  # why nothing was made; "" if something was
    seconds: dict[str, float] = field(default_factory=dict)  # of this run, by stage, and "all"

    @property
    def scores(self) -> list[dict[str, Any]]:
        """The scores of the version, each with the columns of the table scores; [] without a gate."""
        return list(self.manifest.get("scores", []))

    def as_json(self) -> dict[str, Any]:
        """The object that the command line prints with --json."""
        rows = self.manifest.get("tables", {})
        return {
            "output": self.output,
            "version": self.version,
            "folder": self.folder,
            "state": self.state,
            "tables": {name: {"uri": uri, "rows": rows.get(name)} for name, uri in self.tables.items()},
            "artefacts": self.artefacts,
            "scores": self.scores,
            "made": list(self.made),
            "found": list(self.found),
            "nothing_to_do": self.nothing_to_do,
            "seconds": self.seconds,
        }

    def read(self, table: str) -> "pa.Table":
        """The rows of a table.

        Raises `OutputError` if there is no such table, if it is damaged, or if nothing was published.
        """
        return storage.read_table(publish.resolve(self._published()).table(table))

    def vectors(self, table: str = "vectors") -> "WordVectors":
        """The vectors of a table, for the functions of `w2vspark.vectors`. Raises `OutputError` as `load_vectors` does.

        Example: `result.vectors().vector("word")`
        """
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
    """Train a model and publish its tables, as `w2vspark run` does.

    Example: `w2vspark.train("text", "vectors", settings={"training.dimensions": 300})`

    - `corpus`: a file, folder or glob, or a list of them; or a frame of Spark, pandas or pyarrow with the text in the
      column `text` (or `input.text_column`).
    - `output`: the folder for the tables.
    - `config`: a TOML file, the name of a ready-made configuration, or a dictionary of tables, as in
      `{"training": {"method": "glove"}}`.
    - `settings`: keys with values that replace those of `config`, as in `{"training.dimensions": 300}`.
    - `force_from`: a stage. Its table and all later ones are made again.
    - `until`: a stage. Its table and the tables that it needs are made, and nothing is published.
    - `hold`: leave the new version a candidate.

    If nothing has changed since the last run, nothing is trained, and the result is the version that is there.
    Raises the errors of `w2vspark.base.errors`. After an error the published versions are as they were.
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
    """Run a job on a published model and publish the job's tables, as the command of the same name does.

    Example: `w2vspark.job("fold", "lsa", "new-text", "new-vectors")`

    - `name`: the job; `w2vspark jobs` lists all jobs.
    - `model`: the output folder of a run, or the folder of one version.
    - `corpus`: as for `train`, if the job reads a corpus.
    - All other arguments are as for `train`.

    Raises `ConfigError` for an unknown job, `InputError` for a corpus that the job does not read, and the errors of
    `train`.
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
    """The job with this name. Raises ConfigError for an unknown name."""
    from w2vspark.jobs import JOBS

    if name not in JOBS:
        raise ConfigError(f"{name}: there is no such job{did_you_mean(str(name), list(JOBS))}")
    return JOBS[name]


def carry_out(work: Work, config: Config, **how: Any) -> Result:
    """Run a method or a job with its configuration. how: keyword arguments of flow.engine.begin."""
    return _performed(begin(work, config, Progress(), **how))


def dry_run(work: Work, config: Config, *, every_setting: bool = False, **how: Any) -> str:
    """The output of --dry-run: what a run would do. Nothing is written. every_setting: as --all. how: as carry_out."""
    return plan(begin(work, config, Progress(), **how), every_setting)


def estimate_run(work: Work, config: Config, cluster: Cluster, **how: Any) -> Estimate:
    """How long a run would take on a cluster (--dry-run --cluster). Nothing is written. how: as carry_out."""
    return estimate(begin(work, config, Progress(), **how), cluster)


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
    found = tuple(table for table in run.records if table not in run.made)
    how: dict[str, Any] = {"found": found, "nothing_to_do": run.nothing_to_do, "seconds": seconds_of(run)}
    if version is None:
        tables = {table: run.uri(table) for table in run.records}
        return Result(run.output, "", "", tables, {}, {}, tuple(run.made), summary(run), **how)
    folder, manifest = version.folder, version.manifest
    how["state"] = "candidate" if "candidate" in manifest else "current"
    tables = {table: storage.join(folder, table) for table in manifest["tables"]}
    artefacts = {name: storage.join(folder, publish.ARTEFACTS, name) for name in manifest.get(publish.ARTEFACTS, {})}
    return Result(run.output, version.name, folder, tables, artefacts, manifest, tuple(run.made), summary(run), **how)


def _version(run: Run) -> Version | None:
    """The version that the run published or found; None if it ended before it published."""
    if VERSION in run.records:
        return publish.resolve(run.records[VERSION]["path"])
    return publish.resolve(run.there) if run.there else None


def _tree(
    config: Path | Mapping[str, Any] | None, settings: Mapping[str, Any] | None, corpus: Any, output: Path | None
) -> tuple[dict[str, Any], Any]:
    """The configuration from all arguments, as a tree of tables; and the corpus, if it is a frame."""
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
    """A copy of a dictionary with settings. Raises ConfigError for another type, or a key that is not a string."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{what} is {reprlib.repr(values)}; give a dictionary")
    for name, value in values.items():
        if not isinstance(name, str):
            raise ConfigError(f"{what} has the key {reprlib.repr(name)}; a key must be a string")
        if isinstance(value, Mapping):
            _named(value, f"{what}[{name!r}]")
    return dict(values)


def _plain(value: Any) -> Any:
    """A value as TOML can hold it: paths become strings, and NumPy's numbers become Python's."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, PathLike):
        return fspath(value)
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
