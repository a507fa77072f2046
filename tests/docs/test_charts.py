"""The pages and charts of docs/ show the recorded figures, and the settings in them are those of the code."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from statistics import mean
from xml.etree import ElementTree

import pytest

from w2vspark.training.word2vec.plan import resolve
from w2vspark.training.word2vec.settings import Word2VecTraining

ROOT = Path(__file__).parents[2]
DOCS, BENCH = ROOT / "docs", ROOT / "tests" / "bench"
sys.path.insert(0, str(DOCS))

import charts  # noqa: E402
import figure_tables  # noqa: E402

TABLES = figure_tables.read_tables()
PAGES = figure_tables.pages()
SCORES = charts.SCORES
UPDATE = "run: python docs/charts.py"


def texts(file: Path) -> list[str]:
    """The texts of an SVG, in their order."""
    return [part.text or "" for part in ElementTree.parse(file).iter("{http://www.w3.org/2000/svg}text")]


def test_pages_show_the_recorded_figures() -> None:
    assert [page.name for page in PAGES] == ["performance.md", "replicas.md", "tuning.md"]
    for page in PAGES:
        text = page.read_text("utf-8")
        assert figure_tables.filled(text, TABLES) == text, f"{page.name} differs from docs/figures; {UPDATE}"


def test_every_table_is_on_a_page() -> None:
    shown = {name for page in PAGES for _, name, _ in figure_tables.MARKED.findall(page.read_text("utf-8"))}
    assert shown == {"machine", *TABLES}


def test_commands_name_benchmarks_and_every_benchmark_is_on_a_page() -> None:
    scripts = {f"tests/bench/{file.name}" for file in BENCH.glob("*.py") if "sys.exit(run_script(" in file.read_text()}
    assert {table.command.split()[1] for table in TABLES.values() if table.command} <= scripts
    pages = "".join(page.read_text("utf-8") for page in PAGES)
    assert {script for script in scripts if f"python {script}" not in pages} == set()


@pytest.mark.parametrize("name", charts.CHARTS)
def test_a_chart_is_drawn_from_the_recorded_figures_and_a_page_shows_it(name: str) -> None:
    picture = DOCS / "pictures" / f"{name}.svg"
    assert charts.source(name, TABLES) in picture.read_text("utf-8"), f"{picture.name} shows other figures; {UPDATE}"
    alts = [
        alt
        for page in PAGES
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text("utf-8"))
        if (page.parent / target).resolve() == picture
    ]
    assert alts and all(len(alt) > 60 for alt in alts)


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed: pip install -e '.[docs]'")
@pytest.mark.parametrize("name", charts.CHARTS)
def test_drawing_a_chart_again_changes_no_text_in_it_and_no_byte_from_call_to_call(name: str, tmp_path: Path) -> None:
    first = charts.draw(name, TABLES, tmp_path).read_bytes()
    drawn = charts.draw(name, TABLES, tmp_path)
    assert drawn.read_bytes() == first
    # Other versions of matplotlib place things a little differently, so the bytes in docs/ may differ.
    assert texts(drawn) == texts(DOCS / "pictures" / drawn.name), f"{drawn.name} is out of date; {UPDATE}"


def test_recorded_ratios_follow_from_the_recorded_figures() -> None:
    shards = TABLES["shards"]
    for row, average, least in zip(shards.cells("shards"), shards.numbers("mean of the ratios"),
                                   shards.numbers("least ratio"), strict=True):  # fmt: skip
        ratios = [shards.value(row, score) / shards.value("1", score) for score in SCORES]
        assert mean(ratios) == pytest.approx(average, abs=0.006)
        assert min(ratios) == pytest.approx(least, abs=0.006)
    ours, *peers = TABLES["end-to-end"].numbers("wall s")
    shares = TABLES["end-to-end"].cells("w2vspark's share of its wall time")[1:]
    assert [round(ours / peer, 2) for peer in peers] == [float(share) for share in shares]
    record = TABLES["glove-yardstick"]
    measured, scaled, us, times = record.numbers("M records a CPU second")
    theirs, here = map(float, record.cells("gensim's epoch of skip-gram on the same machine, CPU s")[:2])
    assert round(measured * theirs / here, 2) == scaled and us / scaled == pytest.approx(times, abs=0.05)


def test_settings_in_the_table_of_shards_are_the_defaults_but_for_the_rate_of_one_shard() -> None:
    shards = TABLES["shards"]
    columns = ("shards", "rounds an epoch", "optimizer, rate")
    for number, rounds, optimizer_and_rate in zip(*map(shards.cells, columns), strict=True):
        optimizer, rate = optimizer_and_rate.split(", ")
        found = resolve(Word2VecTraining(shards=int(number)), 16_900_000, 68_000)
        assert (found.lanes, found.optimizer) == (2 if number == "1" else 1, optimizer)
        if number != "1":
            assert str(found.rounds_per_epoch) == rounds
            assert found.learning_rate == pytest.approx(float(rate), abs=0.001)


def test_bold_rates_are_those_of_the_rules() -> None:
    for cut, rate in zip(TABLES["rates"].cells("shards x lanes"), TABLES["rates"].cells("rate"), strict=True):
        shards, lanes = map(int, cut.split(" x "))
        found = resolve(Word2VecTraining(shards=shards, lanes=lanes, optimizer="sgd"), 16_900_000, 68_000)
        is_the_rule = abs(found.learning_rate - figure_tables.number(rate)) < 0.001
        assert is_the_rule == rate.startswith("**"), (cut, rate)
    found = resolve(Word2VecTraining(method="skipgram-hs"), 16_900_000, 68_000)
    (bold,) = [rate for rate in TABLES["hierarchical"].cells("rate") if rate.startswith("**")]
    assert found.learning_rate == pytest.approx(figure_tables.number(bold), abs=0.001)
    found = resolve(Word2VecTraining(shards=32), 16_900_000, 68_000)
    (bold,) = [rate for rate in TABLES["adagrad"].cells("rate") if rate.startswith("**")]
    assert found.learning_rate == pytest.approx(figure_tables.number(bold), abs=0.001)
