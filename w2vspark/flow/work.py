"""What the engine must know of a method or a job: its settings, steps and published tables, as values."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import pyarrow as pa
from pyspark.sql import DataFrame

from w2vspark.config.config import Config
from w2vspark.config.keys import Settings
from w2vspark.spark.listed_files import TaskRows
from w2vspark.storage.listed import ROWS

if TYPE_CHECKING:
    from w2vspark.flow.run import Run
    from w2vspark.output.publish import Version

VERSION = "version"  # the last step of every run: what is published
Chosen = dict[str, Any]  # settings by their names
NO_SETTINGS: Chosen = {}
Command = tuple[str, ...]  # of w2vspark, without its name: ("similar", "vectors", "word")


def always(_: Config) -> bool:
    """Of a step or table that every run has."""
    return True


def _none(_: Config) -> Chosen:
    return NO_SETTINGS


def _no_advice(_: "Run") -> list[str]:
    return []


@dataclass(frozen=True, slots=True)
class Step:
    """An intermediate table of a run."""

    table: str
    needs: tuple[str, ...]  # what it is made from: earlier steps' tables, and the names of sources
    settings: Callable[[Config], Chosen]  # what it depends on of the configuration, and nothing else
    # Writes it, and returns its record: row counts and the like. Where the table is not in the attempt's own folder,
    # the record's key "at" says where, as Staging.relative has it.
    make: Callable[["Run"], dict[str, Any]]
    wanted: Callable[[Config], bool] = always  # whether a run has it
    # What the user should know before it is made: settings that leave too little, with the fix. A line each.
    advice: Callable[["Run"], list[str]] = _no_advice
    kernels: bool = False  # whether it uses compiled kernels, which are compiled while Spark starts


@dataclass(frozen=True, slots=True)
class StagedRows:
    """Rows that are there already: one matrix of a staged table, whose files are copied."""

    uri: str
    matrix: str = ROWS


@dataclass(frozen=True, slots=True)
class Table:
    """A published table."""

    name: str
    schema: pa.Schema | Callable[[Config], pa.Schema]
    about: str  # what a row is, in a line
    rows: Callable[["Run"], TaskRows | DataFrame | pa.Table | StagedRows]
    count: Callable[["Run"], int] | None = None  # how many rows there must be; None = any number
    wanted: Callable[[Config], bool] = always  # whether a run publishes it; before `auto` is resolved: whether it could
    when: str = ""  # for people: with which settings a run publishes it; "" = with all
    settings: Callable[[Config], Chosen] = _none  # that decide what is in it, beside those of the steps

    def schema_of(self, config: Config) -> pa.Schema:
        """Its columns."""
        return self.schema if isinstance(self.schema, pa.Schema) else self.schema(config)


@dataclass(frozen=True, slots=True)
class Artefact:
    """A published file that is no table, as weights are."""

    name: str  # of the file
    about: str
    write: Callable[["Run", str], None]  # writes it to a URI
    wanted: Callable[[Config], bool] = always
    when: str = ""
    settings: Callable[[Config], Chosen] = _none


@dataclass(frozen=True, slots=True)
class Needed:
    """What a run will work with, before it begins."""

    config: Config  # without `auto`
    memory: str  # "for N words:\n  a worker 1 MB": --dry-run puts "memory, " before it and the driver's behind it


def _no_commands(_version: "Version", _output: str) -> list[Command]:
    return []


def _no_tables(_: "Run") -> None:
    return None


def _as_given(run: "Run") -> Config:
    return run.config


def _nothing(_: "Run") -> dict[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A method or a job. All functions are those of a module, since their code is part of fingerprints."""

    kind: ClassVar[Literal["method", "job"]]  # of the output folder

    name: str
    help: str  # one line
    settings: tuple[type[Settings], ...]  # the tables of the configuration that it reads
    # Fingerprints of what comes from outside, by the names that steps need; it may keep what it found in run.found.
    sources: Callable[["Run"], dict[str, str]]
    steps: tuple[Step, ...]  # in their order; the version follows by itself
    publishes: tuple[Table | Artefact, ...]
    needed: Callable[["Run"], Needed]  # for --dry-run
    summary: Callable[["Version"], list[str]]  # lines about a version that was made
    # What a user may try next with a version, whose output folder is the second argument.
    next_commands: Callable[["Version", str], list[Command]] = _no_commands
    resolved: Callable[["Run"], Config] = _as_given  # the settings of a run that has made its tables, without `auto`
    facts: Callable[["Run"], dict[str, Any]] = _nothing  # what the manifest says beside what it says of every version
    # Sources that identify the request, None = all: a rollback stays in force until they or the settings change.
    asked: tuple[str, ...] | None = None
    # Makes the tables of a tiny corpus on which steps with kernels can work, and settings that suit it, without Spark.
    tiny: Callable[["Run"], None] = _no_tables
    packages: tuple[str, ...] = ()  # whose code counts too, beside ours and that of the functions' own packages
    libraries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # as fingerprint.LIBRARIES, beside those
    # What `auto` stands for, by keys ("training.epochs"), where the key's own line leaves that to its users.
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

    family: str = ""  # for people: what it and its like are called together; "" = it stands alone
    warm_up: dict[str, Any] | None = None  # settings of a run that compiles its kernels; None: another method's does


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(Work):
    """Makes tables from a published model, whose output folder is the run's `model`, and perhaps from a corpus."""

    kind = "job"

    model: str = "the output folder of a run (or one version of it)"  # for people: which models it works on
