"""Draw the charts of docs/pictures from the recorded figures, and write the tables of the pages that show them.

python docs/charts.py [FOLDER]; needs matplotlib 3.8 or newer. The same figures and the same matplotlib give the same
bytes. The text of a picture stays text, so that it can be searched. Pictures are white, also on a dark page.
"""

import sys
import textwrap
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from chart_style import (
    GREY,
    INK,
    MLLIB,
    OURS,
    PALE,
    PEER,
    STYLE,
    bars,
    new_figure,
    pairs_of_bars,
    rows_of,
    times,
)
from figure_tables import DOCS, Table, digest, filled, number, pages, read_tables

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCORES = ("WordSim-353", "SimLex-999", "Google")
SCORE_AXES = ("Spearman's correlation", "Spearman's correlation", "share of right answers")
SPEED = "million words a CPU second"


def shards(ours: Table, mllib: Table) -> "Figure":
    """Quality over the number of shards, as a ratio to one shard; MLlib's to its one partition."""
    kept = [100 * ours.value("32", score) / ours.value("1", score) for score in SCORES]
    lost = [100 * mllib.value("8", score) / mllib.value("1", score) for score in SCORES]
    figure, panels = new_figure(
        f"32 shards keep {min(kept):.0f} to {max(kept):.0f} % of one shard's quality;\n"
        f"Spark MLlib with 8 partitions keeps {min(lost):.0f} to {max(lost):.0f} %",
        3.5, ncols=3, sharey=True,
    )  # fmt: skip
    for axes, score in zip(panels, SCORES, strict=True):
        axes.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (2, 2)))
        for table, colour, marker in ((mllib, MLLIB, "s"), (ours, OURS, "o")):
            counts, values = table.numbers(table.columns[0]), table.numbers(score)
            ratios = [value / values[0] for value in values]
            axes.plot(counts, ratios, color=colour, marker=marker, markersize=5)
            axes.text(counts[-1], ratios[-1] - 0.06, f"{ratios[-1]:.2f}", color=colour, ha="center", fontweight="bold")
        axes.set(title=score, xscale="log", xlim=(0.8, 55), ylim=(0.4, 1.15), yticks=[0.4, 0.6, 0.8, 1])
        axes.set_xticks(ours.numbers("shards"), ours.cells("shards"))
        axes.minorticks_off()
    panels[2].text(5.4, 1.07, "w2vspark", color=OURS, fontweight="bold")
    panels[2].text(4.4, 0.73, "Spark MLlib", color=MLLIB, fontweight="bold")
    panels[0].set_ylabel("score, divided by the score of\none shard (MLlib: one partition)")
    panels[1].set_xlabel("number of shards (w2vspark), of partitions (Spark MLlib)")
    return figure


def end_to_end(whole: Table, parts: Table) -> "Figure":
    """Seconds of three programs, and where w2vspark's go."""
    ours, gensim, mllib = whole.numbers("wall s")
    figure, (programs, stages) = new_figure(
        f"From compressed text to vectors: w2vspark takes {whole.rows[0][1]} s,\n"
        f"gensim {times(gensim / ours)} times as long, Spark MLlib {times(mllib / ours)} times",
        3.7, ncols=2, width_ratios=[1.2, 1],
    )  # fmt: skip
    names = ("w2vspark,\n2 lanes", "gensim,\n2 workers", "Spark MLlib,\n1 partition")
    labels = [f"{cell} s" for cell in whole.cells("wall s")]
    bars(programs, list(zip(names, (ours, gensim, mllib), labels, (OURS, PEER, MLLIB), strict=True)), 580)
    programs.set(title="five epochs on two cores", xlabel="wall time, s", xticks=[0, 100, 200, 300, 400])
    bars(stages, [(textwrap.fill(name, 18), number(cell), f"{cell} s", OURS) for name, cell in parts.rows], 11.5)
    stages.set(title="parts of w2vspark's run", xlabel="wall time, s", xticks=[0, 2, 4, 6, 8])
    return figure


def speed(kernel: Table, methods: Table, subwords: Table, glove: Table) -> "Figure":
    """Each method's training speed beside its peer's."""
    pairs = [("skipgram-ns", *kernel.rows[0][1:3], "gensim")]
    cells = methods.cells(SPEED)
    pairs += [
        (name, cells[at], cells[at + 1], "gensim") for name, at in (("skipgram-hs", 0), ("cbow-ns", 3), ("cbow-hs", 5))
    ]
    pairs.append(("skipgram-ns\nwith subwords", *subwords.cells(SPEED), "fastText"))
    ratios = [number(us) / number(them) for _, us, them, _ in pairs]
    figure, (words, records) = new_figure(
        f"w2vspark trains {times(min(ratios))} to {times(max(ratios))} times as many words a CPU second as its peer",
        5.0, nrows=2, height_ratios=[5, 1],
    )  # fmt: skip
    pairs_of_bars(words, pairs, 8.2)
    words.set_xlabel("million words of text that one core trains in a second (D = 100)")
    c_program = glove.cells("M records a CPU second")
    pairs_of_bars(
        records, [("glove", c_program[2], c_program[1], "the authors' C program, scaled to this machine")], 20
    )
    records.set(xlabel="million co-occurrence counts that one core trains in a second (D = 100)", xticks=[0, 5, 10, 15])
    return figure


def quality(plain: Table, methods: Table, subwords: Table, glove: Table, svd: Table) -> "Figure":
    """Each method's scores beside its peer's."""
    compared = [  # the rows of a table by their place: a method's, then its peer's
        ("skipgram-ns", plain, 0, "gensim", 1),
        ("skipgram-hs", methods, 0, "gensim", 1),
        ("skipgram-hs", methods, 0, "Spark MLlib", 2),
        ("cbow-ns", methods, 3, "gensim", 4),
        ("cbow-hs", methods, 5, "gensim", 6),
        ("skipgram-ns, subwords", subwords, 0, "fastText", 1),
        ("glove", glove, 0, "the authors' C program", 2),
        ("ppmi-svd, D = 150", svd, 0, "NumPy and scipy, D = 100", 2),
    ]
    cells = {
        score: [(table.cells(score)[us], table.cells(score)[them]) for _, table, us, _, them in compared]
        for score in SCORES
    }
    below = max(number(them) - number(us) for pairs in cells.values() for us, them in pairs if them)
    figure, panels = new_figure(
        f"In these comparisons, w2vspark scores at most {below:.3f} below its peer".replace("0.", "."),
        5.2, ncols=3, sharey=True,
    )  # fmt: skip
    limits = ((0.33, 0.79), (0.12, 0.40), (-0.02, 0.60))
    for axes, score, limit, label in zip(panels, SCORES, limits, SCORE_AXES, strict=True):
        for at, (us, them) in enumerate(cells[score]):
            looks = ((us, OURS, "o"), (them, PEER, "D"))
            dots = sorted((number(cell), cell, colour, marker) for cell, colour, marker in looks if cell)
            axes.plot([dot[0] for dot in dots], [at] * len(dots), color=GREY, linewidth=1)
            for place, (value, cell, colour, marker) in enumerate(dots):
                axes.plot(value, at, marker, color=colour, markersize=5.5)
                side = -1 if place == 0 and them else 1
                aside = value + side * 0.042 * (limit[1] - limit[0])
                axes.text(aside, at, cell, color=colour, va="center", ha="right" if side < 0 else "left")
        axes.set(title=score, xlabel=label, xlim=limit)
        axes.grid(axis="x", color="#E8E8E8", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(axis="y", length=0)
    panels[0].set_xticks([0.4, 0.5, 0.6, 0.7])
    panels[1].set_xticks([0.2, 0.3])
    panels[2].set_xticks([0.1, 0.2, 0.3, 0.4, 0.5])
    rows_of(panels[0], [""] * len(compared))
    for at, (ours, _, _, peer, _) in enumerate(compared):
        edge = {"transform": panels[0].get_yaxis_transform(), "ha": "right", "fontsize": 9}
        panels[0].text(-0.04, at - 0.17, f"{ours} ●", va="center", color=OURS, fontweight="bold", **edge)
        panels[0].text(-0.04, at + 0.2, f"{peer} ◆", va="center", color=PEER, **edge)
    return figure


def memory(small: Table, large: Table) -> "Figure":
    """The model, the driver and the biggest worker."""
    columns = ("model, MB", "driver's Python, MB", "biggest worker, MB")
    models = [
        ("68,268 words, D = 100\nworkers hold all rows", [small.rows[0][small.columns.index(one)] for one in columns]),
        ("500,000 words, D = 64\nworkers hold a part", [large.rows[1][large.columns.index(one)] for one in columns]),
        ("500,000 words, D = 300\nworkers hold all rows", [small.rows[1][small.columns.index(one)] for one in columns]),
        ("5,000,000 words, D = 64\nworkers hold a part", [large.rows[0][large.columns.index(one)] for one in columns]),
    ]
    driver = max(value for table in (small, large) for value in table.numbers(columns[1]))
    model, _, worker = models[-1][1]
    figure, axes = new_figure(
        f"The driver's Python takes at most {driver:.0f} MB, whatever the size of the model;\n"
        f"workers of {worker} MB train a model of {model} MB",
        4.6,
    )  # fmt: skip
    for at, (_, cells) in enumerate(models):
        for place, (cell, name, colour) in enumerate(
            zip(cells, ("model", "driver's Python", "biggest worker"), (GREY, PALE, OURS), strict=True)
        ):
            y = at + 0.26 * (place - 1)
            axes.barh(y, number(cell), height=0.24, color=colour)
            axes.text(number(cell) + 40, y, f"{name} {cell} MB", va="center", color=INK, fontsize=9)
    rows_of(axes, [name for name, _ in models])
    axes.set_xlim(0, 5600)
    axes.set_xticks(range(0, 5000, 1000), [f"{tick:,}" for tick in range(0, 5000, 1000)])
    axes.set_xlabel("peak memory, MB")
    return figure


def memory_growth(methods: Table, counting: Table) -> "Figure":
    """The biggest worker of the methods from counts, as the text doubles."""
    worker = counting.cells("biggest worker, MB")[:3]
    panels_of = [(row[0].strip("`"), row[1:]) for row in methods.rows] + [("counting alone", tuple(worker))]
    grown = max(number(b) / number(a) for _, cells in panels_of for a, b in pairwise(cells))
    figure, panels = new_figure(
        f"From counts: twice the text takes at most {times(grown)} times the memory", 3.1, ncols=4, sharey=True
    )
    for axes, (name, cells) in zip(panels, panels_of, strict=True):
        for at, cell in enumerate(cells):
            axes.bar(at, number(cell), width=0.75, color=OURS)
            axes.text(at, number(cell) + 20, cell, ha="center", color=INK)
        axes.set_xticks(range(3), ["half", "all", "twice"])
        axes.tick_params(axis="x", length=0)
        axes.set(title=name, ylim=(0, 1150))
        axes.set_yticks(range(0, 1250, 250), [f"{tick:,}" for tick in range(0, 1250, 250)])
    panels[0].set_ylabel("biggest worker, MB")
    figure.supxlabel("how much of the text is read (all: 16.9 million tokens)", fontsize=9.5)
    return figure


def growth(table: Table) -> "Figure":
    """Training time over the size of the text."""
    figure, axes = new_figure("Twice the text takes less than twice the training time", 3.7)
    tokens = [value / 1e6 for value in table.numbers("tokens")]
    for column, name, colour, marker in (
        ("workers' CPU s", "workers' CPU time", OURS, "o"),
        ("rounds as a whole, s", "rounds as a whole, wall time", PEER, "D"),
        ("inside the training calls, s", "inside the training calls, wall time", MLLIB, "s"),
    ):
        seconds = table.numbers(column)
        axes.plot([0, tokens[-1]], [0, seconds[0] / tokens[0] * tokens[-1]], color=colour, linewidth=1, linestyle=":")
        axes.plot(tokens, seconds, color=colour, marker=marker, markersize=6)
        label = f"{table.cells(column)[-1]} s: {name}"
        axes.text(tokens[-1] + 0.35, seconds[-1], label, va="center", color=colour, fontweight="bold")
    axes.text(9.2, 15.4, "dotted: in proportion\nto the smallest text", color=GREY, ha="right", va="center")
    axes.spines["bottom"].set_bounds(0, 16.6)
    axes.set(xlim=(0, 27), ylim=(0, 20), xticks=[0, 4, 8, 12, 16], yticks=[0, 5, 10, 15, 20])
    axes.set_xlabel("tokens of the text, millions", x=0.3)
    axes.set_ylabel("time for five epochs, s")
    return figure


def lsa(seconds: Table, scores: Table) -> "Figure":
    """LSA's time and quality beside the peers'."""
    ours, theirs = (row[1] for row in seconds.rows)
    figure, axes = new_figure(
        f"LSA: gensim takes {times(number(theirs) / number(ours))} times as long, and its vectors are no better",
        4.3, mosaic=[["time", "time"], ["Lee", "bbc"]], height_ratios=[1, 1.9],
    )  # fmt: skip
    rows = [("w2vspark", number(ours), f"{ours} s", OURS), ("gensim", number(theirs), f"{theirs} s", PEER)]
    bars(axes["time"], rows, 230)
    axes["time"].set(xlabel="from text to vectors, s", xticks=[0, 50, 100, 150, 200])
    for name, label in (
        ("Lee", "Lee: correlation with people's judgement"),
        ("bbc", "bbc: neighbours with the same label"),
    ):
        groups = [row for row in scores.rows if row[0].startswith(name)]
        at = 0
        for _, *cells in groups:
            for cell, who, colour in zip(
                cells, ("w2vspark", "gensim", "scikit-learn"), (OURS, PEER, MLLIB), strict=True
            ):
                if cell:
                    axes[name].barh(at, number(cell), height=0.9, color=colour)
                    axes[name].text(0.02, at, f"{who} {cell}", va="center", color="white", fontweight="bold")
                    at += 1
            at += 0.5
        size = at / len(groups)
        axes[name].set_yticks(
            [size * (group + 0.5) - 0.75 for group in range(len(groups))], [r[0].split(", ")[1] for r in groups]
        )
        axes[name].tick_params(axis="y", length=0)
        axes[name].set(xlabel=label, ylim=(at - 0.9, -0.6))
    axes["Lee"].set(xlim=(0, 0.6), xticks=[0, 0.2, 0.4, 0.6])
    axes["bbc"].set(xlim=(0, 1), xticks=[0, 0.25, 0.5, 0.75, 1])
    return figure


CHARTS: dict[str, tuple[Callable[..., "Figure"], tuple[str, ...]]] = {
    "shards": (shards, ("shards", "shards-mllib")),
    "end-to-end": (end_to_end, ("end-to-end", "end-to-end-stages")),
    "speed": (speed, ("kernel", "methods", "subwords", "glove-yardstick")),
    "quality": (quality, ("quality", "methods", "subwords", "glove", "svd-scores")),
    "memory": (memory, ("memory", "vocabulary")),
    "memory-growth": (memory_growth, ("counted-memory", "counts")),
    "growth": (growth, ("growth",)),
    "lsa": (lsa, ("lsa-time", "lsa-quality")),
}


def draw(name: str, tables: dict[str, Table], folder: Path) -> Path:
    """Draw one chart. Its file names the tables that it shows, with a digest of their figures."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    function, file = CHARTS[name][0], folder / f"{name}.svg"
    with plt.rc_context(STYLE):
        figure = function(*shown(name, tables))
        figure.savefig(file, metadata={"Date": None, "Creator": None, "Description": source(name, tables)})
        plt.close(figure)
    # Where DejaVu is missing, fonts that are not wider.
    text = file.read_text("utf-8").replace("'DejaVu Sans',", "'DejaVu Sans', Verdana, Arial,")
    file.write_text(text, "utf-8")
    return file


def shown(name: str, tables: dict[str, Table]) -> list[Table]:
    """The tables that a chart shows."""
    return [tables[one] for one in CHARTS[name][1]]


def source(name: str, tables: dict[str, Table]) -> str:
    """What a chart's file says of where its figures come from; another figure, another text."""
    return f"docs/figures: {', '.join(CHARTS[name][1])}; digest {digest(shown(name, tables))}"


def main(folder: Path) -> None:
    """All charts, then the tables of all pages."""
    tables = read_tables()
    for name in CHARTS:
        draw(name, tables, folder)
    for page in pages():
        page.write_text(filled(page.read_text("utf-8"), tables), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "pictures")
