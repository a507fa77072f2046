"""Intermediate tables: OUTPUT/staging/<table>/<fingerprint>/, whole once a record stands in the folder."""

import json
from typing import Any

from w2vspark.base import storage
from w2vspark.base.errors import OutputError

RECORD = "_record.json"  # hidden from Spark, and gone when the table is made again


def table_path(output_uri: str, table: str, fingerprint: str) -> str:
    """Where the table of this fingerprint is or will be."""
    return storage.join(output_uri, "staging", table, fingerprint)


def find(output_uri: str, table: str, fingerprint: str) -> dict[str, Any] | None:
    """The record of a table that is whole; None when it is missing or was not finished."""
    uri = storage.join(table_path(output_uri, table, fingerprint), RECORD)
    try:
        record = json.loads(storage.read_text(uri))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise OutputError(f"{uri}: is not JSON ({error}); delete its folder, and the table is made again") from error
    if not isinstance(record, dict):
        raise OutputError(f"{uri}: holds no JSON object; delete its folder, and the table is made again")
    return record


def complete(output_uri: str, table: str, fingerprint: str, record: dict[str, Any]) -> None:
    """Declares a table whole; ``record`` is what find returns from now on (row counts, timings)."""
    uri = storage.join(table_path(output_uri, table, fingerprint), RECORD)
    storage.write_text(uri, json.dumps(record, indent=2, sort_keys=True, allow_nan=False) + "\n")


def discard(output_uri: str, table: str, fingerprint: str) -> None:
    """Deletes a table; its record goes first, so that half a table is never taken for a whole one."""
    folder = table_path(output_uri, table, fingerprint)
    storage.delete_file(storage.join(folder, RECORD))
    storage.delete_folder(folder)


def discard_others(output_uri: str, table: str, keep: str) -> None:
    """Deletes the table's earlier makings: only that of the fingerprint ``keep`` stays."""
    for name in storage.list_names(storage.join(output_uri, "staging", table)):
        if name != keep:
            discard(output_uri, table, name)
