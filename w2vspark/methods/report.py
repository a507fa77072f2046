"""What each version of word vectors has to look at: the page report.html, and the table map."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from w2vspark import storage
from w2vspark.base.schemas import MAP
from w2vspark.config.config import Config, to_dict
from w2vspark.config.keys import Settings, key
from w2vspark.flow.run import Run
from w2vspark.flow.work import Artefact, Table
from w2vspark.output.publish import Version
from w2vspark.report import can_make_map, make_map, make_report
from w2vspark.spark.arrow import spark_schema
from w2vspark.stages.version_scores import is_large

_PAGE = pa.schema([pa.field("page", pa.binary(), nullable=False)])


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
    candidate = run.judged()
    if not is_large(candidate):
        return make_map(candidate)
    made = run.session().range(0, 1, 1, 1).mapInArrow(partial(map_task, candidate=candidate), spark_schema(MAP))
    return pa.Table.from_pylist([row.asDict() for row in made.collect()], schema=MAP)


def map_task(batches: Iterator[pa.RecordBatch], candidate: Version) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> rows of schemas.MAP."""
    for _ in batches:
        yield from make_map(candidate).to_batches()


def page_task(
    batches: Iterator[pa.RecordBatch], candidate: Version, previous: Version | None, defaults: Mapping[str, Any]
) -> Iterator[pa.RecordBatch]:
    """mapInArrow: one row -> one row with the page."""
    for _ in batches:
        yield pa.RecordBatch.from_arrays([pa.array([_page(candidate, previous, defaults)], pa.binary())], schema=_PAGE)


def _page(candidate: Version, previous: Version | None, defaults: Mapping[str, Any]) -> bytes:
    """The page. The map is a table of the candidate by now, if there is one."""
    return make_report(candidate, previous, make_map(candidate) if candidate.has("map") else None, defaults)


def write_page(run: Run, uri: str) -> None:
    """Write the page about the candidate. A worker makes it if the table of vectors is large, to spare the driver."""
    candidate = run.judged()
    defaults = to_dict(Config({table: type(settings)() for table, settings in run.config.tables.items()}))
    previous = run.previous if run.previous is not None and run.previous.has("vectors") else None
    if is_large(candidate):
        task = partial(page_task, candidate=candidate, previous=previous, defaults=defaults)
        (row,) = run.session().range(0, 1, 1, 1).mapInArrow(task, spark_schema(_PAGE)).collect()
        page = bytes(row["page"])
    else:
        page = _page(candidate, previous, defaults)
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
