"""Units of a corpus in files: the parts that are counted apart, so that a later run counts only what is new.

A unit is a file. Small files of one folder that were written on one day (UTC) are one unit together, so that a million
small files are not a million units. A unit is known by its name and by the sizes and times of its files.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from w2vspark import storage
from w2vspark.base.errors import InputError
from w2vspark.fingerprints.fingerprint import fingerprint
from w2vspark.stages.input import InputConfig
from w2vspark.storage.files import InputFile, list_files

SMALL_BYTES = 1 << 20  # a smaller file shares its unit
_NS = 1_000_000_000
# Formats whose files can be read one by one, with the same rows as together.
_FORMATS = ("text", "wholetext", "json", "parquet")
# With these options of JSON, Spark reads all files to find their columns.
WHOLE_OPTIONS = {"multiline", "encoding", "charset", "linesep"}

Key = tuple[str, str]  # a unit's name and identity


class Unit(NamedTuple):
    """A part of the corpus that is counted, and encoded, as one."""

    name: str  # the URI of its file; or the folder of its small files and their day
    identity: str  # of its files' names, sizes and times: 16 hexadecimal digits
    files: tuple[str, ...]  # URIs

    @property
    def key(self) -> Key:
        """What tells it from all other units, and from its own earlier states."""
        return self.name, self.identity


def units_of(files: Iterable[InputFile]) -> list[Unit]:
    """The units of some files, in the order of their names."""
    groups: defaultdict[str, list[InputFile]] = defaultdict(list)
    for file in files:
        small = file.size < SMALL_BYTES
        groups[f"{storage.parent(file.uri)}/* of {_day(file)}" if small else file.uri].append(file)
    return [_unit(name, sorted(groups[name])) for name in sorted(groups)]


def countable_files(config: InputConfig) -> list[InputFile] | None:
    """The files of the corpus, sorted; None where they cannot be read one by one.

    None for a catalog table or a frame, for formats that other packages bring, for JSON with options that make Spark
    read all files to find their columns, and where two paths name the same file. Raises InputError as list_files does.
    """
    options = {name.lower() for name in config.options}
    if config.table or config.format not in _FORMATS or (config.format == "json" and WHOLE_OPTIONS & options):
        return None
    found = [file for path in config.path for file in list_files(path)]
    return sorted(found) if len(set(found)) == len(found) else None


def units_there(paths: Sequence[str]) -> set[Key]:
    """The units that some paths of input.path have now; none for a path that is gone."""
    found: set[InputFile] = set()
    for path in paths:
        try:
            found.update(list_files(path))
        except InputError:  # nothing matches it any more
            continue
    return {unit.key for unit in units_of(found)}


def _day(file: InputFile) -> str:
    return datetime.fromtimestamp(file.modified_ns // _NS, UTC).strftime("%Y-%m-%d")


def _unit(name: str, files: list[InputFile]) -> Unit:
    identity = fingerprint(files=[[file.uri, file.size, file.modified_ns] for file in files])
    return Unit(name, identity, tuple(file.uri for file in files))
