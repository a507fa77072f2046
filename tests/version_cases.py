"""Versions of small tables, for tests of versions: written, published, and as current.json has them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from w2vspark.base.errors import OutputError
from w2vspark.output import versions
from w2vspark.output.candidates import StagedTable, write_candidate
from w2vspark.output.versions import CHECKED
from w2vspark.storage.listed import write_small


class Held:
    """A claim that can be lost."""

    def __init__(self, output: Path, term: int) -> None:
        self.output, self.term, self.run_id, self.lost = output, term, f"run{term}", False

    def check(self) -> None:
        if self.lost:
            raise OutputError("another run has taken over")

    def replace_current(self, text: str) -> None:
        (self.output / "current.json").write_text(text)


def staged(output: Path, name: str, rows: int = 3) -> str:
    uri = str(output / "staging" / name)
    write_small(pa.table({"n": range(rows)}), uri)
    return uri


def candidate(output: Path, term: int, why: str = CHECKED, request: str = "r", rows: int = 3) -> Held:
    """A version of two tables, one of them copied; its claim."""
    claim = Held(output, term)
    parts = [StagedTable("vectors", staged(output, f"vectors-{term}", rows))]
    parts.append(StagedTable("vocabulary", staged(output, f"vocabulary-{term}"), copy=True))
    manifest = {"run_id": claim.run_id, "created": "2026", "fingerprints": {"vectors": f"v{term}", "request": request}}
    assert write_candidate(str(output), claim, parts, manifest, why) == f"{term:06}"
    return claim


def published(output: Path, *terms: int) -> Held:
    for term in terms:
        claim = candidate(output, term, request=f"r{term}")
        versions.promote(str(output), claim, f"{term:06}")
    return claim


def current(output: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((output / "current.json").read_text())
    return found


def names(output: Path) -> list[str]:
    return sorted(path.name for path in (output / "versions").iterdir())
