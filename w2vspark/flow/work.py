"""The description of a method or a job that the engine reads: its settings, steps and published tables, as values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa
from pyspark.sql import DataFrame

from w2vspark.config.config import Config
from w2vspark.config.keys import Settings
from w2vspark.flow.costs import Cost
from w2vspark.output.scores import Score
from w2vspark.spark.listed_files import TaskRows
from w2vspark.storage.listed import ROWS

if TYPE_CHECKING:
    from w2vspark.flow.run import Run
    from w2vspark.output.publish import Version

VERSION = "version"  # the last step of every run, which writes a version
CANDIDATE = "candidate"  # with --until: a version that is written, and not judged yet
Chosen = dict[str, Any]  # settings by name
NO_SETTINGS: Chosen = {}
Command = tuple[str, ...]  # the arguments of w2vspark, as ("similar", "vectors", "word")


def always(_: Config) -> bool:
    """True: for a step or table that every run has."""
    return True


def _none(_: Config) -> Chosen:
    return NO_SETTINGS


def _no_check(_: "Run") -> None:
    return None


def _no_advice(_: "Run") -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a run: it makes one intermediate table."""

    table: str
    needs: tuple[str, ...]  # its inputs: tables of earlier steps, and names of sources
    settings: Callable[[Config], Chosen]  # all settings that the table depends on, and no others
    # Writes the table, and returns its record, with row counts for example. If the table is not in the attempt's own
    # folder, the record's key "at" has its place, from Staging.relative.
    make: Callable[["Run"], dict[str, Any]]
    wanted: Callable[[Config], bool] = always  # whether a run has the step
    # Called before the table is found or made. Raises an error of base.errors if the run must not go on, as with more
    # malformed rows than input.max_malformed. This setting is not in the fingerprint of the table with the counts.
    check: Callable[["Run"], None] = _no_check
    # Advice to the user, before the table is found or made, for example about settings that leave too little text. Each
    # text names the fix.
    advice: Callable[["Run"], list[str]] = _no_advice
    kernels: bool = False  # whether it uses kernels; they are compiled while Spark starts


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Rows that are in staging already, as one matrix of a table. Its files are copied."""

    uri: str
    matrix: str = ROWS


@dataclass(frozen=True, slots=True)
class Table:
    """A published table."""

    name: str
    schema: pa.Schema | Callable[[Config], pa.Schema]
    about: str  # what a row is, in one line
    rows: Callable[["Run"], TaskRows | DataFrame | pa.Table | StagedRows]
    count: Callable[["Run"], int] | None = None  # the number of rows that it must have; None = any number
    wanted: Callable[[Config], bool] = always  # whether a run publishes it; before `auto` is resolved, whether it may
    when: str = ""  # the condition of `wanted` in words, for the documentation; "" = always
    settings: Callable[[Config], Chosen] = _none  # settings that decide its content, besides the steps' settings
    # Whether it is made from the candidate (Run.candidate), which has all tables before this one. It is a small
    # pyarrow table, and it is made again each time the candidate is judged.
    of_candidate: bool = False

    def schema_of(self, config: Config) -> pa.Schema:
        """The schema of its columns."""
        return self.schema if isinstance(self.schema, pa.Schema) else self.schema(config)

    def small(self, run: "Run", schema: pa.Schema) -> pa.Table:
        """The rows of a table that is made from the candidate."""
        rows = self.rows(run)
        if not isinstance(rows, pa.Table):
            raise TypeError(f"{self.name}: is made from the candidate, so its rows must be a table of pyarrow")
        return rows.cast(schema)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A published file that is not a table, for example weights."""

    name: str  # of the file
    about: str
    write: Callable[["Run", str], None]  # writes it to a URI
    wanted: Callable[[Config], bool] = always
    when: str = ""
    settings: Callable[[Config], Chosen] = _none
    of_candidate: bool = False  # as in Table; it is made after all tables


@dataclass(frozen=True, slots=True)
class Gate:
    """How a candidate is judged. Both functions are functions of modules; `score`'s code decides the verdict too."""

    score: Callable[["Run"], list[Score]]  # the scores of Run.candidate; Run.previous is the current version
    decides: Callable[["Run"], Chosen]  # what decides them, besides the two versions: settings and test sets


@dataclass(frozen=True, slots=True)
class Needed:
    """The settings and the memory of a run, before it begins."""

    config: Config  # without `auto`
    memory: str  # as "for N words:\n  a worker 1 MB"; --dry-run adds "memory, " before it, and the driver after it
    worker: int = 0  # bytes of the largest task; 0 = it does not say


def _no_commands(_version: "Version", _output: str) -> list[Command]:
    return []


def _no_tables(_: "Run") -> None:
    return None


def _as_given(run: "Run") -> Config:
    return run.config


def _on_any_output(config: Config, _output: str) -> Config:
    return config


def _nothing(_: "Run") -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A method or a job. Its functions must be functions of modules, because their code is part of fingerprints."""

    kind: ClassVar[Literal["method", "job"]]  # also the kind of the output folder

    name: str
    help: str  # one line
    settings: tuple[type[Settings], ...]  # the tables of the configuration that it reads
    # Fingerprints of the inputs from outside, by the names in Step.needs. It may keep what it found in run.found.
    sources: Callable[["Run"], dict[str, str]]
    steps: tuple[Step, ...]  # in order; the engine adds the version
    publishes: tuple[Table | Artefact, ...]
    gate: Gate | None = None  # what a candidate must pass before it becomes current; None = nothing
    needed: Callable[["Run"], Needed]  # for --dry-run
    summary: Callable[["Version"], list[str]]  # lines about a new version
    # Commands that a user may try next. Arguments: the version, and its output folder.
    next_commands: Callable[["Version", str], list[Command]] = _no_commands
    resolved: Callable[["Run"], Config] = _as_given  # the settings without `auto`, once the tables are made
    facts: Callable[["Run"], dict[str, Any]] = _nothing  # entries of the manifest that only this work has
    # The configuration of a run on an output folder (URI): settings that mean its current version may have to change
    # where there is none. The request keeps the settings as they were given.
    begun: Callable[[Config, str], Config] = _on_any_output
    # Sources that identify the request; None = all. A rollback stays in force until they or the settings change.
    asked: tuple[str, ...] | None = None
    # What the steps cost, in the order of the steps, before a run or during it; None = it does not say.
    costs: Callable[["Run"], list[Cost]] | None = None
    # As `tiny`, but from a text that is large enough to measure the rates of its steps; None = no rate is measured.
    sample: Callable[["Run"], None] | None = None
    # Makes the input tables of the steps with kernels from a tiny corpus, and sets fitting settings, without Spark.
    tiny: Callable[["Run"], None] = _no_tables
    packages: tuple[str, ...] = ()  # packages whose code counts too, besides ours and the functions' own packages
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # further entries of fingerprint.LIBRARIES
    # The values of `auto` by key ("training.epochs"), for keys whose own text leaves them to the methods.
    auto: Mapping[str, str] = field(default_factory=dict)

    def tables(self, config: Config) -> Iterator[Table]:
        """The tables that a run publishes."""
        return (one for one in self.publishes if isinstance(one, Table) and one.wanted(config))

    def artefacts(self, config: Config) -> Iterator[Artefact]:
        """The artefacts that a run publishes."""
        return (one for one in self.publishes if isinstance(one, Artefact) and one.wanted(config))


@dataclass(frozen=True, slots=True, kw_only=True)
class Method(Work):
    """Makes a model from a corpus."""

    kind = "method"

    family: str = ""  # the family's name in the documentation; "" = it has no family
    warm_up: dict[str, Any] | None = None  # settings of a run that compiles its kernels; None = another method's does


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Work):
    """Makes tables from a published model, whose output folder is Run.model, and perhaps from a corpus."""

    kind = "job"

    model: str = "the output folder of a run (or one version of it)"  # help: the models that it works on
