"""Find and delete what staging keeps for units of the corpus that are gone or have changed. Needs no Spark."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from w2vspark.base.schemas import PARTIAL_COUNTS
from w2vspark.output.staging import Staged, Staging
from w2vspark.stages.input_units import Key, units_there
from w2vspark.storage.listed import ROWS, NewFile, scan_listed, write_list

COUNTS = "counts"  # in a record: its table has rows of PARTIAL_COUNTS


class Stale(NamedTuple):
    """An attempt in staging with units that are gone or have changed."""

    table: str
    fingerprint: str
    staged: Staged
    gone: list[Key]


def stale_tables(staging: Staging) -> Iterator[Stale]:
    """The tables of parts of the corpus that have something of units that are no longer there.

    A unit is looked for where the run that recorded it found its corpus. Raises EnvironmentFailure if a store cannot be
    reached: then nobody knows whether its files are gone.
    """
    there: dict[tuple[str, ...], set[Key]] = {}
    for table, fingerprint, staged in staging.partial():
        paths = tuple(staged.record["paths"])
        if paths not in there:
            there[paths] = units_there(paths)
        gone = [(name, identity) for name, identity in staged.record["units"] if (name, identity) not in there[paths]]
        if gone:
            yield Stale(table, fingerprint, staged, gone)


def delete_stale(staging: Staging, stale: Stale) -> None:
    """Delete an attempt. If it has counts of other units too, they are written to a new one before."""
    keys = [(name, identity) for name, identity in stale.staged.record["units"]]
    kept = np.array([key not in set(stale.gone) for key in keys], bool)
    if stale.staged.record.get(COUNTS) and kept.any():
        uri = staging.begin(stale.table, stale.fingerprint)
        numbers = (np.cumsum(kept) - 1).astype(np.int32)
        with NewFile(uri, "part", PARTIAL_COUNTS) as file:
            for rows in scan_listed(stale.staged.uri, PARTIAL_COUNTS.names):
                units = rows["unit"].to_numpy()
                mine = rows.filter(pa.array(kept[units]))
                of_units = pa.array(numbers[mine["unit"].to_numpy()])
                file.write(mine.set_column(1, PARTIAL_COUNTS.field("unit"), of_units).cast(PARTIAL_COUNTS))
        write_list(uri, [{"matrix": ROWS, "first_id": 0, "rows": file.rows, **file.listed()}])
        left = [key for key, is_kept in zip(keys, kept.tolist(), strict=True) if is_kept]
        staging.complete(uri, stale.staged.record | {"units": left}, [uri])
    staging.discard_attempt(stale.staged.uri)
