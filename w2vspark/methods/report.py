"""What each version of word vectors has to look at: the page report.html, and the table map."""

from dataclasses import dataclass
from typing import Any

from w2vspark import storage
from w2vspark.base.schemas import MAP
from w2vspark.config.config import Config, to_dict
from w2vspark.config.keys import Settings, key
from w2vspark.flow.run import Run
from w2vspark.flow.work import Artefact, Table
from w2vspark.report import can_make_map, make_map, make_report


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportConfig(Settings):
    """What a version has to look at."""

    section = "report"
    of_result = False

    page: bool = key(True, why="Each version has a page to look at: artefacts/report.html.")
    map: bool = key(
        True,
        why="The page has a map of the frequent words, and the version a table map, if the packages of the extra "
        "w2vspark[report] are installed; 15 s on one core.",
    )


def has_page(config: Config) -> bool:
    """Whether a version has a page."""
    return config[ReportConfig].page


def has_map(config: Config) -> bool:
    """Whether a version has a map."""
    return has_page(config) and config[ReportConfig].map and can_make_map()


def map_rows(run: Run) -> Any:
    """The places of frequent words; none if there are too few words."""
    return make_map(run.judged())


def write_page(run: Run, uri: str) -> None:
    """Write the page about the candidate. The map is a table of the candidate by now."""
    candidate = run.judged()
    defaults = to_dict(Config({table: type(settings)() for table, settings in run.config.tables.items()}))
    previous = run.previous if run.previous is not None and run.previous.has("vectors") else None
    rows = make_map(candidate) if candidate.has("map") else None
    page = make_report(candidate, previous, rows, defaults)
    with storage.open_for_writing(uri) as file:
        file.write(page)


MAP_TABLE = Table(
    "map",
    MAP,
    "a frequent word's place on the map of the report, and its cluster",
    map_rows,
    wanted=has_map,
    when="the packages of the extra `report` are installed",
    of_candidate=True,
)
PAGE = Artefact(
    "report.html",
    "a page to look at: what ran, scores, neighbours, map, drift",
    write_page,
    has_page,
    "`report.page` is true",
    of_candidate=True,
)
LOOK = (MAP_TABLE, PAGE)
