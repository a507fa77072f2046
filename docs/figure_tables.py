"""The recorded figures of docs/figures: read as tables, written into the pages that show them.

A page names a table by a pair of comments, `<!-- figures: NAME -->` and `<!-- /figures -->`. The text between them is
written from the figures. People write everything else in the page.
"""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parent
MARKED = re.compile(r"(<!-- figures: ([a-z0-9-]+) -->\n).*?(<!-- /figures -->)", re.DOTALL)
NO_SCRIPT = "Recorded once: no script of the repository measures this table."


@dataclass(frozen=True, slots=True)
class Table:
    """One measured table, as its file has it. Cells are texts; an empty one was not measured."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    command: str
    note: str = ""

    def cells(self, column: str) -> list[str]:
        """The texts of one column."""
        at = self.columns.index(column)
        return [row[at] for row in self.rows]

    def numbers(self, column: str) -> list[float]:
        """The numbers of one column, in which every cell must have one."""
        return [number(cell) for cell in self.cells(column)]

    def cell(self, row: str, column: str) -> str:
        """The text of the row whose first cell is `row`."""
        (found,) = [cells for cells in self.rows if cells[0] == row]
        return found[self.columns.index(column)]

    def value(self, row: str, column: str) -> float:
        """The number in that cell."""
        return number(self.cell(row, column))

    def markdown(self) -> str:
        """The table as the pages show it, with its note and the command below."""
        lines = [self.columns, ("---",) * len(self.columns), *self.rows]
        table = "\n".join(re.sub(" +", " ", f"| {' | '.join(cells)} |") for cells in lines)
        measured = f"Measured by `{self.command}`." if self.command else NO_SCRIPT
        return "\n".join([table, "", *([self.note] if self.note else []), measured, ""])


def number(cell: str) -> float:
    """1216.0 for "1,216", 79.6 for "79.6 M", 0.27 for "**.27**"."""
    return float(cell.strip("*").removesuffix(" M").replace(",", ""))


def read_tables() -> dict[str, Table]:
    """All tables of docs/figures, by name. Raises ValueError for a repeated name, and for a row with other columns."""
    tables: dict[str, Table] = {}
    for file in sorted((DOCS / "figures").glob("*.toml")):
        for name, found in tomllib.loads(file.read_text("utf-8")).items():
            if name == "machine":
                continue
            columns, rows = tuple(found["columns"]), tuple(tuple(row) for row in found["rows"])
            if name in tables or any(len(row) != len(columns) for row in rows):
                raise ValueError(f"{file.name}: [{name}] occurs twice, or a row does not have {len(columns)} cells")
            tables[name] = Table(name, columns, rows, found["command"], found.get("note", ""))
    return tables


def machine() -> str:
    """What the benchmarks ran on."""
    text: str = tomllib.loads((DOCS / "figures" / "benchmarks.toml").read_text("utf-8"))["machine"]["text"]
    return text


def pages() -> list[Path]:
    """The pages that show figures."""
    return [page for page in sorted(DOCS.rglob("*.md")) if MARKED.search(page.read_text("utf-8"))]


def filled(page: str, tables: Mapping[str, Table]) -> str:
    """A page's text with its tables as they are now. Raises KeyError if it names a table that is not there."""
    shown = {name: table.markdown() for name, table in tables.items()} | {"machine": machine() + "\n"}
    return MARKED.sub(lambda match: f"{match[1]}\n{shown[match[2]]}\n{match[3]}", page)


def digest(tables: Iterable[Table]) -> str:
    """Identifies the figures of some tables: it changes with any cell."""
    cells = "\n".join(repr((table.name, table.columns, table.rows)) for table in tables)
    return hashlib.sha256(cells.encode()).hexdigest()[:16]
