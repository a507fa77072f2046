"""Keep the counts of each unit of the corpus in staging, so that a run counts only the units that are new.

The tables accumulate: a run adds one with all its new units. A unit that is gone or has changed stays in its table, and
is not added up. `w2vspark clean` deletes it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from w2vspark.base.errors import InputError
from w2vspark.base.log import get_logger, key_values
from w2vspark.config.config import deciding
from w2vspark.fingerprints.fingerprint import code_of, fingerprint, versions_of
from w2vspark.flow.run import Run
from w2vspark.output.staging import PARTIAL, Staged
from w2vspark.spark.listed_files import TaskRows, write_table
from w2vspark.stages import partial_counts as counting
from w2vspark.stages.corpus import path_of, read_corpus, read_files
from w2vspark.stages.input import InputConfig, text_column
from w2vspark.stages.input_units import Key, Unit, units_of
from w2vspark.stages.partial_counts import Numbers, PartialTable, Tally, numbers_of
from w2vspark.stages.stale_counts import COUNTS
from w2vspark.stages.words import Words
from w2vspark.storage.uris import absolute_uri

MOST_TABLES = 32  # with more, they are merged into one: every sum reads all of them


@dataclass(frozen=True, slots=True)
class Counted:
    """What is counted, and how."""

    table: str  # the table of the full counts
    schema: pa.Schema  # of the full counts
    kinds: tuple[str, ...]
    tally: Tally  # a module's function
    # Counts without partial counts, where the files cannot be read one by one: (corpus, words) -> the full counts.
    directly: Callable[[Any, Words], TaskRows]


def write_counts(run: Run, counted: Counted, words: Words, uri: str, words_identity: str | None = "") -> None:
    """Write the counts of the whole corpus into a new folder. Only units that are new are read.

    words_identity: what the words depend on besides the settings of the tokenizer; None = it changes with every corpus,
    so partial counts would be of no use.
    """
    units = units_in(run)
    if units is None or words_identity is None:
        corpus = read_corpus(run.session(), run.config[InputConfig], 0)
        write_table(counted.directly(corpus, words), uri, counted.schema)
        return
    tables = partial_tables(run, counted, words, words_identity, units)
    sums = counting.summed(run.session(), [table for table, _ in tables], counted.kinds, counted.schema)
    write_table(sums, uri, counted.schema)


def paths_of(run: Run) -> list[str]:
    """The paths of the corpus for records, in a form that does not depend on the working folder."""
    return [absolute_uri(path) for path in run.config[InputConfig].path]


def units_in(run: Run) -> list[Unit] | None:
    """The units of the corpus as the run found it; None where its files cannot be read one by one."""
    files = run.found.get("files")
    return None if files is None else units_of(files)


def identity_of(run: Run, counted: Counted, words: Words, words_identity: str) -> str:
    """The fingerprint of partial counts: of the settings, code and libraries, and not of the corpus."""
    config = run.config[InputConfig]
    read = deciding(config) | {"path": [], "text_column": text_column(config), "id_column": ""}
    makers = counting.count_units, counted.tally, read_files
    libraries = words.tokens.libraries()
    return fingerprint(
        table=counted.table,
        input=read,
        tokens=words.tokens,
        words=words_identity,
        connectors=words.connectors,
        code=code_of(*makers),
        versions=versions_of(*makers, chosen=libraries),
    )


def partial_tables(
    run: Run, counted: Counted, words: Words, words_identity: str, units: list[Unit]
) -> list[tuple[PartialTable, list[Key]]]:
    """Tables with the counts of all units, and the units of each. The units that no table has are counted now."""
    name, own = PARTIAL + counted.table, identity_of(run, counted, words, words_identity)
    found = run.staging.find_all(name, own)
    there = {tuple(key) for staged in found for key in staged.record["units"]}
    missing = [unit for unit in units if unit.key not in there]
    get_logger().info(
        key_values(stage=name, event="units", units=len(units), new=len(missing), tables=len(found), fingerprint=own)
    )
    if missing:
        run.staging.discard_others(name, own)
        found.insert(0, _count(run, counted, words, missing, len(missing) == len(units), name, own))
    tables = _chosen(found, units)
    if len(found) <= MOST_TABLES:
        return tables
    return [_merge(run, found, tables, units, name, own)]


def _count(run: Run, counted: Counted, words: Words, units: list[Unit], all_new: bool, name: str, own: str) -> Staged:
    """Count some units, in one table. all_new: whether they are the whole corpus."""
    files = None if all_new else [file for unit in units for file in unit.files]
    documents, names = read_files(run.session(), run.config[InputConfig], files)
    rows = counting.partial_counts(documents, numbered_files(units, names), counted.tally, words)
    return _written(run, rows, [unit.key for unit in units], paths_of(run), name, own)


def numbered_files(units: list[Unit], names: dict[int, str]) -> Numbers:
    """The number of the unit of each file. names: from read_files. Raises InputError for a file of no unit."""
    numbers = {path_of(file): number for number, unit in enumerate(units) for file in unit.files}
    if strange := sorted(set(names.values()) - numbers.keys()):
        raise InputError(
            f"the corpus changed while it was read: {strange[0]} was not there before; run again when nothing writes "
            "to it"
        )
    return numbers_of({number: numbers[file] for number, file in names.items()})


def _merge(
    run: Run,
    found: list[Staged],
    tables: list[tuple[PartialTable, list[Key]]],
    units: list[Unit],
    name: str,
    own: str,
) -> tuple[PartialTable, list[Key]]:
    """One table in place of many, without the units that are gone or have changed."""
    at = {unit.key: number for number, unit in enumerate(units)}
    renumbered = []
    for table, keys in tables:
        renumbered.append(table._replace(new_numbers=np.array([at.get(key, -1) for key in keys], np.int32)))
    paths = sorted({path for staged in found for path in staged.record["paths"]})
    one = _written(run, counting.merged(run.session(), renumbered), [unit.key for unit in units], paths, name, own)
    for staged in found:
        run.staging.discard_attempt(staged.uri)
    return _chosen([one], units)[0]


def _written(run: Run, rows: TaskRows, keys: list[Key], paths: list[str], name: str, own: str) -> Staged:
    uri = run.staging.begin(name, own)
    try:
        write_table(rows, uri, rows.schema, counting.ROW_GROUP_BYTES)
        return run.staging.complete(uri, {COUNTS: True, "units": keys, "paths": paths}, [uri])
    except BaseException:
        run.staging.give_up(uri)
        raise


def _chosen(found: list[Staged], units: list[Unit]) -> list[tuple[PartialTable, list[Key]]]:
    """The tables, each with its units that count: every unit of the corpus once."""
    left = {unit.key for unit in units}
    tables = []
    for staged in found:
        keys = _keys(staged)
        tables.append((PartialTable(staged.uri, np.array([key in left for key in keys], bool)), keys))
        left.difference_update(keys)
    return tables


def _keys(staged: Staged) -> list[Key]:
    return [(name, identity) for name, identity in staged.record["units"]]
